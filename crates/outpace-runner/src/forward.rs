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
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

/// How long nothing is accepted after it has failed: there may be no descriptors left.
const PAUSE: Duration = Duration::from_millis(50);

mod mysql;
mod postgres;
mod redis;
mod udp;

/// What is spoken behind an address, with names of databases as clients say them and as the server is to hear them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Renames {
    dialect: String,
    names: Vec<(String, String)>,
}

impl Renames {
    /// Splits a target into the address and what comes after it, all with NUL between.
    fn split(target: &str) -> (&str, Self) {
        let mut parts = target.split('\0');
        let address = parts.next().unwrap_or_default();
        let dialect = parts.next().unwrap_or_default().to_owned();
        let words: Vec<&str> = parts.collect();
        let names = words.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect();
        (address, Self { dialect, names })
    }

    fn get(&self, name: &[u8]) -> Option<&str> {
        self.names.iter().find(|(from, _)| from.as_bytes() == name).map(|(_, to)| to.as_str())
    }
}

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
    /// databases to be exchanged.
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
    if let Some(target) = target.strip_suffix(udp::SUFFIX) {
        return udp::serve(listener, target).await;
    }
    let (target, renames) = Renames::split(target);
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
    let _ = match renames.dialect.as_str() {
        "postgresql" => match postgres::introduce(&mut inside, &mut outside, &renames).await {
            Ok(()) => pass(inside, outside).await,
            broken => broken,
        },
        "mysql" => mysql::pass(inside, outside, &renames).await,
        "redis" => redis::pass(inside, outside, &renames).await,
        _ => pass(inside, outside).await,
    };
}

async fn join_abstract(inside: UnixStream, name: String) {
    let connected = UnixAddr::from_abstract_name(name).and_then(|name| StdUnixStream::connect_addr(&name));
    if let Ok(outside) = connected
        && outside.set_nonblocking(true).is_ok()
        && let Ok(outside) = UnixStream::from_std(outside)
    {
        let _ = pass(inside, outside).await;
    }
}

async fn pass(
    mut inside: impl AsyncRead + AsyncWrite + Unpin,
    mut outside: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<()> {
    // Whatever breaks one side ends both.
    copy_bidirectional(&mut inside, &mut outside).await.map(|_| ())
}

/// The server's side as it comes, beside a client's side that is looked at: ends with either's error, and when both
/// have said that this was all.
async fn beside(
    client: impl Future<Output = io::Result<()>>,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let server = async {
        tokio::io::copy(&mut from, &mut to).await?;
        to.shutdown().await
    };
    tokio::try_join!(client, server).map(|_| ())
}

#[cfg(test)]
mod tests;
