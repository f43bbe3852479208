//! Servers for tests, in this process and on a free port.

use std::net::SocketAddr;
use std::time::Duration;

use server::RunningServer;
use server::config::Settings;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A server and its data folder.
pub(crate) struct Running {
    pub(crate) server: RunningServer,
    pub(crate) folder: TempDir,
}

/// Returns settings of a server whose database nobody can reach: enough for everything that comes before a database.
pub(crate) fn without_database(folder: &TempDir) -> Settings {
    let mut settings = Settings { data_directory: folder.path().join("data"), ..Settings::default() };
    settings.listen.addresses = vec!["127.0.0.1:0".parse().unwrap()];
    // Port 1 belongs to nobody.
    settings.database.url = Some(kernel::Secret::new("postgres://nobody:nothing@127.0.0.1:1/none".to_owned()));
    settings.database.start_wait_ms = 0;
    settings
}

/// Starts a server without a database, with some settings changed.
pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Running {
    know_tls();
    let folder = tempfile::tempdir().unwrap();
    let mut settings = without_database(&folder);
    change(&mut settings);
    let server = Box::pin(server::start(settings)).await.unwrap();
    Running { server, folder }
}

/// Gives the HTTP client of the tests its cryptography.
pub(crate) fn know_tls() {
    // One test of the process is the first; the others find it done.
    let _first = rustls::crypto::aws_lc_rs::default_provider().install_default().is_ok();
}

impl Running {
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address().unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// Opens a connection and sends some bytes.
    pub(crate) async fn send(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream
    }

    pub(crate) async fn stop(self) {
        self.server.shutdown().await.unwrap();
        drop(self.folder);
    }
}

/// Reads what comes until the other side closes.
pub(crate) async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8(bytes).unwrap()
}
