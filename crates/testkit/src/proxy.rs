//! A proxy between a pool and PostgreSQL that counts how often the talk turns, and can hold answers back.
//!
//! Invariant: it changes nothing of what goes through; it only says when which side spoke, or waits.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use postgres::{Config, Host};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

/// A running proxy. It ends with the test.
#[derive(Debug)]
pub struct Proxy {
    folder: TempDir,
    talk: Arc<Talk>,
}

#[derive(Debug, Default)]
struct Talk {
    /// Whether the server spoke last.
    server_spoke: AtomicBool,
    /// How often the client spoke after the server had.
    turns: AtomicUsize,
    /// What answers wait for: until the client has sent these bytes.
    awaited: Mutex<Option<&'static [u8]>>,
    change: Notify,
}

impl Proxy {
    /// Starts it before the server of a configuration that names a socket.
    pub fn start(server: &Config) -> Self {
        let folder = TempDir::with_prefix("thorbis-proxy-").expect("a folder");
        let behind = server.get_hosts().iter().find_map(|host| match host {
            Host::Unix(path) => Some(path.join(".s.PGSQL.5432")),
            Host::Tcp(_) => None,
        });
        let behind = behind.expect("the test cluster listens on a socket");
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).expect("a socket");
        let talk = Arc::new(Talk::default());
        tokio::spawn(accept(listener, behind, Arc::clone(&talk)));
        Self { folder, talk }
    }

    /// Returns the way through the proxy.
    pub fn config(&self, server: &Config) -> Config {
        let mut config = Config::new();
        config.host_path(self.folder.path()).ssl_mode(tokio_postgres::config::SslMode::Disable);
        config.user(server.get_user().unwrap_or_default()).password(server.get_password().unwrap_or_default());
        config.dbname(server.get_dbname().unwrap_or_default());
        config
    }

    /// From now on answers wait until the client has sent these bytes, in one piece: whoever needs an answer before waits for ever.
    pub fn hold_answers_until(&self, said: &'static str) {
        *self.talk.awaited.lock().expect("no test fails in here") = Some(said.as_bytes());
        self.count_anew();
    }

    /// From now on round trips are counted anew.
    pub fn count_anew(&self) {
        self.talk.turns.store(0, Ordering::SeqCst);
    }

    /// Returns how often the client has spoken after the server since then: the round trips.
    pub fn round_trips(&self) -> usize {
        self.talk.turns.load(Ordering::SeqCst)
    }
}

impl Talk {
    fn heard(&self, said: &[u8]) {
        let mut awaited = self.awaited.lock().expect("no test fails in here");
        if awaited.is_some_and(|awaited| said.windows(awaited.len()).any(|window| window == awaited)) {
            *awaited = None;
            self.change.notify_waiters();
        }
    }

    fn is_holding(&self) -> bool {
        self.awaited.lock().expect("no test fails in here").is_some()
    }
}

async fn accept(listener: UnixListener, behind: PathBuf, talk: Arc<Talk>) {
    while let Ok((client, _)) = listener.accept().await {
        let server = UnixStream::connect(&behind).await.expect("PostgreSQL answers");
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::spawn(requests(from_client, to_server, Arc::clone(&talk)));
        tokio::spawn(answers(from_server, to_client, Arc::clone(&talk)));
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, talk: Arc<Talk>) {
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let said = bytes.get(..length).unwrap_or_default();
        if talk.server_spoke.swap(false, Ordering::SeqCst) {
            talk.turns.fetch_add(1, Ordering::SeqCst);
        }
        talk.heard(said);
        if to.write_all(said).await.is_err() {
            return;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, talk: Arc<Talk>) {
    let mut bytes = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        loop {
            let change = talk.change.notified();
            if !talk.is_holding() {
                break;
            }
            change.await;
        }
        talk.server_spoke.store(true, Ordering::SeqCst);
        if to.write_all(bytes.get(..length).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}
