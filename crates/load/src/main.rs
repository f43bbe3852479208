//! Asks a server the same kind of question over many connections, and says how fast the answers came.
//!
//! Invariant: bounded by connections and time; an answer that is not the expected status, or is empty, is an error: it is counted, never
//! timed, and the run fails.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use clap::Parser;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use tokio::net::TcpStream;

/// Connections and seconds that a run may have.
const CONNECTIONS_MAX: usize = 4096;
const SECONDS_MAX: u64 = 600;

/// Measures a GET over many connections.
#[derive(Debug, Parser)]
struct Load {
    /// Where the server listens.
    #[arg(long)]
    address: SocketAddr,
    /// The path; `{n}` becomes a number between 1 and `--numbers`, in twelve digits.
    #[arg(long)]
    path: String,
    /// The largest number.
    #[arg(long, default_value_t = 1)]
    numbers: u64,
    /// A file of values, one a line; `{v}` in the path becomes one of them.
    #[arg(long)]
    values: Option<std::path::PathBuf>,
    /// A header of every request, `name: value`.
    #[arg(long)]
    header: Vec<String>,
    /// Connections.
    #[arg(long, default_value_t = 256)]
    connections: usize,
    /// Seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

/// What is asked for, with the values that were read.
#[derive(Debug)]
struct Asked {
    load: Load,
    values: Vec<String>,
}

impl Asked {
    fn of(load: Load) -> anyhow::Result<Self> {
        let text = load.values.as_ref().map(std::fs::read_to_string).transpose().context("the values cannot be read")?;
        let values = text.unwrap_or_default().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        Ok(Self { load, values })
    }
}

#[derive(Debug, Default)]
struct Seen {
    microseconds: Vec<u64>,
    errors: usize,
}

#[tokio::main(flavor = "multi_thread")]
async fn main() -> anyhow::Result<()> {
    let load = Arc::new(Asked::of(Load::parse())?);
    let Load { address, connections, seconds, .. } = load.load;
    ensure!(address.ip().is_loopback(), "only this machine is put under load");
    ensure!(connections <= CONNECTIONS_MAX && seconds <= SECONDS_MAX, "too many connections or seconds");
    let until = Instant::now() + Duration::from_secs(seconds);
    let asking: Vec<_> = (0..connections).map(|_| tokio::spawn(ask(Arc::clone(&load), until))).collect();
    let (mut microseconds, mut errors) = (Vec::new(), 0_usize);
    for one in asking {
        let seen = one.await??;
        microseconds.extend(seen.microseconds);
        errors = errors.saturating_add(seen.errors);
    }
    microseconds.sort_unstable();
    let at = |percent: usize| {
        let index = microseconds.len().saturating_mul(percent) / 100;
        microseconds.get(index.min(microseconds.len().saturating_sub(1))).copied().unwrap_or_default()
    };
    let answers = u64::try_from(microseconds.len())?;
    let line = serde_json::json!({
        "per_second": answers / seconds.max(1), "p50_us": at(50), "p95_us": at(95), "p99_us": at(99), "answers": answers, "errors": errors,
    });
    writeln!(std::io::stdout(), "{line}")?;
    ensure!(errors == 0, "{errors} answers were not what was asked for");
    ensure!(answers > 0, "nothing was answered in time");
    Ok(())
}

async fn ask(load: Arc<Asked>, until: Instant) -> anyhow::Result<Seen> {
    let stream = TcpStream::connect(load.load.address).await.context("the server is not there")?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender.
    let driver = tokio::spawn(connection);
    let mut seen = Seen::default();
    while Instant::now() < until {
        let request = request(&load)?;
        let begun = Instant::now();
        if answered(&mut sender, request).await? {
            seen.microseconds.push(u64::try_from(begun.elapsed().as_micros())?);
        } else {
            seen.errors = seen.errors.saturating_add(1);
        }
    }
    drop(sender);
    driver.await??;
    Ok(seen)
}

fn request(asked: &Asked) -> anyhow::Result<Request<Empty<Bytes>>> {
    let load = &asked.load;
    let number = rand::rng().random_range(1..=load.numbers);
    let mut path = load.path.replace("{n}", &format!("{number:012}"));
    if let Some(value) = asked.values.choose(&mut rand::rng()) {
        path = path.replace("{v}", value);
    }
    let mut request = Request::get(path).header("host", load.address.to_string());
    for header in &load.header {
        let (name, value) = header.split_once(": ").context("a header is `name: value`")?;
        request = request.header(name, value);
    }
    Ok(request.body(Empty::new())?)
}

/// Tells whether the answer was 200, or 206 for a part of a counted list, with a body.
async fn answered(sender: &mut SendRequest<Empty<Bytes>>, request: Request<Empty<Bytes>>) -> anyhow::Result<bool> {
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok(matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) && body.len() > 2)
}
