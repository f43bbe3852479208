//! Finds out who has a port, from what Linux tells in /proc.
//!
//! Invariant: best effort. Other users' processes are hidden from us unless we are root; then it says so.

use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Who has a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Holder {
    /// A process that we may see.
    Process {
        /// Its id.
        pid: u32,
        /// Its name.
        name: String,
    },
    /// A process of this user, whose files we may not see.
    User(u32),
    /// Nobody that we could find.
    Unknown,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { pid, name } => write!(f, "process {pid} ({name})"),
            Self::User(uid) => write!(f, "a process of user {uid}, which only that user or root may look at"),
            Self::Unknown => f.write_str("another process"),
        }
    }
}

/// Looks for the process that listens on an address or on all addresses with its port.
pub fn holder_of(address: SocketAddr) -> Holder {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let sockets: Vec<Listening> = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|text| listening(&text))
        .filter(|socket| socket.port == address.port() && stands_in_the_way(socket.ip, address.ip()))
        .collect();
    if let Some((pid, name)) = sockets.iter().find_map(|socket| process_with(socket.inode)) {
        return Holder::Process { pid, name };
    }
    sockets.first().map_or(Holder::Unknown, |socket| Holder::User(socket.uid))
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Listening {
    ip: IpAddr,
    port: u16,
    uid: u32,
    inode: u64,
}

fn stands_in_the_way(theirs: IpAddr, ours: IpAddr) -> bool {
    theirs == ours || theirs.is_unspecified() || ours.is_unspecified()
}

/// Reads the table of TCP sockets: `sl local remote state queues timer retransmits uid timeout inode …`.
fn listening(table: &str) -> Vec<Listening> {
    table.lines().skip(1).filter_map(listening_line).collect()
}

fn listening_line(line: &str) -> Option<Listening> {
    let mut columns = line.split_whitespace();
    let (ip, port) = columns.nth(1)?.split_once(':')?;
    let state = columns.nth(1)?;
    let uid = columns.nth(3)?.parse().ok()?;
    let inode = columns.nth(1)?.parse().ok()?;
    // 0A is LISTEN.
    (state == "0A").then_some(())?;
    Some(Listening { ip: address_of(ip)?, port: u16::from_str_radix(port, 16).ok()?, uid, inode })
}

/// Reads an address, which Linux prints as 32-bit words in the machine's byte order.
fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for (part, at) in bytes.chunks_exact_mut(4).zip([0, 8, 16, 24]) {
                part.copy_from_slice(&word(at)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

fn process_with(inode: u64) -> Option<(u32, String)> {
    let wanted = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let has_it = files.flatten().any(|file| fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == wanted.as_str()));
        if has_it {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some((pid, name.trim().to_owned()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_sockets_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:D431 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0\n   \
                     1: 0100007F:D432 00000000:0000 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 100 0\n";
        let expected = Listening { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 54321, uid: 1000, inode: 4711 };
        assert_eq!(listening(table), [expected]);
        assert_eq!(address_of("00000000000000000000000001000000"), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    }

    #[test]
    fn our_own_port_is_ours() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let Holder::Process { pid, name } = holder_of(listener.local_addr().unwrap()) else { panic!("not found") };
        assert_eq!(pid, std::process::id());
        assert!(!name.is_empty());
    }
}
