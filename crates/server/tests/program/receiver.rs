//! A receiver of webhooks on this machine that takes some, refuses some and hangs up on some.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What it was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Of each number that it took, the ids under which it did.
    pub(crate) taken: BTreeMap<u64, BTreeSet<String>>,
    /// Calls that it took, repetitions included.
    pub(crate) calls: usize,
    /// Calls that came.
    heard: usize,
}

pub(crate) struct Receiver {
    address: String,
    told: Arc<Mutex<Told>>,
}

impl Receiver {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let told = Arc::<Mutex<Told>>::default();
        let shared = Arc::clone(&told);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { address, told }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/in", self.address)
    }

    pub(crate) fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }
}

/// Answers one call: of twenty one is refused, on one is hung up before it is taken, and on one after.
async fn serve(mut stream: TcpStream, told: Arc<Mutex<Told>>) -> Option<()> {
    let (id, body) = read(&mut stream).await?;
    let event: Value = serde_json::from_str(&body).ok()?;
    let name = event["data"]["first_name"].as_str()?;
    let turn = {
        let mut told = told.lock().unwrap();
        told.heard += 1;
        let turn = told.heard % 20;
        if let (Some(number), false) = (name.strip_prefix("told-"), matches!(turn, 1 | 2)) {
            told.calls += 1;
            told.taken.entry(number.parse().ok()?).or_default().insert(id);
        }
        turn
    };
    let status = match turn {
        1 => "500 Internal Server Error",
        2 | 3 => return None,
        _ => "200 OK",
    };
    stream.write_all(format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").as_bytes()).await.ok()
}

/// Reads a request; returns its id and its body.
async fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((top, body)) = text.split_once("\r\n\r\n") else { continue };
        let header = |name: &str| {
            top.lines().find_map(|line| line.split_once(": ").filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value))
        };
        if body.len() >= header("content-length")?.parse::<usize>().ok()? {
            return Some((header("webhook-id")?.to_owned(), body.to_owned()));
        }
    }
}
