//! Sockets that keep messages apart, with any descriptors that come along: what launchers, the server of warm runs and
//! its layers speak on.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create, open};
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect,
    listen, recvmsg, sendmsg, socket_with, socketpair,
};

/// The longest message; what is longer travels as a file in memory.
pub const MOST_BYTES: usize = 64 * 1024;
const MOST_FDS: usize = 16;

/// Two connected ends, closed on `exec`.
pub fn message_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

/// Listens on a new socket at `path`; it does not block.
pub fn listen_at(path: &Path) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    let (address, _folder) = address(path)?;
    bind(&socket, &address)?;
    listen(&socket, 64)?;
    Ok(socket)
}

/// Connects to the socket at `path`; refused where another user listens there.
pub fn connect_to(path: &Path) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    let (address, _folder) = address(path)?;
    connect(&socket, &address)?;
    same_user(socket)
}

/// The next connection, of this user only; it does not block.
pub fn accept_from(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    same_user(accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?)
}

/// Addresses are short: a socket whose path is not is found through its folder, which must stay open meanwhile.
fn address(path: &Path) -> io::Result<(SocketAddrUnix, Option<OwnedFd>)> {
    match (SocketAddrUnix::new(path), path.parent(), path.file_name()) {
        (Err(rustix::io::Errno::NAMETOOLONG), Some(folder), Some(name)) => {
            let folder = open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
            let through = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
            Ok((SocketAddrUnix::new(&through)?, Some(folder)))
        }
        (address, ..) => Ok((address?, None)),
    }
}

fn same_user(socket: OwnedFd) -> io::Result<OwnedFd> {
    if socket_peercred(&socket)?.uid == rustix::process::getuid() {
        Ok(socket)
    } else {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "another user is at the other end"))
    }
}

/// Sends one message with copies of `fds`. A peer that is gone gives an error, never `SIGPIPE`.
pub fn send_message(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("no room for so many descriptors"));
    }
    loop {
        match sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL) {
            Err(rustix::io::Errno::INTR) => {}
            sent => return Ok(sent.map(drop)?),
        }
    }
}

/// The next message and its descriptors, which are closed on `exec`; `None` at the end.
pub fn receive_message(socket: BorrowedFd<'_>) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; MOST_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    loop {
        match recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(message) => {
                let mut fds = Vec::new();
                for each in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(rights) = each {
                        fds.extend(rights);
                    }
                }
                if message.flags.contains(ReturnFlags::TRUNC) {
                    return Err(io::Error::other("a message that is too long"));
                }
                bytes.truncate(message.bytes);
                return Ok((message.bytes > 0).then_some((bytes, fds)));
            }
        }
    }
}

/// A file that is nowhere but in memory, closed on `exec`.
pub fn memory_file(name: &str) -> io::Result<OwnedFd> {
    Ok(memfd_create(name, MemfdFlags::CLOEXEC)?)
}

/// Makes reads and writes of this descriptor return at once.
pub fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd)?;
    Ok(rustix::fs::fcntl_setfl(fd.as_fd(), flags | rustix::fs::OFlags::NONBLOCK)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_one_by_one_with_their_descriptors_however_long_the_path_is() {
        let base = std::env::temp_dir().join(format!("outpace-messages-{}", std::process::id()));
        let folder = base.join("x".repeat(120));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("socket");
        let listener = listen_at(&path).expect("a listener");
        let client = connect_to(&path).expect("connected");
        let server = accept_from(listener.as_fd()).expect("accepted");
        let file = memory_file("test").expect("a file");
        send_message(client.as_fd(), b"one", &[file.as_fd(), file.as_fd()]).expect("sent");
        send_message(client.as_fd(), b"two", &[]).expect("sent");
        let (bytes, fds) = receive_message(server.as_fd()).expect("received").expect("a message");
        assert_eq!((bytes.as_slice(), fds.len()), (&b"one"[..], 2));
        let (bytes, fds) = receive_message(server.as_fd()).expect("received").expect("a message");
        assert_eq!((bytes.as_slice(), fds.len()), (&b"two"[..], 0));
        drop(client);
        assert!(receive_message(server.as_fd()).expect("the end").is_none());
        std::fs::remove_dir_all(&base).expect("removed");
    }
}
