//! Downloads and uploads files of one size, and does the same beside it: downloads them from a plain static server, and writes them to the disk
//! with nothing around it.
//!
//! Invariant: both take turns in rounds, with the same bytes and the same number at once, so that whatever else the machine does slows both; an
//! answer that is not the expected one ends the run.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use clap::Parser;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;

/// Measures files.
#[derive(Debug, Parser)]
struct Load {
    /// Where the server listens.
    #[arg(long)]
    address: SocketAddr,
    /// The token of somebody who may write in the folder.
    #[arg(long)]
    token: String,
    /// The bucket and the folder in it, without a slash at its end.
    #[arg(long)]
    place: String,
    /// Where the static server listens.
    #[arg(long)]
    peer: SocketAddr,
    /// The folder that the static server serves.
    #[arg(long)]
    served: PathBuf,
    /// An empty folder on the disk where the server keeps its files.
    #[arg(long)]
    written: PathBuf,
    /// Bytes of one file.
    #[arg(long)]
    bytes: usize,
    /// Downloads of one round.
    #[arg(long)]
    downloads: usize,
    /// Uploads of one round.
    #[arg(long)]
    uploads: usize,
    /// How many of them at once.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Rounds.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Who is asked for a file, and how.
#[derive(Clone)]
struct Side {
    address: SocketAddr,
    path: String,
    token: Option<String>,
}

#[tokio::main(flavor = "multi_thread")]
async fn main() -> anyhow::Result<()> {
    let load = Load::parse();
    ensure!(load.address.ip().is_loopback() && load.peer.ip().is_loopback(), "only this machine is put under load");
    ensure!((1..=256).contains(&load.connections) && (1..=100).contains(&load.rounds), "too many connections or rounds");
    ensure!(load.bytes >= 8 && load.downloads > 0 && load.uploads > 0, "nothing to do");
    let file = content(load.bytes, u64::MAX);
    std::fs::write(load.served.join("file"), &file)?;
    let ours = |name: &str| Side {
        address: load.address,
        path: format!("/storage/v1/object/{}/{name}", load.place),
        token: Some(load.token.clone()),
    };
    let name = format!("bench-{}-{}", std::process::id(), load.bytes);
    let read = ours(&name);
    read.connect().await?.put(&read, file).await?;
    let static_server = Side { address: load.peer, path: "/file".to_owned(), token: None };
    // Whatever is read for the first time is in the memory of the machine afterwards, on both sides.
    for side in [&read, &static_server] {
        download(side, 1, 1, load.bytes).await?;
    }
    let (mut downloaded, mut served, mut uploaded, mut written) = (Duration::ZERO, Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for round in 0..load.rounds {
        let pieces: Vec<Bytes> = (0..load.uploads).map(|number| content(load.bytes, number_of(round, number))).collect();
        downloaded += download(&read, load.connections, load.downloads, load.bytes).await?;
        served += download(&static_server, load.connections, load.downloads, load.bytes).await?;
        uploaded += upload(&ours(&format!("{name}-{round}")), load.connections, &pieces).await?;
        written += write(&load.written, load.connections, pieces)?;
    }
    let rounds = u32::try_from(load.rounds)?;
    let rate = |count: u32, took: Duration| f64::from(count) * f64::from(rounds) / took.as_secs_f64().max(f64::EPSILON);
    let (downloads, uploads) = (u32::try_from(load.downloads)?, u32::try_from(load.uploads)?);
    let (downloads, served) = (rate(downloads, downloaded), rate(downloads, served));
    let (uploads, written) = (rate(uploads, uploaded), rate(uploads, written));
    let line = json!({
        "bytes": load.bytes, "downloads_per_second": round(downloads), "served_per_second": round(served),
        "download_ratio": round(downloads / served), "uploads_per_second": round(uploads), "written_per_second": round(written),
        "upload_ratio": round(uploads / written),
    });
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

fn number_of(round: usize, number: usize) -> u64 {
    u64::try_from(round.saturating_mul(1_000_000).saturating_add(number)).unwrap_or_default()
}

/// Bytes that are in no other file: equal ones would be kept once.
fn content(bytes: usize, number: u64) -> Bytes {
    let mut content: Vec<u8> = (0..=250_u8).cycle().take(bytes).collect();
    let salt = u64::from(std::process::id()).rotate_left(32) ^ number;
    for (place, byte) in content.iter_mut().zip(salt.to_be_bytes()) {
        *place = byte;
    }
    Bytes::from(content)
}

struct Connection(SendRequest<Full<Bytes>>);

impl Side {
    async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(self.address).await.with_context(|| format!("nobody is at {}", self.address))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Connection(sender))
    }

    fn request(&self, method: Method, body: Bytes) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(method).uri(&self.path).header("host", self.address.to_string());
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        Ok(request.header("content-type", "application/octet-stream").body(Full::new(body))?)
    }
}

