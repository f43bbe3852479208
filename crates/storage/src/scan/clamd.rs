//! clamd's own protocol: the bytes of a file in pieces with their lengths, and one line back.
//!
//! Invariant: what is no clear answer is none: a file counts as clean only where clamd says so.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt as _;
use kernel::BlobStream;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::{Found, ScanConfig};

/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 4096;
/// Letters of the name of a virus that are kept.
const NAME_MAX: usize = 200;

/// Where clamd is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Tcp(String),
    Unix(PathBuf),
}

/// Why a file was not looked at.
#[derive(Debug)]
pub(super) enum Failure {
    /// The scanner is away.
    Away(String),
    /// The scanner is there and says nothing of this file that counts, or not in time.
    Unclear(String),
    /// The file cannot be read.
    Unread(kernel::Error),
}

impl Place {
    /// Reads an address.
    pub(super) fn read(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix://") {
            return path.starts_with('/').then(|| Self::Unix(path.into()));
        }
        let place = text.strip_prefix("tcp://")?;
        let (host, port) = place.rsplit_once(':')?;
        (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| Self::Tcp(place.to_owned()))
    }

    /// Has a file looked at.
    pub(super) async fn look(&self, config: &ScanConfig, content: BlobStream) -> Result<Found, Failure> {
        let connect = Duration::from_millis(config.connect_time_ms);
        let away = |error: std::io::Error| Failure::Away(error.to_string());
        let late = |_elapsed| Failure::Away("it did not answer in time".to_owned());
        let slow = |_elapsed| Failure::Unclear("it did not say what is in the file in time".to_owned());
        let time = Duration::from_secs(config.time_s);
        match self {
            Self::Tcp(place) => {
                let socket = tokio::time::timeout(connect, TcpStream::connect(place)).await.map_err(late)?.map_err(away)?;
                tokio::time::timeout(time, converse(socket, content)).await.map_err(slow)?
            }
            Self::Unix(path) => {
                let socket = tokio::time::timeout(connect, UnixStream::connect(path)).await.map_err(late)?.map_err(away)?;
                tokio::time::timeout(time, converse(socket, content)).await.map_err(slow)?
            }
        }
    }
}

async fn converse(mut socket: impl AsyncRead + AsyncWrite + Unpin, content: BlobStream) -> Result<Found, Failure> {
    let sent = send(&mut socket, content).await;
    if let Err(Failure::Unread(error)) = sent {
        return Err(Failure::Unread(error));
    }
    // Whoever has heard enough says so and hangs up, so that the answer counts although not everything was sent.
    let mut answer = Vec::new();
    let read = socket.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await;
    match (understood(&answer), sent, read) {
        (Some(found), _, _) if found != Found::Clean => Ok(found),
        (Some(found), Ok(()), Ok(_)) => Ok(found),
        // What it said counts more than how the conversation broke off: it hangs up on a file that it does not take.
        (None, _, _) if !answer.is_empty() => Err(Failure::Unclear(format!("it answered {:?}", String::from_utf8_lossy(&answer)))),
        (_, Err(failure), _) => Err(failure),
        (_, _, Err(error)) => Err(Failure::Away(error.to_string())),
        (_, _, Ok(_)) => Err(Failure::Away("it hung up without an answer".to_owned())),
    }
}

async fn send(socket: &mut (impl AsyncWrite + Unpin), mut content: BlobStream) -> Result<(), Failure> {
    let away = |error: std::io::Error| Failure::Away(error.to_string());
    socket.write_all(b"zINSTREAM\0").await.map_err(away)?;
    while let Some(piece) = content.next().await {
        let piece = piece.map_err(Failure::Unread)?;
        // A piece of no bytes would be the end.
        if piece.is_empty() {
            continue;
        }
        let length = u32::try_from(piece.len()).map_err(|_long| Failure::Away("a piece is too long".to_owned()))?;
        socket.write_all(&length.to_be_bytes()).await.map_err(away)?;
        socket.write_all(&piece).await.map_err(away)?;
    }
    socket.write_all(&0_u32.to_be_bytes()).await.map_err(away)?;
    socket.flush().await.map_err(away)
}

/// Reads what clamd says: `stream: OK` or `stream: Name FOUND`. That a file is too large for it says nothing of the file: whoever sets
/// `scan.bytes_max` says that clamd takes as many.
fn understood(answer: &[u8]) -> Option<Found> {
    let text = String::from_utf8_lossy(answer);
    let said = text.trim_end_matches(['\0', '\n']);
    if said == "stream: OK" {
        return Some(Found::Clean);
    }
    let name = said.strip_prefix("stream: ")?.strip_suffix(" FOUND")?;
    Some(Found::Infected(name.chars().filter(|letter| !letter.is_control()).take(NAME_MAX).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_answer_counts() {
        for (answer, expected) in [
            ("stream: OK\0", Some(Found::Clean)),
            ("stream: Eicar-Test FOUND\0", Some(Found::Infected("Eicar-Test".into()))),
            ("INSTREAM size limit exceeded. ERROR\0", None),
            ("stream: Can't allocate memory ERROR\0", None),
            ("UNKNOWN COMMAND\0", None),
            ("OK", None),
            ("", None),
        ] {
            assert_eq!(understood(answer.as_bytes()), expected, "{answer}");
        }
    }
}
