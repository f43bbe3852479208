//! Takes connections from one listening socket, no more at a time than there are slots.

use std::io::{ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::task::TaskTracker;

use super::{Shared, connection};

/// The pause after the system refused a socket, for want of file descriptors mostly.
const PAUSE: Duration = Duration::from_millis(100);

/// A listening socket.
pub(super) trait Listens: Send + Sync + 'static {
    /// What arrives at it.
    type Arrival: Send + 'static;

    /// Waits for the next client.
    fn next(&self) -> impl Future<Output = Result<Self::Arrival>> + Send;

    /// Serves one client to the end of its connection.
    fn serve(arrival: Self::Arrival, shared: Arc<Shared>) -> impl Future<Output = ()> + Send;
}

impl Listens for TcpListener {
    type Arrival = (TcpStream, SocketAddr);

    async fn next(&self) -> Result<Self::Arrival> {
        self.accept().await
    }

    async fn serve((stream, peer): Self::Arrival, shared: Arc<Shared>) {
        connection::serve(stream, peer, shared).await;
    }
}

impl Listens for UnixListener {
    type Arrival = UnixStream;

    async fn next(&self) -> Result<Self::Arrival> {
        self.accept().await.map(|(stream, _unnamed)| stream)
    }

    async fn serve(stream: Self::Arrival, shared: Arc<Shared>) {
        connection::serve_unix(stream, shared).await;
    }
}

/// Accepts until told to stop. The socket closes with the return, so that clients are refused instead of left waiting.
pub(super) async fn run<L: Listens>(listener: L, shared: Arc<Shared>, tasks: TaskTracker) {
    loop {
        let accepted = async {
            let slot = Arc::clone(&shared.slots).acquire_owned().await;
            (slot, listener.next().await)
        };
        let (slot, accepted) = tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            both = accepted => both,
        };
        let Ok(slot) = slot else { return };
        match accepted {
            Ok(arrival) => {
                let shared = Arc::clone(&shared);
                tasks.spawn(async move {
                    L::serve(arrival, shared).await;
                    drop(slot);
                });
            }
            // The client went away between the two steps of its greeting.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
            Err(error) => {
                tracing::error!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