impl Connection {
    async fn get(&mut self, side: &Side, bytes: usize) -> anyhow::Result<()> {
        self.0.ready().await?;
        let mut answer = self.0.send_request(side.request(Method::GET, Bytes::new())?).await?;
        ensure!(answer.status() == StatusCode::OK, "{} answered {}", side.path, answer.status());
        let mut came = 0;
        while let Some(frame) = answer.frame().await {
            came += frame?.data_ref().map_or(0, Bytes::len);
        }
        ensure!(came == bytes, "{} has {came} bytes and not {bytes}", side.path);
        Ok(())
    }

    async fn put(&mut self, side: &Side, content: Bytes) -> anyhow::Result<()> {
        self.0.ready().await?;
        let answer = self.0.send_request(side.request(Method::POST, content)?).await?;
        let status = answer.status();
        let said = answer.into_body().collect().await?.to_bytes();
        ensure!(status == StatusCode::OK, "{} answered {status}: {}", side.path, String::from_utf8_lossy(&said));
        Ok(())
    }
}

/// Downloads a file so many times, and returns how long all of it took.
async fn download(side: &Side, connections: usize, times: usize, bytes: usize) -> anyhow::Result<Duration> {
    let mut open = Vec::new();
    for _ in 0..connections.min(times) {
        open.push(side.connect().await?);
    }
    let (count, begun) = (open.len(), Instant::now());
    let working: Vec<_> = open
        .into_iter()
        .enumerate()
        .map(|(first, mut connection)| {
            let side = side.clone();
            tokio::spawn(async move {
                for _ in (first..times).step_by(count) {
                    connection.get(&side, bytes).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for one in working {
        one.await??;
    }
    Ok(begun.elapsed())
}

/// Uploads every piece under a name of its own, and returns how long all of it took.
async fn upload(side: &Side, connections: usize, pieces: &[Bytes]) -> anyhow::Result<Duration> {
    let mut open = Vec::new();
    for _ in 0..connections.min(pieces.len()) {
        open.push(side.connect().await?);
    }
    let (count, begun) = (open.len(), Instant::now());
    let working: Vec<_> = open
        .into_iter()
        .enumerate()
        .map(|(first, mut connection)| {
            let mine: Vec<_> = pieces.iter().cloned().enumerate().skip(first).step_by(count).collect();
            let side = side.clone();
            tokio::spawn(async move {
                for (number, piece) in mine {
                    let side = Side { path: format!("{}-{number}", side.path), ..side.clone() };
                    connection.put(&side, piece).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for one in working {
        one.await??;
    }
    Ok(begun.elapsed())
}

/// Writes every piece to a file of its own, makes sure that the disk has it, and returns how long all of it took.
fn write(folder: &Path, threads: usize, pieces: Vec<Bytes>) -> anyhow::Result<Duration> {
    let (pieces, begun) = (Arc::new(pieces), Instant::now());
    std::thread::scope(|scope| {
        let writing: Vec<_> = (0..threads.min(pieces.len()))
            .map(|first| {
                let pieces = Arc::clone(&pieces);
                scope.spawn(move || {
                    for (number, piece) in pieces.iter().enumerate().skip(first).step_by(threads) {
                        let mut file = std::fs::File::create(folder.join(number.to_string()))?;
                        file.write_all(piece)?;
                        file.sync_all()?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        writing.into_iter().try_for_each(|one| one.join().map_err(|_panic| anyhow::anyhow!("a writer broke"))?)
    })?;
    let took = begun.elapsed();
    for number in 0..pieces.len() {
        std::fs::remove_file(folder.join(number.to_string()))?;
    }
    Ok(took)
}
