//! Notifications that come over a connection of their own.
//!
//! Invariant: whoever listens learns that the connection is gone, and that what was sent meanwhile is lost.

use std::future::poll_fn;
use std::path::Path;

use kernel::Result;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls};

use crate::error::unavailable;
use crate::options::tls;
use crate::sql::Sql;

/// Notifications that wait to be taken; more than that are told when there is room.
const WAITING_MAX: usize = 64;

/// A connection that listens. It ends with this.
#[derive(Debug)]
pub struct Listener {
    messages: mpsc::Receiver<String>,
    _client: Client,
}

impl Listener {
    /// Connects and listens to a channel.
    pub async fn connect(server: &Config, root_certificate_file: Option<&Path>, channel: &str) -> Result<Self> {
        let (sender, messages) = mpsc::channel(WAITING_MAX);
        let client = match tls(server, root_certificate_file)? {
            None => {
                let (client, connection) = server.connect(NoTls).await.map_err(unavailable)?;
                tokio::spawn(drive(connection, sender));
                client
            }
            Some(tls) => {
                let (client, connection) = server.connect(tls).await.map_err(unavailable)?;
                tokio::spawn(drive(connection, sender));
                client
            }
        };
        let (listen, _no_values) = Sql::new("listen ").ident(channel).clone().render();
        client.batch_execute(&listen).await.map_err(unavailable)?;
        Ok(Self { messages, _client: client })
    }

    /// Returns what the next notification says; nothing once the connection is gone.
    pub async fn next(&mut self) -> Option<String> {
        self.messages.recv().await
    }
}

async fn drive<S, T>(mut connection: Connection<S, T>, sender: mpsc::Sender<String>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    loop {
        match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(notification))) => {
                if sender.send(notification.payload().to_owned()).await.is_err() {
                    return;
                }
            }
            Some(Ok(_)) => {}
            Some(Err(cause)) => {
                tracing::debug!(%cause, "the connection that listens ended");
                return;
            }
            None => return,
        }
    }
}
