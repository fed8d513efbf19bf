//! Which ports processes have: a snapshot. A port that was had between two looks is not seen.
//!
//! The kernel is asked for sockets that are bound and nothing else (`sock_diag`), which takes microseconds; where it does
//! not answer, `/proc` is read, which takes milliseconds.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use crate::signal::Pid;

const LISTENS: u32 = 1 << 10;
/// Of UDP: receives datagrams of whomever.
const UNCONNECTED: u32 = 1 << 7;
const HEAD: usize = 16;
const ROOM: usize = 32 * 1024;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// A socket of this machine that has a port, of whomever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Which socket; never the same for two that are open.
    pub inode: u64,
    /// Its port.
    pub port: u16,
}

/// Asks for ports.
#[derive(Debug)]
pub struct Ports {
    kernel: Option<OwnedFd>,
    room: Vec<u8>,
}

impl Ports {
    /// Of the network that this process is in.
    pub fn new() -> Self {
        let asked = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        );
        let mut room = vec![0; ROOM];
        let kernel = asked.ok().filter(|socket| {
            set_socket_timeout(socket, Timeout::Recv, Some(PATIENCE)).is_ok()
                && dump(socket, &mut room, (2, 6), LISTENS).is_some()
        });
        Self { kernel, room }
    }

    /// Whether a look costs next to nothing.
    pub fn is_cheap(&self) -> bool {
        self.kernel.is_some()
    }

    /// All TCP sockets that listen, all UDP sockets that have a port and no partner.
    pub fn bound(&mut self) -> Vec<Bound> {
        let Some(socket) = &self.kernel else { return from_proc() };
        let asked = [((2, 6), LISTENS), ((10, 6), LISTENS), ((2, 17), UNCONNECTED), ((10, 17), UNCONNECTED)];
        asked
            .into_iter()
            .flat_map(|(which, states)| dump(socket, &mut self.room, which, states).unwrap_or_default())
            .collect()
    }
}

impl Default for Ports {
    fn default() -> Self {
        Self::new()
    }
}

/// `which`: the family and the protocol, by number. None: there was no answer, or an error.
fn dump(socket: &OwnedFd, room: &mut [u8], (family, protocol): (u8, u8), states: u32) -> Option<Vec<Bound>> {
    // nlmsghdr: length, SOCK_DIAG_BY_FAMILY, REQUEST | DUMP, a number, to the kernel. inet_diag_req_v2 follows.
    let mut request = Vec::with_capacity(HEAD + 56);
    request.extend(72_u32.to_ne_bytes());
    request.extend(20_u16.to_ne_bytes());
    request.extend(0x301_u16.to_ne_bytes());
    request.extend([1_u32.to_ne_bytes(), [0; 4]].concat());
    request.extend([family, protocol, 0, 0]);
    request.extend(states.to_ne_bytes());
    request.resize(HEAD + 56, 0);
    send(socket, &request, SendFlags::empty()).ok()?;
    let mut found = Vec::new();
    loop {
        let length = match recv(socket, &mut *room, RecvFlags::empty()) {
            Ok((length, _)) => length,
            Err(Errno::INTR) => continue,
            Err(_) => return None,
        };
        let mut rest = room.get(..length)?;
        while !rest.is_empty() {
            let size = usize::try_from(u32::from_ne_bytes(part(rest, 0)?)).ok()?;
            match u16::from_ne_bytes(part(rest, 4)?) {
                2 => return None,
                3 => return Some(found),
                _ => found.extend(message(rest.get(HEAD..size)?)),
            }
            rest = rest.get(size.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

/// An `inet_diag_msg`: the own port is at 4, in the network's order, the inode at 68.
fn message(bytes: &[u8]) -> Option<Bound> {
    let inode = u64::from(u32::from_ne_bytes(part(bytes, 68)?));
    Some(Bound { inode, port: u16::from_be_bytes(part(bytes, 4)?) }).filter(|each| each.inode != 0)
}

fn part<const N: usize>(bytes: &[u8], from: usize) -> Option<[u8; N]> {
    bytes.get(from..from + N)?.try_into().ok()
}

fn from_proc() -> Vec<Bound> {
    let mut found = Vec::new();
    for (name, state) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")] {
        let text = fs::read_to_string(format!("/proc/self/net/{name}")).unwrap_or_default();
        found.extend(text.lines().skip(1).filter_map(|line| parse(line, state)));
    }
    found
}

/// `sl local remote state queues timer retransmits uid timeout inode …`
fn parse(line: &str, wanted: &str) -> Option<Bound> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (_, port) = fields.next()?.rsplit_once(':')?;
    let state = fields.nth(1)?;
    let inode = fields.nth(5)?.parse().ok().filter(|inode| *inode != 0)?;
    (state == wanted).then_some(Bound { inode, port: u16::from_str_radix(port, 16).ok()? })
}

/// The sockets that a process has open, by inode.
pub fn sockets_of(pid: Pid) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let links = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links
        .filter_map(|link| {
            let name = link.as_os_str().as_bytes().strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
            std::str::from_utf8(name).ok()?.parse().ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn lines_of_the_kernel_are_understood() {
        let listens = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0";
        assert_eq!(parse(listens, "0A"), Some(Bound { inode: 4711, port: 8080 }));
        assert_eq!(parse(listens, "07"), None);
        let waits = "   2: 0100007F:D431 0100007F:1F90 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0";
        assert_eq!(parse(waits, "06"), None);
    }

    #[test]
    fn both_ways_find_the_sockets_of_this_process_that_are_bound() {
        let four = TcpListener::bind("127.0.0.1:0").unwrap();
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(four.local_addr().unwrap()).unwrap();
        let own = sockets_of(Pid::current());
        for all in [Ports::new().bound(), from_proc()] {
            let port_of = |port| all.iter().find(|each| each.port == port && own.contains(&each.inode));
            assert!(port_of(four.local_addr().unwrap().port()).is_some());
            assert!(port_of(datagrams.local_addr().unwrap().port()).is_some());
            assert!(port_of(client.local_addr().unwrap().port()).is_none());
        }
    }
}
