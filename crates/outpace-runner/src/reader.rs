//! One task per connection: bytes in, messages out, in order, then the end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use outpace_protocol::{Decoder, Frame, FromController, FromWorker, ProtocolError, Why};
use outpace_supervise::{Found, Peer, Recollection};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{oneshot, watch};

const CHUNK: usize = 256 * 1024;

/// What a connection brought.
pub(crate) enum Input {
    FromController(Vec<FromController>),
    /// Messages, and the descriptors that came with them, in their order.
    FromPeer(Peer, Vec<FromWorker>, Vec<OwnedFd>),
    ControllerClosed(Option<String>),
    PeerClosed(Peer, Option<String>),
    /// Somebody was looked at closely.
    Looked(Peer, Why, Found),
    /// The history was read.
    Recalled(Result<Recollection, String>),
    /// The connection takes bytes again.
    Writable(Option<Peer>),
}

/// Reads the controller's connection to its end.
pub(crate) async fn read_controller(stream: Arc<UnixStream>, to: UnboundedSender<Input>) {
    let decode = |frame: Frame| FromController::decode(&frame);
    let fault =
        read(&stream, None, decode, |messages, _| to.send(Input::FromController(messages)).is_ok()).await;
    let _ = to.send(Input::ControllerClosed(fault));
}

/// When a template's or worker's connection is to be read.
pub(crate) struct Reading {
    /// To its end, whatever else is said, with what has arrived.
    pub(crate) finish: oneshot::Receiver<()>,
    /// Whether there is room for what it may say. The kernel holds it back meanwhile, and then the worker waits.
    pub(crate) room: watch::Receiver<bool>,
}

/// Reads a template's or worker's connection to its end.
pub(crate) async fn read_peer(
    peer: Peer,
    stream: Arc<UnixStream>,
    when: Reading,
    to: UnboundedSender<Input>,
) {
    let fault = read(&stream, Some(when), FromWorker::decode, |messages, fds| {
        to.send(Input::FromPeer(peer, messages, fds)).is_ok()
    })
    .await;
    let _ = to.send(Input::PeerClosed(peer, fault));
}

async fn read<M>(
    stream: &UnixStream,
    mut when: Option<Reading>,
    decode: impl Fn(Frame) -> Result<M, ProtocolError>,
    mut deliver: impl FnMut(Vec<M>, Vec<OwnedFd>) -> bool,
) -> Option<String> {
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; CHUNK];
    let mut finishing = false;
    let mut fds = Vec::new();
    loop {
        if let Some(Reading { finish, room }) = when.as_mut().filter(|_| !finishing) {
            tokio::select! {
                biased;
                _ = room.wait_for(|is_there| *is_there) => {}
                _ = finish => { finishing = true }
            }
        }
        let receive = || outpace_os::receive_with_fds(stream.as_fd(), &mut buffer, &mut fds);
        match stream.try_io(Interest::READABLE, receive) {
            // A process that dies in the middle of a frame is not worth a word: its death is told anyway.
            Ok(0) => return None,
            Ok(count) => {
                decoder.feed(&buffer[..count]);
                let mut messages = Vec::new();
                let fault = drain(&mut decoder, &decode, &mut messages);
                if !messages.is_empty() && !deliver(messages, std::mem::take(&mut fds)) {
                    return None;
                }
                if let Err(error) = fault {
                    return Some(format!("sent bytes that are not outpace's protocol: {error}"));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if finishing {
                    return None;
                }
                if let Some(Reading { finish, .. }) = &mut when {
                    tokio::select! {
                        ready = stream.readable() => { if ready.is_err() { return None } }
                        _ = finish => { finishing = true }
                    }
                } else if stream.readable().await.is_err() {
                    return None;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
            Err(error) => return Some(format!("could not be read: {error}")),
        }
    }
}

fn drain<M>(
    decoder: &mut Decoder,
    decode: impl Fn(Frame) -> Result<M, ProtocolError>,
    messages: &mut Vec<M>,
) -> Result<(), ProtocolError> {
    while let Some(frame) = decoder.next_frame()? {
        messages.push(decode(frame)?);
    }
    Ok(())
}
