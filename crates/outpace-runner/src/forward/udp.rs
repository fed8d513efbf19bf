//! Datagrams to a service outside, and its answers.
//!
//! Each address that something inside sends from has a socket of its own outside, by which answers find their way back.
//! As with all datagrams nothing says when a conversation is over: the longest idle one goes when there are too many.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

/// After an address in a target.
pub(super) const SUFFIX: &str = "/udp";
/// The longest datagram that there is.
const LONGEST: usize = 65_535;
/// Addresses inside, at a time.
const MOST: usize = 256;

struct Conversation {
    inside: SocketAddr,
    outside: Arc<UdpSocket>,
    answers: tokio::task::AbortHandle,
}

/// For ever. Dropping this ends all conversations.
pub(super) async fn serve(listener: OwnedFd, target: &str) -> io::Result<()> {
    let target: SocketAddr = target.parse().map_err(io::Error::other)?;
    let inside = std::net::UdpSocket::from(listener);
    inside.set_nonblocking(true)?;
    let inside = Arc::new(UdpSocket::from_std(inside)?);
    let mut answering = JoinSet::new();
    // The latest last.
    let mut conversations: Vec<Conversation> = Vec::new();
    let mut datagram = vec![0; LONGEST];
    loop {
        // What went to somebody who is gone comes back as an error: it is no reason to stop.
        let Ok((length, from)) = inside.recv_from(&mut datagram).await else { continue };
        let known = conversations.iter().position(|each| each.inside == from);
        let conversation = match known {
            Some(place) => conversations.remove(place),
            None => match connected(target).await {
                Ok(outside) => {
                    let outside = Arc::new(outside);
                    let answers = answering.spawn(answer(Arc::clone(&outside), Arc::clone(&inside), from));
                    Conversation { inside: from, outside, answers }
                }
                Err(_) => continue,
            },
        };
        let _ = conversation.outside.send(&datagram[..length]).await;
        conversations.push(conversation);
        if conversations.len() > MOST {
            conversations.remove(0).answers.abort();
        }
        while answering.try_join_next().is_some() {}
    }
}

async fn connected(target: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr =
        if target.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let outside = UdpSocket::bind(any).await?;
    outside.connect(target).await?;
    Ok(outside)
}

async fn answer(outside: Arc<UdpSocket>, inside: Arc<UdpSocket>, to: SocketAddr) {
    let mut datagram = vec![0; LONGEST];
    loop {
        // Nobody is there, as it seems; there may be later.
        let Ok(length) = outside.recv(&mut datagram).await else { continue };
        let _ = inside.send_to(&datagram[..length], to).await;
    }
}
