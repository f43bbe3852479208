//! What a service manager is told: that the server answers, and that it stops.
//!
//! Invariant: nothing depends on it. Without `NOTIFY_SOCKET` nobody is told, and a manager that does not listen stops no server.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable in which systemd names its socket.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// Tells that the server answers.
pub(super) fn ready(status: &str) {
    // One line is one message: what is told must not become two.
    let line: String = status.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    tell(&format!("READY=1\nSTATUS={line}"));
}

/// Tells that it stops because it was told to.
pub(super) fn stopping() {
    tell("STOPPING=1\nSTATUS=requests in flight are finished");
}

fn tell(message: &str) {
    let Some(name) = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()) else { return };
    if let Err(error) = send(&name, message) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

fn send(name: &OsStr, message: &str) -> io::Result<()> {
    let address = match name.as_bytes().split_first() {
        // An address that is no file.
        Some((b'@', rest)) => SocketAddr::from_abstract_name(rest)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(message.as_bytes(), &address).map(|_| ())
}
