//! Where connections come in: sockets, TLS, HTTP/1.1 and HTTP/2, and the limits that hold before a request is one.
//!
//! Invariant: a connection lives only inside the tracker here, so that a stop can wait for all of them, and end them.

mod accept;
mod connection;
mod holder;
mod pace;
mod tls;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, UnixListener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::acme::Certificates;
use crate::config::{Limits, Tls};
use crate::middleware::Pipeline;

pub use holder::{Holder, holder_of};
pub use tls::TlsError;

use tls::Greeting;

/// How often a port is looked for that is free on all addresses.
const FREE_PORT_TRIES: u32 = 16;
/// How many connections may wait to be taken; the system allows fewer where `net.core.somaxconn` says so.
const WAITING_MAX: u32 = 1024;

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The port is somebody else's.
    #[error("{address} is taken by {holder} (address_in_use); choose another with --listen, or stop it")]
    Taken {
        /// The address that was wanted.
        address: SocketAddr,
        /// Who has it.
        holder: Holder,
    },
    /// Something else is wrong with the address.
    #[error("cannot listen on {address} (address_unusable): {source}")]
    Unusable {
        /// The address that was wanted.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// None of the addresses exists on this machine.
    #[error("none of the addresses to listen on exists on this machine (address_unusable)")]
    None,
}

/// Sockets that are bound and do not answer yet.
#[derive(Debug, Default)]
pub struct Bound {
    listeners: Vec<TcpListener>,
    unix: Option<UnixListener>,
    /// What they are bound to, port 0 resolved.
    pub addresses: Vec<SocketAddr>,
}

/// Binds all addresses. An IPv6 loopback that the machine does not have is only noted, as long as another address is bound.
///
/// Where two addresses ask for port 0, both get the same free port.
pub fn bind(wanted: &[SocketAddr]) -> Result<Bound, ListenError> {
    let mut tries = FREE_PORT_TRIES;
    loop {
        tries -= 1;
        match bind_once(wanted) {
            // The port that was free on the first address is somebody's on the next one: another one is as good.
            Err(ListenError::Taken { address, .. }) if tries > 0 && !wanted.contains(&address) => {}
            outcome => return outcome,
        }
    }
}

fn bind_once(wanted: &[SocketAddr]) -> Result<Bound, ListenError> {
    let mut bound = Bound::default();
    let mut free_port = 0;
    for address in wanted {
        let mut address = *address;
        if address.port() == 0 {
            address.set_port(free_port);
        }
        match listen(address, has_ipv4_beside(address, wanted)) {
            Ok(listener) => {
                let actual = listener.local_addr().map_err(|source| ListenError::Unusable { address, source })?;
                free_port = actual.port();
                bound.addresses.push(actual);
                bound.listeners.push(listener);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                return Err(ListenError::Taken { address, holder: holder_of(address) });
            }
            Err(error) if is_missing_ipv6_loopback(address, &error) => {
                tracing::info!(%address, "this machine has no IPv6 loopback; not listening there");
            }
            Err(source) => return Err(ListenError::Unusable { address, source }),
        }
    }
    if bound.listeners.is_empty() { Err(ListenError::None) } else { Ok(bound) }
}

/// Tells whether every IPv4 address is wanted beside every IPv6 one, at the same port. `[::]` alone takes IPv4, too, and would then meet it.
fn has_ipv4_beside(address: SocketAddr, wanted: &[SocketAddr]) -> bool {
    let everything = |other: &&SocketAddr| other.is_ipv4() && other.ip().is_unspecified();
    address.is_ipv6()
        && address.ip().is_unspecified()
        && wanted.iter().filter(everything).any(|other| other.port() == 0 || other.port() == address.port())
}

fn listen(address: SocketAddr, only_ipv6: bool) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that starts again takes the port that its connections of before still close.
    socket.set_reuseaddr(true)?;
    if only_ipv6 {
        SockRef::from(&socket).set_only_v6(true)?;
    }
    socket.bind(address)?;
    socket.listen(WAITING_MAX)
}

/// Binds a socket in the file system; one that nobody listens to any more is replaced.
pub(crate) fn bind_unix(path: &Path, mode: u32) -> std::io::Result<Bound> {
    if path.try_exists()? && std::os::unix::net::UnixStream::connect(path).is_err() {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(Bound { unix: Some(listener), ..Bound::default() })
}

fn is_missing_ipv6_loopback(address: SocketAddr, error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{AddrNotAvailable, Unsupported};
    // EAFNOSUPPORT has no kind of its own.
    let no_family = error.raw_os_error() == Some(nix::libc::EAFNOSUPPORT);
    address.is_ipv6() && address.ip().is_loopback() && (matches!(error.kind(), AddrNotAvailable | Unsupported) || no_family)
}

/// What is shared by all connections.
#[derive(Debug)]
pub(crate) struct Shared {
    pipeline: Arc<Pipeline>,
    limits: Limits,
    tls: Option<Greeting>,
    /// No new requests; those in flight end in order.
    stop: CancellationToken,
    /// The end, also for what is in flight.
    kill: CancellationToken,
    slots: Arc<Semaphore>,
}

/// The running edge.
#[derive(Debug)]
pub(crate) struct Edge {
    shared: Arc<Shared>,
    tasks: TaskTracker,
}

impl Edge {
    /// Begins to answer.
    pub(crate) fn open(
        bound: Bound,
        pipeline: Arc<Pipeline>,
        limits: Limits,
        (tls, ordered): (&Tls, Option<Arc<Certificates>>),
    ) -> Result<Self, TlsError> {
        let slots = Arc::new(Semaphore::new(limits.connections_max));
        let tls = Greeting::of(tls, ordered)?;
        let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
        let tasks = TaskTracker::new();
        if let Some(Greeting::Files(files)) = &tls {
            tasks.spawn(Arc::clone(files).follow(stop.clone()));
        }
        let shared = Arc::new(Shared { pipeline, limits, tls, stop, kill, slots });
        if let Some(listener) = bound.unix {
            tasks.spawn(accept::run(listener, Arc::clone(&shared), tasks.clone()));
        }
        for listener in bound.listeners {
            tasks.spawn(accept::run(listener, Arc::clone(&shared), tasks.clone()));
        }
        Ok(Self { shared, tasks })
    }

    /// Stops: takes no new connection, lets requests in flight finish within the grace, then ends the rest. Returns whether all
    /// finished by themselves.
    pub(crate) async fn close(self, grace: Duration) -> bool {
        self.shared.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_ok() {
            return true;
        }
        self.shared.kill.cancel();
        self.tasks.wait().await;
        false
    }
}
