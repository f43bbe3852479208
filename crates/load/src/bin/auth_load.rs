//! Signs people in, refreshes their sessions and shows their tokens, as fast as a server lets it, and says how fast the hash and the
//! signature alone are on this machine.
//!
//! Invariant: bounded by connections and time; an answer that is not the expected one ends the run.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHasher as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey};
use bytes::Bytes;
use clap::Parser;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

const PASSWORD: &str = "correct horse battery staple";
/// Tokens that a connection keeps to show later.
const KEPT_MAX: usize = 2000;

/// Measures signing in.
#[derive(Debug, Parser)]
struct Load {
    /// Where the server listens.
    #[arg(long)]
    address: SocketAddr,
    /// The service key.
    #[arg(long)]
    service_key: String,
    /// Connections, each of somebody of his own.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

/// Somebody with a connection.
struct Person {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    email: String,
    refresh_token: String,
    /// Tokens that the server has not seen yet.
    tokens: Vec<String>,
}

#[derive(Clone, Copy)]
enum Work {
    SignIn,
    Refresh,
    Show,
}

#[tokio::main(flavor = "multi_thread")]
async fn main() -> anyhow::Result<()> {
    let load = Load::parse();
    ensure!(load.address.ip().is_loopback(), "only this machine is put under load");
    ensure!((1..=1024).contains(&load.connections) && (1..=600).contains(&load.seconds), "too many connections or seconds");
    let time = Duration::from_secs(load.seconds.min(5));
    let (hashes, signatures, checks) = (hashes(time)?, signatures(time)?, checks(time)?);
    let mut people = Vec::new();
    for number in 0..load.connections {
        people.push(Person::new(&load, number).await?);
    }
    let mut rates = Vec::new();
    for work in [Work::SignIn, Work::Refresh, Work::Show] {
        let begun = Instant::now();
        let until = begun + Duration::from_secs(load.seconds);
        let working: Vec<_> = people.into_iter().map(|person| tokio::spawn(person.work(work, until))).collect();
        people = Vec::new();
        let mut done = 0;
        for one in working {
            let (person, times) = one.await??;
            people.push(person);
            done += times;
        }
        rates.push(per_second(done, begun.elapsed()));
    }
    let [sign_ins, refreshes, shown] = rates[..] else { anyhow::bail!("three measurements") };
    let percent = |part: u64, whole: u64| part.saturating_mul(100) / whole.max(1);
    let line = json!({
        "login_per_second": sign_ins, "hash_per_second": hashes, "login_percent_of_hash": percent(sign_ins, hashes),
        "refresh_per_second": refreshes, "sign_per_second": signatures, "refresh_percent_of_sign": percent(refreshes, signatures),
        "verify_per_second": shown, "check_per_second": checks, "verify_percent_of_check": percent(shown, checks),
    });
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

impl Person {
    async fn new(load: &Load, number: usize) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(load.address).await.context("the server is not there")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let email = format!("load-{}-{number}@example.com", std::process::id());
        let mut person = Self { address: load.address, sender, email, refresh_token: String::new(), tokens: Vec::new() };
        let made = json!({ "email": person.email, "password": PASSWORD, "email_confirm": true });
        person.ask(Method::POST, "/auth/v1/admin/users", Some(&load.service_key), Some(&made)).await?;
        Ok(person)
    }

    /// Works until the time is over, or there is nothing left to show. Returns how often.
    async fn work(mut self, work: Work, until: Instant) -> anyhow::Result<(Self, u64)> {
        let mut times = 0;
        while Instant::now() < until {
            match work {
                Work::SignIn => {
                    let body = json!({ "email": self.email, "password": PASSWORD });
                    let session = self.ask(Method::POST, "/auth/v1/token?grant_type=password", None, Some(&body)).await?;
                    self.keep(&session)?;
                }
                Work::Refresh => {
                    let body = json!({ "refresh_token": self.refresh_token });
                    let session = self.ask(Method::POST, "/auth/v1/token?grant_type=refresh_token", None, Some(&body)).await?;
                    self.keep(&session)?;
                }
                Work::Show => {
                    let Some(token) = self.tokens.pop() else { break };
                    self.ask(Method::GET, "/auth/v1/user", Some(&token), None).await?;
                }
            }
            times += 1;
        }
        Ok((self, times))
    }

    fn keep(&mut self, session: &Value) -> anyhow::Result<()> {
        let text = |name: &str| session.get(name).and_then(Value::as_str).map(str::to_owned).context("an answer without a session");
        self.refresh_token = text("refresh_token")?;
        if self.tokens.len() < KEPT_MAX {
            self.tokens.push(text("access_token")?);
        }
        Ok(())
    }

    async fn ask(&mut self, method: Method, path: &str, bearer: Option<&str>, body: Option<&Value>) -> anyhow::Result<Value> {
        let mut request = Request::builder().method(method).uri(path).header("host", self.address.to_string());
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        self.sender.ready().await?;
        let response =
            self.sender.send_request(request.header("content-type", "application/json").body(Full::new(Bytes::from(body)))?).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        ensure!(status == StatusCode::OK, "{path} answered {status}: {}", String::from_utf8_lossy(&bytes));
        Ok(serde_json::from_slice(&bytes)?)
    }
}

fn per_second(times: u64, elapsed: Duration) -> u64 {
    let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).max(1);
    times.saturating_mul(1_000_000) / micros
}

/// Does a piece of work over and over on every core, and returns how often it was done in a second.
fn rate(time: Duration, piece: impl Fn() -> anyhow::Result<()> + Send + Sync) -> anyhow::Result<u64> {
    let (times, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let cores = std::thread::available_parallelism()?.get();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|_| {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        piece()?;
                        times.fetch_add(1, Ordering::Relaxed);
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_panic| anyhow::anyhow!("a worker broke"))?)
    })?;
    Ok(per_second(times.load(Ordering::Relaxed), begun.elapsed()))
}

/// The hash as the server's defaults have it.
fn hashes(time: Duration) -> anyhow::Result<u64> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(|error| anyhow::anyhow!("{error}"))?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    rate(time, || {
        let salt = SaltString::generate(&mut OsRng);
        hasher.hash_password(PASSWORD.as_bytes(), &salt).map(|_hash| ()).map_err(|error| anyhow::anyhow!("{error}"))
    })
}

/// A text as long as a token.
const MESSAGE: [u8; 900] = [b'x'; 900];

fn signatures(time: Duration) -> anyhow::Result<u64> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    rate(time, || Ok(pair.sign(&SystemRandom::new(), &MESSAGE).map(|_signature| ())?))
}

fn checks(time: Duration) -> anyhow::Result<u64> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let signature = pair.sign(&SystemRandom::new(), &MESSAGE)?;
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
    rate(time, || Ok(key.verify(&MESSAGE, signature.as_ref())?))
}
