//! A socket that the parent process left open for us.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::sockopt::socket_peercred;

/// Takes over an inherited descriptor, once: it must be a unix socket whose other end belongs to the same
/// user. It is not passed on to children.
pub fn inherited_socket(number: RawFd) -> io::Result<OwnedFd> {
    if number <= 2 {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: the descriptor is only borrowed to ask what it is; an invalid one makes the calls fail with
    // EBADF.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let peer = socket_peercred(borrowed)?;
    if peer.uid != rustix::process::getuid() {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    // SAFETY: it is open (the calls above succeeded), and this process was started to own it: nothing else in
    // it knows the number.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Leaves the terminal's foreground group: what is typed there is for the process that started us.
pub fn lead_own_group() -> io::Result<()> {
    Ok(rustix::process::setpgid(None, None)?)
}

/// Whose process this is.
pub fn user_id() -> u32 {
    rustix::process::getuid().as_raw()
}
