//! Taking over the socket that a parent process left open.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, IntoRawFd};

use outpace_os::{inherited_socket, socket_pair};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

use crate::processes::alone;

#[test]
fn an_inherited_socket_is_taken_over_and_kept_from_children() {
    let _alone = alone();
    let (socket, _other) = socket_pair().unwrap();
    fcntl_setfd(&socket, FdFlags::empty()).unwrap();
    let number = socket.into_raw_fd();
    let taken = inherited_socket(number).unwrap();
    assert_eq!(taken.as_raw_fd(), number);
    assert_eq!(fcntl_getfd(&taken).unwrap(), FdFlags::CLOEXEC);
}

#[test]
fn what_is_no_inherited_socket_is_refused() {
    let _alone = alone();
    assert_eq!(inherited_socket(2).unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(inherited_socket(-1).unwrap_err().kind(), ErrorKind::InvalidInput);
    let file = File::open("/dev/null").unwrap();
    assert_eq!(inherited_socket(file.as_raw_fd()).unwrap_err().raw_os_error(), Some(libc::ENOTSOCK));
    assert!(inherited_socket(1_000_000).is_err(), "nothing is open there");
}
