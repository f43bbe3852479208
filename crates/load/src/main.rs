//! Asks a server the same kind of question over many connections, and says how fast the answers came.
//!
//! Invariant: bounded by connections and time; an answer that is not the expected status, or to a read is empty, is an error: it is
//! counted, never timed, and the run fails.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use clap::Parser;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use tokio::net::TcpStream;

/// Connections and seconds that a run may have.
const CONNECTIONS_MAX: usize = 4096;
const SECONDS_MAX: u64 = 600;
/// Characters that are shown of an answer that was wrong.
const WRONG_CHARS_MAX: usize = 300;

/// Measures a request over many connections.
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
    /// The method.
    #[arg(long, default_value_t = Method::GET)]
    method: Method,
    /// A file with the body of every request; `{n}` and `{v}` are replaced in it, too.
    #[arg(long)]
    body: Option<std::path::PathBuf>,
    /// A header of every request, `name: value`.
    #[arg(long)]
    header: Vec<String>,
    /// Connections.
    #[arg(long, default_value_t = 256)]
    connections: usize,
    /// Seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Requests in a second, all connections together, each at its time: who waits longer than that is late, which counts. Without it
    /// each connection asks as soon as it was answered.
    #[arg(long)]
    rate: Option<u32>,
}

/// What is asked for, with the values that were read.
#[derive(Debug)]
struct Asked {
    load: Load,
    values: Vec<String>,
    body: String,
}

impl Asked {
    fn of(load: Load) -> anyhow::Result<Self> {
        let text = load.values.as_ref().map(std::fs::read_to_string).transpose().context("the values cannot be read")?;
        let values = text.unwrap_or_default().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let body = load.body.as_ref().map(std::fs::read_to_string).transpose().context("the body cannot be read")?.unwrap_or_default();
        Ok(Self { load, values, body })
    }

    /// Connections take turns.
    fn times(&self, begun: Instant, nth: usize) -> Times {
        let one = self.load.rate.map(|rate| Duration::from_secs(1) / rate.max(1));
        let times = |factor: usize| one.map(|one| one.saturating_mul(u32::try_from(factor).unwrap_or(u32::MAX)));
        Times { next: begun + times(nth).unwrap_or_default(), pause: times(self.load.connections) }
    }
}

/// When a connection is to ask.
struct Times {
    next: Instant,
    /// Between two; none where it asks at once.
    pause: Option<Duration>,
}

impl Times {
    /// Waits until it is time. Returns when that was: where the answer before came too late for it, then, so that the delay counts.
    async fn wait(&mut self) -> Instant {
        let now = Instant::now();
        let Some(pause) = self.pause else { return now };
        let due = self.next;
        self.next += pause;
        if due <= now {
            return due;
        }
        tokio::time::sleep_until(due.into()).await;
        // A timer is late by itself, which is no delay of the server's.
        Instant::now()
    }
}

#[derive(Debug, Default)]
struct Seen {
    /// Of each answer, until it was whole.
    microseconds: Vec<u64>,
    /// Until its first bytes.
    first: Vec<u64>,
    errors: usize,
    /// One of them.
    wrong: Option<String>,
}

/// What came of one question.
enum Came {
    /// What was asked for, its first bytes then.
    Answer(Instant),
    /// Something else: its status and its beginning, and when to come back, where it was said.
    Wrong(String, Option<Duration>),
}

