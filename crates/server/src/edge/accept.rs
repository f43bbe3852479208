//! Takes connections from one listening socket, no more at a time than there are slots.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio_util::task::TaskTracker;

use super::{Shared, connection};

/// The pause after the system refused a socket, for want of file descriptors mostly.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts until told to stop. The socket closes with the return, so that clients are refused instead of left waiting.
pub(super) async fn run(listener: TcpListener, shared: Arc<Shared>, tasks: TaskTracker) {
    loop {
        let accepted = async {
            let slot = Arc::clone(&shared.slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            both = accepted => both,
        };
        let Ok(slot) = slot else { return };
        match accepted {
            Ok((stream, peer)) => {
                let shared = Arc::clone(&shared);
                tasks.spawn(async move {
                    connection::serve(stream, peer, shared).await;
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

/// The same for a socket in the file system.
pub(super) async fn run_unix(listener: UnixListener, shared: Arc<Shared>, tasks: TaskTracker) {
    loop {
        let accepted = async {
            let slot = Arc::clone(&shared.slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            both = accepted => both,
        };
        let Ok(slot) = slot else { return };
        match accepted {
            Ok((stream, _unnamed)) => {
                let shared = Arc::clone(&shared);
                tasks.spawn(async move {
                    connection::serve_unix(stream, shared).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::error!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
