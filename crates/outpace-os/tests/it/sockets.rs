//! Descriptors that travel with bytes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use outpace_os::{receive_with_fds, send_with_fd, socket_pair};

fn pair() -> (UnixStream, UnixStream) {
    let (one, other) = socket_pair().unwrap();
    (UnixStream::from(one), UnixStream::from(other))
}

/// The reading end of a pipe that holds these bytes.
fn pipe_with(bytes: &[u8]) -> OwnedFd {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(bytes).unwrap();
    OwnedFd::from(reader)
}

fn content(fd: OwnedFd) -> String {
    let mut text = String::new();
    File::from(fd).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn descriptors_arrive_in_their_order_with_the_bytes_they_came_with() {
    let (here, mut there) = pair();
    send_with_fd(here.as_fd(), b"one", pipe_with(b"1").as_fd()).unwrap();
    send_with_fd(here.as_fd(), b"two", pipe_with(b"2").as_fd()).unwrap();
    let (mut bytes, mut fds) = (Vec::new(), Vec::new());
    while bytes.len() < 6 {
        let mut buffer = [0; 64];
        let count = receive_with_fds(there.as_fd(), &mut buffer, &mut fds).unwrap();
        bytes.extend_from_slice(&buffer[..count]);
        assert!(fds.len() * 3 >= bytes.len(), "a descriptor comes no later than its bytes");
    }
    assert_eq!(bytes, b"onetwo");
    assert_eq!(fds.into_iter().map(content).collect::<Vec<_>>(), ["1", "2"]);
    drop(here);
    let count = receive_with_fds(there.as_fd(), &mut [0; 8], &mut Vec::new()).unwrap();
    assert_eq!((count, there.read(&mut [0]).unwrap()), (0, 0));
}

#[test]
fn nothing_to_read_is_said_so() {
    let (_here, there) = pair();
    there.set_nonblocking(true).unwrap();
    let error = receive_with_fds(there.as_fd(), &mut [0; 8], &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}
