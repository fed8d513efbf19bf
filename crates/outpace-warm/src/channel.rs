//! One connection, as the server's loop sees it: a task reads it and hands messages on; what is written goes at once.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// A connected socket; copies are the same connection.
#[derive(Clone, Debug)]
pub(crate) struct Channel(Arc<UnixStream>);

impl Channel {
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        outpace_os::set_nonblocking(&socket)?;
        Ok(Self(Arc::new(UnixStream::from_std(StdStream::from(socket))?)))
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Nobody waits: a peer that does not read what it is sent is as good as gone.
    pub(crate) fn send(&self, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        outpace_os::send_message(self.fd(), &serde_json::to_vec(message)?, fds)
    }

    /// The next message; `None` at the end, or where it cannot be understood.
    pub(crate) async fn receive<M: DeserializeOwned>(&self) -> Option<(M, Vec<OwnedFd>)> {
        loop {
            self.0.readable().await.ok()?;
            match self.0.try_io(Interest::READABLE, || outpace_os::receive_message(self.fd())) {
                Ok(Some((bytes, fds))) => return Some((serde_json::from_slice(&bytes).ok()?, fds)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => return None,
            }
        }
    }
}
