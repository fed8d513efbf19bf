use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener as Listener, TcpStream as Stream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener, UnixStream};
use std::thread;

use outpace_model::WorkerIndex;
use outpace_supervise::Peer;

use super::Forwards;

const PEER: Peer = Peer::Worker(WorkerIndex(0));

/// Answers one connection with what it got, once the other side has said that this was all.
fn echo_once() -> String {
    let service = Listener::bind("127.0.0.1:0").unwrap();
    let address = service.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut stream, _) = service.accept().unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(&all).unwrap();
    });
    address
}

fn exposed(forwards: &mut Forwards, peer: Peer, target: &str) -> String {
    let listener = Listener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    forwards.add(peer, Some(OwnedFd::from(listener)), target);
    address
}

#[test]
fn all_bytes_pass_and_an_end_of_one_direction_is_not_that_of_the_other() {
    let mut forwards = Forwards::default();
    let address = exposed(&mut forwards, PEER, &echo_once());
    let mut stream = Stream::connect(address).unwrap();
    let sent: Vec<u8> = (0..5_000_000_u32).flat_map(u32::to_le_bytes).collect();
    stream.write_all(&sent).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    assert!(got == sent, "{} of {} bytes", got.len(), sent.len());
}

#[test]
fn a_service_that_is_not_there_resets() {
    let nobody = Listener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut forwards = Forwards::default();
    let address = exposed(&mut forwards, PEER, &nobody);
    let mut stream = Stream::connect(address).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn an_abstract_socket_is_reached() {
    let name = UnixAddr::from_abstract_name(format!("outpace-forward-{}", std::process::id())).unwrap();
    let service = UnixListener::bind_addr(&name).unwrap();
    let inside_name = UnixAddr::from_abstract_name(format!("outpace-inside-{}", std::process::id())).unwrap();
    let inside = UnixListener::bind_addr(&inside_name).unwrap();
    thread::spawn(move || service.accept().unwrap().0.write_all(b"here").unwrap());
    let mut forwards = Forwards::default();
    let target = format!("@outpace-forward-{}", std::process::id());
    forwards.add(PEER, Some(OwnedFd::from(inside)), &target);
    let mut got = String::new();
    UnixStream::connect_addr(&inside_name).unwrap().read_to_string(&mut got).unwrap();
    assert_eq!(got, "here");
}

#[test]
fn a_worker_that_is_gone_has_no_connection_left_and_the_others_keep_theirs() {
    let mut forwards = Forwards::default();
    let other = Peer::Worker(WorkerIndex(1));
    let (ended, kept) = (echo_once(), echo_once());
    let (ended, kept) = (exposed(&mut forwards, PEER, &ended), exposed(&mut forwards, other, &kept));
    let mut ended_stream = Stream::connect(&ended).unwrap();
    let mut kept_stream = Stream::connect(kept).unwrap();
    ended_stream.write_all(b"x").unwrap();
    kept_stream.write_all(b"x").unwrap();
    forwards.end(PEER);
    // Its end, or a reset: not the answer, for which it would have had to say that this was all.
    assert!(!matches!(ended_stream.read(&mut [0]), Ok(1)));
    while Stream::connect(&ended).is_ok() {
        thread::yield_now();
    }
    kept_stream.shutdown(Shutdown::Write).unwrap();
    let mut got = String::new();
    kept_stream.read_to_string(&mut got).unwrap();
    assert_eq!(got, "x");
}

#[test]
fn datagrams_find_their_way_back() {
    let service = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = format!("{}/udp", service.local_addr().unwrap());
    thread::spawn(move || {
        let mut datagram = [0; 100];
        while let Ok((length, from)) = service.recv_from(&mut datagram) {
            service.send_to(&datagram[..length], from).unwrap();
        }
    });
    let inside = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = inside.local_addr().unwrap();
    let mut forwards = Forwards::default();
    forwards.add(PEER, Some(OwnedFd::from(inside)), &target);
    let clients: Vec<UdpSocket> = (0..300).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    for (number, client) in clients.iter().chain([&clients[0]]).enumerate() {
        client.connect(address).unwrap();
        client.send(number.to_string().as_bytes()).unwrap();
        let mut answer = [0; 100];
        let length = client.recv(&mut answer).unwrap();
        assert_eq!(&answer[..length], number.to_string().as_bytes());
    }
}

#[test]
fn what_is_no_address_closes_the_listener() {
    let mut forwards = Forwards::default();
    let address = exposed(&mut forwards, PEER, "nonsense");
    while Stream::connect(&address).is_ok() {
        thread::yield_now();
    }
}
