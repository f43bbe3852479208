//! Makes connections: the hosts of the configuration in turn, over a socket or the network, with TLS where it is wanted.
//!
//! Invariant: where TLS is required nothing is said before it stands, and it stands only with a certificate that was verified.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use rand::seq::SliceRandom as _;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, LoadBalanceHosts, SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_rustls::TlsConnector;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;

use super::connection::Connection;
use super::fault::Fault;
use super::startup::Session;
use super::stream::Stream;

/// PostgreSQL's own port.
const PORT: u16 = 5432;
/// How long a request to cancel may take.
const CANCEL: Duration = Duration::from_secs(5);

/// Makes connections to one server.
#[derive(Debug)]
pub(crate) struct Dialer {
    config: Arc<Config>,
    tls: Option<Arc<ClientConfig>>,
    statements_max: Option<NonZeroUsize>,
}

/// One place where PostgreSQL listens, and how to get there again.
#[derive(Clone, Debug)]
pub(super) struct Address {
    config: Arc<Config>,
    tls: Option<Arc<ClientConfig>>,
    place: Place,
    /// What the certificate must name.
    name: Option<String>,
}

#[derive(Clone, Debug)]
enum Place {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl Dialer {
    /// Keeps so many statements prepared on each connection; none behind a pooler.
    pub(crate) fn new(config: Config, tls: Option<Arc<ClientConfig>>, statements_max: Option<NonZeroUsize>) -> Self {
        Self { config: Arc::new(config), tls, statements_max }
    }

    /// Makes a connection.
    pub(crate) async fn connect(&self) -> Result<Connection, Fault> {
        let (session, address) = self.session(false).await?;
        Ok(Connection::new(session, address, self.statements_max))
    }

    /// Makes a connection whose start is over; one for PostgreSQL's log speaks of nothing else.
    pub(super) async fn session(&self, for_the_log: bool) -> Result<(Session, Address), Fault> {
        let mut last = Fault::Broken(io::Error::other("no host is configured"));
        for (host, name, port) in self.hosts()? {
            let places = match places(host, port, self.config.get_load_balance_hosts()).await {
                Ok(places) => places,
                Err(cause) => {
                    last = Fault::Broken(cause);
                    continue;
                }
            };
            for place in places {
                let address = Address { config: Arc::clone(&self.config), tls: self.tls.clone(), place, name: name.clone() };
                match address.start(for_the_log).await {
                    Ok(session) => return Ok((session, address)),
                    Err(fault) => last = fault,
                }
            }
        }
        Err(last)
    }

