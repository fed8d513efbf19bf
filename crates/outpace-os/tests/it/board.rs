//! The board as Python sees it, and descriptors sent over sockets.

use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::panic::catch_unwind;

use outpace_model::Phase;
use outpace_os::{
    Board, Exit, LANE_BYTES, NO_LIMIT, RING_BYTES, SpawnSpec, monotonic_seconds, send_with_fd, socket_pair,
    spawn,
};

use crate::processes::{alone, command, end};

const WORKER: &str = r#"
import mmap, struct, sys, time
board = mmap.mmap(int(sys.argv[1]), 0)
assert len(board) == 3 * (64 + 65536), len(board)
limit, = struct.unpack_from("<I", board, 64)
struct.pack_into("<III", board, 64 + 4, limit + 1, 8, 2)
struct.pack_into("<d", board, 64 + 16, time.monotonic())
"#;

#[test]
fn a_python_process_and_this_one_read_each_others_words() {
    let _alone = alone();
    let board = Board::new(3).unwrap();
    board.set_limit(1, 41);
    let fd = board.fd().try_clone_to_owned().unwrap();
    let number = fd.as_raw_fd().to_string();
    let before = monotonic_seconds();
    let worker = spawn(SpawnSpec { fds: vec![fd], ..command(&["python3", "-c", WORKER, &number]) }).unwrap();
    assert_eq!(end(worker), Exit::Code(0));

    assert_eq!((board.limit(1), board.position(1)), (41, 42));
    assert_eq!((board.item(1), board.phase(1)), (Some(7), Phase::Call));
    assert!((before..=monotonic_seconds()).contains(&board.phase_began(1)), "{}", board.phase_began(1));
    for untouched in [0, 2] {
        assert_eq!((board.limit(untouched), board.position(untouched)), (NO_LIMIT, 0));
        assert_eq!((board.item(untouched), board.phase(untouched)), (None, Phase::Idle));
    }
    board.reset(1);
    assert_eq!((board.limit(1), board.position(1)), (NO_LIMIT, 0));
    assert_eq!((board.item(1), board.phase(1), board.phase_began(1).to_bits()), (None, Phase::Idle, 0));
}

#[test]
fn a_board_has_its_size_for_good() {
    let _alone = alone();
    let board = Board::new(3).unwrap();
    assert_eq!((board.lanes(), LANE_BYTES), (3, 64));
    for size in [0, 64, 4096] {
        assert!(rustix::fs::ftruncate(board.fd(), size).is_err(), "resized to {size}");
    }
    assert!(catch_unwind(|| board.item(3)).is_err());
    assert_eq!(Board::new(0).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_board_that_was_scribbled_over_can_be_read() {
    let _alone = alone();
    let board = Board::new(1).unwrap();
    assert!(
        rustix::io::pwrite(board.fd(), &[0xff; LANE_BYTES], 0).is_err(),
        "written through the descriptor"
    );
    python(&board, "board[:64] = b'\\xff' * 64");
    assert_eq!(
        (board.item(0), board.phase(0), board.position(0)),
        (Some(u32::MAX - 1), Phase::Idle, u32::MAX)
    );
    assert_eq!(board.phase_began(0).to_bits(), 0, "not a number");
    assert_eq!(board.drain(0, &mut Vec::new()).unwrap(), 0, "produced and consumed agree");
    python(&board, "struct.pack_into('<QQ', board, 32, 1 << 40, 0)");
    assert!(board.drain(0, &mut Vec::new()).is_err(), "more than a ring holds");
}

#[test]
fn a_ring_hands_over_every_byte_once_and_in_order_also_around_its_end() {
    let _alone = alone();
    let board = Board::new(2).unwrap();
    let mut drained = Vec::new();
    let mut produced = 0;
    for chunk in [RING_BYTES, 1, RING_BYTES - 1, 40_000, 40_000, 40_000] {
        produced += chunk;
        python(
            &board,
            &format!(
                "start = 2 * 64 + {RING_BYTES}\n\
                 for at in range({}, {produced}): board[start + at % {RING_BYTES}] = at % 251\n\
                 struct.pack_into('<Q', board, 64 + 32, {produced})",
                produced - chunk
            ),
        );
        assert_eq!(board.drain(1, &mut drained).unwrap(), chunk);
        assert_eq!(board.drain(1, &mut drained).unwrap(), 0);
    }
    assert_eq!(drained.len(), produced);
    assert!((0..produced).all(|at| usize::from(drained[at]) == at % 251));
    assert_eq!(board.drain(0, &mut drained).unwrap(), 0, "another worker's ring");
    board.reset(1);
    assert_eq!(board.drain(1, &mut drained).unwrap(), 0);
}

/// Runs code that has the board mapped as `board`.
fn python(board: &Board, code: &str) {
    let fd = board.fd().try_clone_to_owned().unwrap();
    let number = fd.as_raw_fd().to_string();
    let code = format!("import mmap, struct, sys\nboard = mmap.mmap(int(sys.argv[1]), 0)\n{code}");
    let process = spawn(SpawnSpec { fds: vec![fd], ..command(&["python3", "-c", &code, &number]) }).unwrap();
    assert_eq!(end(process), Exit::Code(0));
}

const RECEIVER: &str = r#"
import mmap, socket, struct, sys
control = socket.socket(fileno=int(sys.argv[1]))
data, fds, flags, _ = socket.recv_fds(control, 100, 4)
assert data == b"board" and len(fds) == 1, (data, fds)
struct.pack_into("<I", mmap.mmap(fds[0], 0), 4, 77)
control.sendall(b"done")
"#;

#[test]
fn a_descriptor_sent_to_python_is_the_same_memory() {
    let _alone = alone();
    let board = Board::new(1).unwrap();
    let (ours, theirs) = socket_pair().unwrap();
    let number = theirs.as_raw_fd().to_string();
    let python =
        spawn(SpawnSpec { fds: vec![theirs], ..command(&["python3", "-c", RECEIVER, &number]) }).unwrap();
    assert_eq!(send_with_fd(ours.as_fd(), b"board", board.fd()).unwrap(), 5);
    let mut answer = String::new();
    UnixStream::from(ours).read_to_string(&mut answer).unwrap();
    assert_eq!((answer.as_str(), board.position(0)), ("done", 77));
    assert_eq!(end(python), Exit::Code(0));
}

#[test]
fn a_descriptor_that_cannot_be_sent_is_an_error() {
    let _alone = alone();
    let board = Board::new(1).unwrap();
    let (ours, theirs) = socket_pair().unwrap();
    assert_eq!(send_with_fd(ours.as_fd(), b"", board.fd()).unwrap_err().kind(), ErrorKind::InvalidInput);
    let ours = UnixStream::from(ours);
    ours.set_nonblocking(true).unwrap();
    while rustix::io::write(&ours, &[0; 4096]).is_ok() {}
    assert_eq!(send_with_fd(ours.as_fd(), b"x", board.fd()).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(theirs);
    assert_eq!(send_with_fd(ours.as_fd(), b"x", board.fd()).unwrap_err().kind(), ErrorKind::BrokenPipe);
}
