//! A server for comparison: the statements of one of our requests through tokio-postgres, in four round trips: begin, who asks, the
//! statement, commit. It verifies no token and speaks no dialect: only what the way to the database costs is compared.
//!
//! Invariant: it listens on this machine alone, and every transaction that it begins it ends, or it closes the connection.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, ensure};
use bytes::{Bytes, BytesMut};
use clap::Parser;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls, Statement};

/// What in a value stands for the last part of the path.
const PLACE: &str = "{n}";
/// The column of the statement's row that is the answer.
const BODY: usize = 2;

/// Serves one kind of request in four round trips.
#[derive(Debug, Parser)]
struct FourTrips {
    /// The port.
    #[arg(long)]
    port: u16,
    /// Where PostgreSQL is, in words of libpq.
    #[arg(long)]
    database: String,
    /// The password there.
    #[arg(long, env = "PGPASSWORD", hide_env_values = true, default_value = "")]
    password: String,
    /// Connections to it.
    #[arg(long)]
    pool: usize,
    /// A file with the statement that says who asks; beside it, `.values`: number, tab, value.
    #[arg(long)]
    opening: PathBuf,
    /// A file with the statement itself; `{n}` in its values becomes the last part of the path.
    #[arg(long)]
    statement: PathBuf,
}

/// A value as text, whatever its type.
#[derive(Clone, Debug)]
struct Text(Option<String>);

impl ToSql for Text {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let Some(text) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// A statement with its values.
#[derive(Debug)]
struct Sent {
    text: String,
    values: Vec<Text>,
}

impl Sent {
    fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let mut values = Vec::new();
        for line in std::fs::read_to_string(file.with_extension("values"))?.lines() {
            let (number, value) = line.split_once('\t').context("a value is number, tab, value")?;
            ensure!(number.parse() == Ok(values.len().saturating_add(1)), "the values are not in order");
            values.push(Text((value != "NULL").then(|| value.to_owned())));
        }
        Ok(Self { text, values })
    }

    fn values(&self, place: &str) -> Vec<Text> {
        self.values.iter().map(|Text(value)| Text(value.as_ref().map(|value| value.replace(PLACE, place)))).collect()
    }
}

/// A connection with its prepared statements.
#[derive(Debug)]
struct Ready {
    client: Client,
    opening: Statement,
    statement: Statement,
}

impl Ready {
    /// Runs the four.
    async fn run(&self, sent: &Both, place: &str) -> Result<Option<String>, tokio_postgres::Error> {
        self.client.batch_execute("begin read only").await?;
        let who = sent.opening.values(place);
        self.client.query_one(&self.opening, &bound(&who)).await?;
        let what = sent.statement.values(place);
        let row = self.client.query_one(&self.statement, &bound(&what)).await?;
        self.client.batch_execute("commit").await?;
        row.try_get(BODY)
    }
}

fn bound(values: &[Text]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| -> &(dyn ToSql + Sync) { value }).collect()
}

#[derive(Debug)]
struct Both {
    opening: Sent,
    statement: Sent,
}

#[derive(Debug)]
struct Pool {
    sent: Both,
    free: Mutex<Vec<Ready>>,
    places: Semaphore,
}

impl Pool {
    async fn fill(arguments: &FourTrips) -> anyhow::Result<Self> {
        let sent = Both { opening: Sent::read(&arguments.opening)?, statement: Sent::read(&arguments.statement)? };
        let mut database: Config = arguments.database.parse()?;
        database.password(&arguments.password);
        let mut free = Vec::new();
        for _ in 0..arguments.pool {
            let (client, connection) = database.connect(NoTls).await?;
            // Ends with the client.
            tokio::spawn(connection);
            let opening = client.prepare(&sent.opening.text).await?;
            // Prepared as the role that it runs as.
            client.batch_execute("begin read only").await?;
            client.query_one(&opening, &bound(&sent.opening.values(""))).await?;
            let statement = client.prepare(&sent.statement.text).await?;
            client.batch_execute("rollback").await?;
            free.push(Ready { client, opening, statement });
        }
        Ok(Self { sent, free: Mutex::new(free), places: Semaphore::new(arguments.pool) })
    }

    async fn answer(&self, request: Request<Incoming>) -> anyhow::Result<String> {
        let _place = self.places.acquire().await?;
        let ready = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().context("no connection is left")?;
        let place = request.uri().path().rsplit('/').next().unwrap_or_default();
        let body = ready.run(&self.sent, place).await?;
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(ready);
        body.context("the statement gave no body")
    }
}

#[tokio::main(flavor = "multi_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = FourTrips::parse();
    let pool = Arc::new(Pool::fill(&arguments).await?);
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port))).await?;
    writeln!(std::io::stdout(), "ready")?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let pool = Arc::clone(&pool);
        tokio::spawn(async move {
            let answers = service_fn(|request| {
                let pool = Arc::clone(&pool);
                async move { Ok::<_, Infallible>(response(pool.answer(request).await)) }
            });
            // A client that went away is none of ours.
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answers).await);
        });
    }
}

fn response(answered: anyhow::Result<String>) -> Response<Full<Bytes>> {
    let (status, body) = match answered {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