    /// Returns the hosts in the order in which they are tried, each with the name in its certificate.
    fn hosts(&self) -> io::Result<Vec<(Host, Option<String>, u16)>> {
        let (hosts, addresses, ports) = (self.config.get_hosts(), self.config.get_hostaddrs(), self.config.get_ports());
        let count = hosts.len().max(addresses.len());
        let fits = |length: usize| length == 0 || length == count;
        if !fits(hosts.len()) || !fits(addresses.len()) || !(ports.len() < 2 || ports.len() == count) {
            return Err(io::Error::other("hosts, addresses and ports are not equally many"));
        }
        let mut found: Vec<_> = (0..count)
            .filter_map(|index| {
                let host = hosts.get(index);
                let name = match host {
                    Some(Host::Tcp(name)) => Some(name.clone()),
                    _ => None,
                };
                let address = addresses.get(index).map(|address: &IpAddr| Host::Tcp(address.to_string()));
                let port = ports.get(index).or_else(|| ports.first()).copied().unwrap_or(PORT);
                Some((address.or_else(|| host.cloned())?, name, port))
            })
            .collect();
        if self.config.get_load_balance_hosts() == LoadBalanceHosts::Random {
            found.shuffle(&mut rand::rng());
        }
        Ok(found)
    }
}

impl Address {
    /// Tells PostgreSQL to give up what the connection with that key does. Returned, it has been told.
    pub(super) async fn cancel(&self, (process_id, secret): (i32, i32)) -> io::Result<()> {
        let told = async {
            let (mut stream, _) = self.open().await?;
            let mut out = BytesMut::new();
            frontend::cancel_request(process_id, secret, &mut out);
            stream.write_all(&out).await?;
            stream.flush().await?;
            // It closes the connection when the signal is on its way.
            let mut nothing = BytesMut::new();
            while stream.read_buf(&mut nothing).await? > 0 {}
            Ok(())
        };
        tokio::time::timeout(CANCEL, told).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn start(&self, for_the_log: bool) -> Result<Session, Fault> {
        let (stream, fingerprint) = self.open().await?;
        let session = Session::start(stream, &self.config, fingerprint, for_the_log).await?;
        let says_on = |name| session.parameter(name) == Some("on");
        let is_read_only = says_on("in_hot_standby") || says_on("default_transaction_read_only");
        match self.config.get_target_session_attrs() {
            TargetSessionAttrs::ReadWrite if is_read_only => Err(not_wanted("the server does not allow writes")),
            TargetSessionAttrs::ReadOnly if !is_read_only => Err(not_wanted("the server is not read-only")),
            _ => Ok(session),
        }
    }

    /// Opens the way, and returns what binds a password to the certificate at its end.
    async fn open(&self) -> io::Result<(Stream, Option<Vec<u8>>)> {
        let opening = async {
            match &self.place {
                Place::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
                Place::Tcp(address) => self.tcp(*address).await.map(Stream::Tcp),
            }
        };
        let stream = match self.config.get_connect_timeout() {
            Some(limit) => tokio::time::timeout(*limit, opening).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?,
            None => opening.await?,
        };
        match (stream, &self.tls) {
            (Stream::Tcp(stream), Some(tls)) => self.encrypt(stream, tls).await,
            // There is no TLS over a socket of the machine, as everywhere.
            (stream, _) if self.config.get_ssl_mode() == SslMode::Require && !matches!(stream, Stream::Unix(_)) => {
                drop(stream);
                Err(io::Error::other("TLS is required, and there is none"))
            }
            (stream, _) => Ok((stream, None)),
        }
    }

    async fn tcp(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        if let Some(limit) = self.config.get_tcp_user_timeout() {
            socket.set_tcp_user_timeout(Some(*limit))?;
        }
        if self.config.get_keepalives() {
            let mut keepalive = TcpKeepalive::new().with_time(self.config.get_keepalives_idle());
            if let Some(interval) = self.config.get_keepalives_interval() {
                keepalive = keepalive.with_interval(interval);
            }
            if let Some(retries) = self.config.get_keepalives_retries() {
                keepalive = keepalive.with_retries(retries);
            }
            socket.set_tcp_keepalive(&keepalive)?;
        }
        Ok(stream)
    }

    async fn encrypt(&self, mut stream: TcpStream, tls: &Arc<ClientConfig>) -> io::Result<(Stream, Option<Vec<u8>>)> {
        if self.config.get_ssl_negotiation() == SslNegotiation::Postgres {
            let mut out = BytesMut::new();
            frontend::ssl_request(&mut out);
            stream.write_all(&out).await?;
            if stream.read_u8().await? != b'S' {
                return match self.config.get_ssl_mode() {
                    SslMode::Require => Err(io::Error::new(io::ErrorKind::ConnectionRefused, "the server has no TLS")),
                    _ => Ok((Stream::Tcp(stream), None)),
                };
            }
        }
        let name = self.name.clone().ok_or_else(|| io::Error::other("TLS needs a host name"))?;
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?;
        let fingerprint = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).and_then(|certificate| fingerprint(certificate));
        Ok((Stream::Tls(Box::new(stream)), fingerprint))
    }
}

async fn places(host: Host, port: u16, balance: LoadBalanceHosts) -> io::Result<Vec<Place>> {
    match host {
        Host::Unix(folder) => Ok(vec![Place::Unix(folder.join(format!(".s.PGSQL.{port}")))]),
        Host::Tcp(name) => {
            let mut found: Vec<_> = lookup_host((name.as_str(), port)).await?.map(Place::Tcp).collect();
            if balance == LoadBalanceHosts::Random {
                found.shuffle(&mut rand::rng());
            }
            Ok(found)
        }
    }
}

/// The hash of a certificate that its signature uses, as `tls-server-end-point` wants it; SHA-256 where that is older.
fn fingerprint(certificate: &[u8]) -> Option<Vec<u8>> {
    const SHA_1_OR_256: [&str; 4] = ["1.2.840.113549.1.1.5", "1.2.840.113549.1.1.11", "1.2.840.10045.4.1", "1.2.840.10045.4.3.2"];
    const SHA_384: [&str; 2] = ["1.2.840.113549.1.1.12", "1.2.840.10045.4.3.3"];
    const SHA_512: [&str; 2] = ["1.2.840.113549.1.1.13", "1.2.840.10045.4.3.4"];
    let signed_with = Certificate::from_der(certificate).ok()?.signature_algorithm.oid;
    let is_one_of = |known: &[&str]| known.iter().any(|known| ObjectIdentifier::new(known).is_ok_and(|known| known == signed_with));
    let algorithm = if is_one_of(&SHA_1_OR_256) {
        &aws_lc_rs::digest::SHA256
    } else if is_one_of(&SHA_384) {
        &aws_lc_rs::digest::SHA384
    } else if is_one_of(&SHA_512) {
        &aws_lc_rs::digest::SHA512
    } else {
        return None;
    };
    Some(aws_lc_rs::digest::digest(algorithm, certificate).as_ref().to_vec())
}

fn not_wanted(what: &'static str) -> Fault {
    Fault::Broken(io::Error::new(io::ErrorKind::PermissionDenied, what))
}
