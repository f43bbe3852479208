//! Servers for tests, in this process and on a free port.

use std::net::SocketAddr;
use std::time::Duration;

use server::RunningServer;
use server::config::Settings;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bare::{know_tls, without_database};

/// A server and its data folder.
pub(crate) struct Running {
    pub(crate) server: RunningServer,
    pub(crate) folder: TempDir,
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
    tokio::time::timeout(Duration::from_mins(1), stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8(bytes).unwrap()
}
