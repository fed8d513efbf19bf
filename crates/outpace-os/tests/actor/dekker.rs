//! A worker that claims grants as fast as it can, by the protocol of `fence.rs`, with plain stores and loads.

use std::io::{Read, Write};
use std::os::fd::{BorrowedFd, FromRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering, compiler_fence};

use rustix::mm::{MapFlags, ProtFlags, mmap};

/// Claims grants 0, 1, 2 … of lane 0 until the coordinator hangs up. At a claim at or above the limit it asks
/// (`?` and the grant), is answered (`!`), reads the limit again, and says what came of it: the grant is its
/// own (`o`), or given up (`g`), in which case it goes on with the next when told (`n`).
pub(crate) fn claim_grants(board: RawFd, socket: RawFd, register: bool) {
    if register {
        use rustix::thread::{MembarrierCommand, membarrier};
        membarrier(MembarrierCommand::RegisterGlobalExpedited).unwrap();
    }
    // SAFETY: this process was started with these descriptors open, for this function.
    let (board, mut socket) = unsafe { (BorrowedFd::borrow_raw(board), UnixStream::from_raw_fd(socket)) };
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping; lane 0 begins with the limit and the position, and lives until the process ends.
    let words = unsafe {
        let lane = mmap(ptr::null_mut(), 64, access, MapFlags::SHARED, board, 0).unwrap();
        std::slice::from_raw_parts(lane.cast::<AtomicU32>(), 2)
    };
    let (limit, position) = (|| u32::from_le(words[0].load(Ordering::Relaxed)), &words[1]);
    for grant in 0.. {
        position.store((grant + 1_u32).to_le(), Ordering::Relaxed);
        // As for a worker in Python: the compiler keeps the order, the processor need not.
        compiler_fence(Ordering::SeqCst);
        if limit() > grant {
            continue;
        }
        let Ok(()) = tell(&mut socket, b'?', grant) else { return };
        let Ok(()) = expect(&mut socket, b'!') else { return };
        if limit() > grant {
            let Ok(()) = tell(&mut socket, b'o', grant) else { return };
            continue;
        }
        position.store(limit().to_le(), Ordering::Relaxed);
        let Ok(()) = tell(&mut socket, b'g', grant) else { return };
        let Ok(()) = expect(&mut socket, b'n') else { return };
    }
}

fn tell(socket: &mut UnixStream, what: u8, grant: u32) -> std::io::Result<()> {
    let grant = grant.to_le_bytes();
    socket.write_all(&[what, grant[0], grant[1], grant[2], grant[3]])
}

fn expect(socket: &mut UnixStream, what: u8) -> std::io::Result<()> {
    let mut byte = [0];
    socket.read_exact(&mut byte)?;
    assert_eq!(byte, [what]);
    Ok(())
}
