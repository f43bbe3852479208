//! A client that comes back with the last position it has, and knows of each row that is written whether it has to hear of it.
//!
//! Invariant: rows are written in series, each by one writer and one after another. Of a series a reader hears of every row in turn; only
//! behind a word that it has to read anew may it begin elsewhere, and then not behind a row that was begun after the word came.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Where a socket may be opened.
const OPENED: Duration = Duration::from_secs(5);

/// What was written, by series; a row that was begun is written before the next one.
#[derive(Debug)]
pub(crate) struct Tally {
    /// The last row that somebody began to write.
    begun: Vec<AtomicU64>,
}

/// What a reader knows of a series.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    /// It read anew when this was the last row that had been begun.
    Anew(u64),
    /// It heard of every row up to this one.
    Told(u64),
}

/// A client.
pub(crate) struct Reader {
    name: String,
    tally: Arc<Tally>,
    known: Vec<Known>,
    position: Option<String>,
    stream: Option<WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>>,
    /// Whether it came with a position, until it is told from where it hears.
    comes_back: bool,
    is_live: bool,
    pub(crate) events: u64,
    pub(crate) resyncs: u64,
    /// How often it came back with a position, and of these how often it went on without a word.
    pub(crate) returns: u64,
    pub(crate) resumed: u64,
}

impl Tally {
    pub(crate) fn new(series: usize) -> Arc<Self> {
        let begun = std::iter::repeat_with(AtomicU64::default).take(series).collect();
        Arc::new(Self { begun })
    }

    /// Notes that rows up to this one are about to be written.
    pub(crate) fn begin(&self, series: usize, last: u64) {
        self.begun[series].store(last, Ordering::SeqCst);
    }

    /// Returns the last row that somebody began to write.
    pub(crate) fn last(&self, series: usize) -> u64 {
        self.begun[series].load(Ordering::SeqCst)
    }
}

/// Returns the name of a row of a series.
pub(crate) fn row_name(series: usize, row: u64) -> String {
    format!("row-{series}-{row}")
}

impl Reader {
    pub(crate) fn new(name: String, tally: &Arc<Tally>) -> Self {
        let known = vec![Known::Anew(0); tally.begun.len()];
        Self {
            name,
            tally: Arc::clone(tally),
            known,
            position: None,
            stream: None,
            comes_back: false,
            is_live: false,
            events: 0,
            resyncs: 0,
            returns: 0,
            resumed: 0,
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.stream.is_some()
    }

    /// Tells whether its position is one of the log, or of the outbox.
    pub(crate) fn is_at(&self, way: &str) -> bool {
        self.position.as_ref().is_some_and(|position| position.starts_with(way))
    }

    /// Goes without a word.
    pub(crate) fn go(&mut self) {
        self.stream = None;
    }

    /// Comes to a server, with its position or without.
    pub(crate) async fn come(&mut self, url: &str, token: &str, knows: bool) {
        self.go();
        let Ok(Ok((stream, _))) = tokio::time::timeout(OPENED, connect_async(url)).await else { return };
        let mut wish = json!({ "event": "*", "schema": "public", "table": "tags" });
        self.comes_back = knows && self.position.is_some();
        if self.comes_back {
            wish["since"] = json!(self.position);
            self.returns += 1;
        }
        self.is_live = false;
        self.stream = Some(stream);
        let token = if token.is_empty() { Value::Null } else { json!(token) };
        let config = json!({ "config": { "postgres_changes": [wish] }, "access_token": token });
        self.say(&json!(["1", "1", "realtime:rows", "phx_join", config])).await;
    }

    async fn say(&mut self, frame: &Value) {
        if let Some(stream) = &mut self.stream
            && stream.send(Message::Text(frame.to_string().into())).await.is_err()
        {
            self.go();
        }
    }

    /// Hears so long, or until the socket ends.
    pub(crate) async fn read(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while let Some(stream) = &mut self.stream {
            let Ok(next) = tokio::time::timeout(until.saturating_duration_since(Instant::now()), stream.next()).await else { return };
            match next {
                Some(Ok(Message::Text(text))) => self.hear(&serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => self.go(),
                Some(Ok(_)) => {}
            }
        }
    }

    fn hear(&mut self, frame: &Value) {
        let said = &frame[4];
        match (frame[3].as_str().unwrap_or_default(), said["status"].as_str()) {
            ("postgres_changes", _) => self.change(said),
            ("system", Some("ok")) => {
                assert!(!self.is_live, "{}: it is said twice from where on it hears", self.name);
                self.is_live = true;
                if !self.comes_back {
                    self.anew();
                }
                self.note(&said["position"]);
            }
            ("system", _) if said["code"] == "resync" => {
                assert!(self.is_live, "{}: {frame}", self.name);
                self.comes_back = false;
                self.resyncs += 1;
                self.anew();
                self.note(&said["position"]);
            }
            // It cannot be told of changes now: it comes again.
            ("system" | "phx_close" | "phx_error", _) | ("phx_reply", Some("error")) => self.go(),
            _ => {}
        }
    }

    fn note(&mut self, position: &Value) {
        self.position = Some(position.as_str().unwrap_or_else(|| panic!("{}: no position", self.name)).to_owned());
    }

    /// It reads everything anew.
    fn anew(&mut self) {
        for (series, known) in self.known.iter_mut().enumerate() {
            *known = Known::Anew(self.tally.last(series));
        }
    }

    fn change(&mut self, said: &Value) {
        assert!(self.is_live, "{}: told before it is said that it hears: {said}", self.name);
        self.note(&said["position"]);
        let name = said["data"]["record"]["name"].as_str().unwrap_or_default();
        let mut parts = name.strip_prefix("row-").into_iter().flat_map(|rest| rest.split('-'));
        let (Some(series), Some(row)) = (parts.next(), parts.next()) else { return };
        let (series, row): (usize, u64) = (series.parse().unwrap(), row.parse().unwrap());
        self.events += 1;
        if std::mem::take(&mut self.comes_back) {
            self.resumed += 1;
        }
        let known = &mut self.known[series];
        let is_next = match *known {
            Known::Told(last) => row == last + 1,
            Known::Anew(last) => row <= last + 1,
        };
        assert!(is_next, "{}: row {row} of series {series} is told behind {known:?}, position {}", self.name, said["position"]);
        *known = Known::Told(row);
    }

    /// Hears until it knows of everything; it comes back where it is thrown out.
    pub(crate) async fn end(&mut self, url: &str, token: &str, time: Duration) {
        let begun = Instant::now();
        while !self.is_connected() || self.position.is_none() || !self.knows_all() {
            assert!(begun.elapsed() < time, "{}: it knows {:?} of {:?}", self.name, self.known, self.tally);
            if !self.is_connected() {
                self.come(url, token, true).await;
            }
            self.read(Duration::from_millis(50)).await;
        }
    }

    fn knows_all(&self) -> bool {
        let is_known = |(series, known): (usize, &Known)| {
            let (Known::Anew(row) | Known::Told(row)) = *known;
            row >= self.tally.last(series)
        };
        self.known.iter().enumerate().all(is_known)
    }
}
