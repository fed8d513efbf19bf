//! Which ports processes have, as `/proc` tells: a snapshot. A port that was had between two looks is not seen.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::ffi::OsStrExt;

use crate::signal::Pid;

/// How a socket has its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It listens there, or receives datagrams.
    Bound,
    /// It is, or was, connected to this port of this machine.
    Connected,
}

/// A socket of this machine, of whomever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortUse {
    /// Which socket; never the same for two that are open.
    pub inode: u64,
    /// Its own port, or the one that it is connected to.
    pub port: u16,
    /// How.
    pub holds: Holds,
}

/// Every socket with a port in the network that the process sees. Empty when `/proc` is not there.
pub fn ports_seen_by(pid: Pid) -> Vec<PortUse> {
    let mut found = Vec::new();
    for (name, is_tcp) in [("tcp", true), ("tcp6", true), ("udp", false), ("udp6", false)] {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
        found.extend(text.lines().skip(1).filter_map(|line| parse(line, is_tcp)));
    }
    found
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

/// `sl local rem st tx:rx tr:when retrnsmt uid timeout inode …`; a TCP socket's state 0A is listening, an unconnected UDP
/// socket's is 07, and both have one that is 06 (waiting) or 0 when nobody has it any more.
fn parse(line: &str, is_tcp: bool) -> Option<PortUse> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (_, own) = address(fields.next()?)?;
    let (remote, other) = address(fields.next()?)?;
    let state = fields.next()?;
    let inode = fields.nth(5)?.parse().ok().filter(|inode| *inode != 0)?;
    match state {
        "0A" if is_tcp => Some(PortUse { inode, port: own, holds: Holds::Bound }),
        "07" if !is_tcp => Some(PortUse { inode, port: own, holds: Holds::Bound }),
        _ if remote.is_loopback() && other != 0 => {
            Some(PortUse { inode, port: other, holds: Holds::Connected })
        }
        _ => None,
    }
}

/// Words of four bytes, each in the machine's order, and the port.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for start in (0..ip.len()).step_by(8) {
        bytes.extend(u32::from_str_radix(ip.get(start..start + 8)?, 16).ok()?.to_ne_bytes());
    }
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(four) => IpAddr::V4(Ipv4Addr::from(four)),
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?)).to_canonical(),
    };
    Some((ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_kernel_are_understood() {
        let listens = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0";
        assert_eq!(parse(listens, true), Some(PortUse { inode: 4711, port: 8080, holds: Holds::Bound }));
        let client = "   1: 0100007F:D431 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4 30 10 -1";
        assert_eq!(parse(client, true), Some(PortUse { inode: 4712, port: 8080, holds: Holds::Connected }));
        let waits = "   2: 0100007F:D431 0100007F:1F90 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0";
        assert_eq!(parse(waits, true), None);
        let six = "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4713 1 0 100 0 0 10 0";
        assert_eq!(parse(six, true), Some(PortUse { inode: 4713, port: 8080, holds: Holds::Bound }));
        let mapped = "   0: 0000000000000000FFFF00000100007F:D431 0000000000000000FFFF00000100007F:1F90 01 00000000:00000000 00:00000000 00000000 0 0 4714 1 0";
        assert_eq!(parse(mapped, true).map(|seen| seen.port), Some(8080));
        let far =
            "   3: 0100007F:D431 08080808:01BB 01 00000000:00000000 00:00000000 00000000  1000 0 4715 1 0";
        assert_eq!(parse(far, true), None);
    }

    #[test]
    fn a_socket_of_this_process_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = ports_seen_by(Pid::current());
        let bound = seen.iter().find(|seen| seen.port == port && seen.holds == Holds::Bound).unwrap();
        assert!(sockets_of(Pid::current()).contains(&bound.inode));
    }
}
