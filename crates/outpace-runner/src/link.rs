//! The writing side of a connection: bytes are kept until the kernel takes them, and nobody waits.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;

use outpace_supervise::Peer;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{oneshot, watch};

use crate::reader::{Input, Reading, read_controller, read_peer};

/// One connection.
pub(crate) struct Link {
    peer: Option<Peer>,
    stream: Arc<UnixStream>,
    out: Vec<u8>,
    /// Descriptors to pass, each with the offset in `out` of the frame it belongs to.
    fds: VecDeque<(usize, OwnedFd)>,
    waiting: bool,
    broken: bool,
    finish: Option<oneshot::Sender<()>>,
    inputs: UnboundedSender<Input>,
}

impl Link {
    /// Takes over the controller's connected socket and starts reading it.
    pub(crate) fn to_controller(socket: OwnedFd, inputs: &UnboundedSender<Input>) -> io::Result<Self> {
        let link = Self::new(None, socket, inputs)?;
        tokio::spawn(read_controller(Arc::clone(&link.stream), inputs.clone()));
        Ok(link)
    }

    /// Takes over a template's or worker's connected socket and starts reading it, as long as there is `room`.
    pub(crate) fn to_peer(
        peer: Peer,
        socket: OwnedFd,
        room: watch::Receiver<bool>,
        inputs: &UnboundedSender<Input>,
    ) -> io::Result<Self> {
        let mut link = Self::new(Some(peer), socket, inputs)?;
        let (sender, finish) = oneshot::channel();
        link.finish = Some(sender);
        tokio::spawn(read_peer(peer, Arc::clone(&link.stream), Reading { finish, room }, inputs.clone()));
        Ok(link)
    }

    fn new(peer: Option<Peer>, socket: OwnedFd, inputs: &UnboundedSender<Input>) -> io::Result<Self> {
        let socket = StdStream::from(socket);
        socket.set_nonblocking(true)?;
        let stream = Arc::new(UnixStream::from_std(socket)?);
        Ok(Self {
            peer,
            stream,
            out: Vec::new(),
            fds: VecDeque::new(),
            waiting: false,
            broken: false,
            finish: None,
            inputs: inputs.clone(),
        })
    }

    /// The buffer to append frames to; they leave with the next `flush`.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// The next frame appended carries this descriptor.
    pub(crate) fn attach(&mut self, fd: OwnedFd) {
        self.fds.push_back((self.out.len(), fd));
    }

    /// Ends the reading task once it has read what is there.
    pub(crate) fn finish_reading(&mut self) {
        if let Some(finish) = self.finish.take() {
            let _ = finish.send(());
        }
    }

    /// Bytes that the kernel has not taken yet.
    pub(crate) fn backlog(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.out.is_empty() || self.broken
    }

    pub(crate) fn on_writable(&mut self) {
        self.waiting = false;
        self.flush();
    }

    /// Hands the kernel what it takes now; the rest follows when it can.
    pub(crate) fn flush(&mut self) {
        let mut sent = 0;
        while sent < self.out.len() && !self.waiting && !self.broken {
            match self.send_some(sent) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(),
                // The reading side tells of the end; what was to be said is lost with who was to hear it.
                Err(_) => self.broken = true,
            }
        }
        if self.broken {
            self.out.clear();
            self.fds.clear();
        } else if sent > 0 {
            self.out.drain(..sent);
            for (offset, _) in &mut self.fds {
                *offset -= sent;
            }
        }
    }

    fn send_some(&mut self, from: usize) -> io::Result<usize> {
        let stream = &self.stream;
        let carries = self.fds.front().is_some_and(|(offset, _)| *offset == from);
        let next = self.fds.iter().map(|(offset, _)| *offset).find(|offset| *offset > from);
        let bytes = &self.out[from..next.unwrap_or(self.out.len())];
        if !carries {
            return stream.try_write(bytes);
        }
        let Some((_, fd)) = self.fds.front() else { return Ok(0) };
        let count = stream
            .try_io(Interest::WRITABLE, || outpace_os::send_with_fd(stream.as_fd(), bytes, fd.as_fd()))?;
        self.fds.pop_front();
        Ok(count)
    }

    fn wait(&mut self) {
        self.waiting = true;
        let (peer, stream, inputs) = (self.peer, Arc::clone(&self.stream), self.inputs.clone());
        tokio::spawn(async move {
            let _ = stream.writable().await;
            let _ = inputs.send(Input::Writable(peer));
        });
    }
}