#[tokio::main(flavor = "multi_thread")]
async fn main() -> anyhow::Result<()> {
    let load = Arc::new(Asked::of(Load::parse())?);
    let Load { address, connections, seconds, .. } = load.load;
    ensure!(address.ip().is_loopback(), "only this machine is put under load");
    ensure!(connections <= CONNECTIONS_MAX && seconds <= SECONDS_MAX, "too many connections or seconds");
    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds);
    let asking: Vec<_> = (0..connections).map(|nth| tokio::spawn(ask(Arc::clone(&load), load.times(begun, nth), until))).collect();
    let (mut microseconds, mut first, mut errors, mut wrong) = (Vec::new(), Vec::new(), 0_usize, None);
    for one in asking {
        let seen = one.await??;
        microseconds.extend(seen.microseconds);
        first.extend(seen.first);
        errors = errors.saturating_add(seen.errors);
        wrong = wrong.or(seen.wrong);
    }
    // What was asked in time is answered a little after it.
    let elapsed = u64::try_from(begun.elapsed().as_micros())?;
    microseconds.sort_unstable();
    first.sort_unstable();
    let whole = |percent| at(&microseconds, percent);
    let answers = u64::try_from(microseconds.len())?;
    let line = serde_json::json!({
        "per_second": answers.saturating_mul(1_000_000) / elapsed.max(1), "p50_us": whole(50), "p95_us": whole(95), "p99_us": whole(99),
        "first_p50_us": at(&first, 50), "first_p99_us": at(&first, 99), "answers": answers, "elapsed_us": elapsed, "errors": errors,
    });
    writeln!(std::io::stdout(), "{line}")?;
    ensure!(errors == 0, "{errors} answers were not what was asked for, such as {}", wrong.unwrap_or_default());
    ensure!(answers > 0, "nothing was answered in time");
    Ok(())
}

/// Returns what so many of a hundred sorted times stay below.
fn at(sorted: &[u64], percent: usize) -> u64 {
    let index = sorted.len().saturating_mul(percent) / 100;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

async fn ask(load: Arc<Asked>, mut times: Times, until: Instant) -> anyhow::Result<Seen> {
    let stream = TcpStream::connect(load.load.address).await.context("the server is not there")?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender.
    let driver = tokio::spawn(connection);
    let mut seen = Seen::default();
    while Instant::now() < until && times.next < until {
        let request = request(&load)?;
        let begun = times.wait().await;
        match answered(&mut sender, request).await? {
            Came::Answer(first) => {
                seen.first.push(u64::try_from(first.duration_since(begun).as_micros())?);
                seen.microseconds.push(u64::try_from(begun.elapsed().as_micros())?);
            }
            Came::Wrong(answer, pause) => {
                seen.errors = seen.errors.saturating_add(1);
                seen.wrong = Some(answer);
                // As a client does that was told so.
                tokio::time::sleep(pause.unwrap_or_default().min(until.saturating_duration_since(Instant::now()))).await;
            }
        }
    }
    drop(sender);
    driver.await??;
    Ok(seen)
}

fn request(asked: &Asked) -> anyhow::Result<Request<Full<Bytes>>> {
    let load = &asked.load;
    let number = format!("{:012}", rand::rng().random_range(1..=load.numbers));
    let value = asked.values.choose(&mut rand::rng());
    let filled = |text: &str| {
        let text = text.replace("{n}", &number);
        value.map_or_else(|| text.clone(), |value| text.replace("{v}", value))
    };
    let mut request = Request::builder().method(&load.method).uri(filled(&load.path)).header("host", load.address.to_string());
    for header in &load.header {
        let (name, value) = header.split_once(": ").context("a header is `name: value`")?;
        request = request.header(name, value);
    }
    Ok(request.body(Full::new(Bytes::from(filled(&asked.body))))?)
}

/// Asks, and reads the whole answer: what was read has a body, what was written may have none.
async fn answered(sender: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> anyhow::Result<Came> {
    let is_write = request.method() != Method::GET;
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let first = Instant::now();
    let status = response.status();
    let pause =
        response.headers().get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
    let body = response.into_body().collect().await?.to_bytes();
    let is_whole = match status {
        StatusCode::OK | StatusCode::PARTIAL_CONTENT => is_write || body.len() > 2,
        StatusCode::CREATED | StatusCode::NO_CONTENT => is_write,
        _ => false,
    };
    if is_whole {
        return Ok(Came::Answer(first));
    }
    let text: String = String::from_utf8_lossy(&body).chars().take(WRONG_CHARS_MAX).collect();
    Ok(Came::Wrong(format!("{status}: {text}"), pause))
}
