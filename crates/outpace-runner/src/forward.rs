//! Services outside a worker's sandbox, reachable inside it at their usual address.
//!
//! A worker opens a listener in its own network and hands it over. A socket belongs to the network that it was made in,
//! whoever holds it: what is accepted from the listener comes from inside, and the connection made for it here goes
//! outside. Bytes pass both ways through buffers of a fixed size; an end of one direction is passed on as such.
//!
//! In a thread of its own, which is there once something is exposed: neither does a busy service delay the run, nor
//! the run the service.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{
    SocketAddr as UnixAddr, UnixListener as StdUnixListener, UnixStream as StdUnixStream,
};
use std::time::Duration;

use outpace_supervise::Peer;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

/// How long nothing is accepted after it has failed: there may be no descriptors left.
const PAUSE: Duration = Duration::from_millis(50);

mod postgres;

use postgres::Renames;

enum Order {
    Add(Peer, OwnedFd, String),
    End(Peer),
}

/// The services that workers reach; nothing until the first is added.
#[derive(Default)]
pub(crate) struct Forwards {
    orders: Option<UnboundedSender<Order>>,
}

impl Forwards {
    /// What comes to the listener is connected to `target` from now on. Behind the address there may be names of
    /// `PostgreSQL` databases to be exchanged.
    pub(crate) fn add(&mut self, peer: Peer, listener: Option<OwnedFd>, target: &str) {
        let Some(listener) = listener else { return };
        let orders = self.orders.get_or_insert_with(start);
        let _ = orders.send(Order::Add(peer, listener, target.to_owned()));
    }

    /// The worker is gone: its listeners and connections keep its network alive no longer.
    pub(crate) fn end(&self, peer: Peer) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(Order::End(peer));
        }
    }
}

fn start() -> UnboundedSender<Order> {
    let (sender, receiver) = mpsc::unbounded_channel();
    // Without a thread, or what it needs, the listeners are closed: connections are then refused.
    let _ = std::thread::Builder::new().name("forward".to_owned()).spawn(move || {
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
            runtime.block_on(obey(receiver));
        }
    });
    sender
}

async fn obey(mut orders: UnboundedReceiver<Order>) {
    let mut services: Vec<(Peer, JoinSet<()>)> = Vec::new();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Add(peer, listener, target) => {
                let mut service = JoinSet::new();
                service.spawn(async move {
                    let _ = serve(listener, &target).await;
                });
                services.push((peer, service));
            }
            // To drop a set ends what is in it.
            Order::End(gone) => services.retain(|(peer, _)| *peer != gone),
        }
    }
}

/// Accepts for ever. Dropping this ends the connections too.
async fn serve(listener: OwnedFd, target: &str) -> io::Result<()> {
    let mut connections = JoinSet::new();
    if let Some(name) = target.strip_prefix('@') {
        let listener = StdUnixListener::from(listener);
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        loop {
            match listener.accept().await {
                Ok((inside, _)) => drop(connections.spawn(join_abstract(inside, name.to_owned()))),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
            while connections.try_join_next().is_some() {}
        }
    }
    let (target, renames) = postgres::split(target);
    let address: SocketAddr = target.parse().map_err(io::Error::other)?;
    let listener = std::net::TcpListener::from(listener);
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    loop {
        match listener.accept().await {
            Ok((inside, _)) => drop(connections.spawn(join(inside, address, renames.clone()))),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn join(mut inside: TcpStream, address: SocketAddr, renames: Renames) {
    let Ok(mut outside) = TcpStream::connect(address).await else {
        // A reset is the nearest to the refusal that it met.
        let _ = inside.set_zero_linger();
        return;
    };
    // Questions and answers pass at once, as they would without us.
    let _ = (inside.set_nodelay(true), outside.set_nodelay(true));
    if renames.is_empty() || postgres::introduce(&mut inside, &mut outside, &renames).await.is_ok() {
        pass(inside, outside).await;
    }
}

async fn join_abstract(inside: UnixStream, name: String) {
    let connected = UnixAddr::from_abstract_name(name).and_then(|name| StdUnixStream::connect_addr(&name));
    if let Ok(outside) = connected
        && outside.set_nonblocking(true).is_ok()
        && let Ok(outside) = UnixStream::from_std(outside)
    {
        pass(inside, outside).await;
    }
}

async fn pass(
    mut inside: impl AsyncRead + AsyncWrite + Unpin,
    mut outside: impl AsyncRead + AsyncWrite + Unpin,
) {
    // Whatever breaks one side ends both.
    let _ = copy_bidirectional(&mut inside, &mut outside).await;
}

#[cfg(test)]
mod tests;
