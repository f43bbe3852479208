//! Somebody who listens to all changed rows of the schema `public` over a socket, and everything that came to him.
//!
//! Invariant: each frame is looked at for marks of the other company before anything else is made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::asked::{COMPANY_A, COMPANY_B};
use super::house::{Caller, House};

const PATIENCE: Duration = Duration::from_mins(1);
/// How long it is listened for what must not come, behind something that came to others.
const QUIET: Duration = Duration::from_millis(300);
const MARKS_A: [&str; 2] = ["-00000000a", "canary-a"];
const MARKS_B: [&str; 2] = ["-00000000b", "canary-b"];

/// Table, sort and the whole change.
pub(super) type Change = (String, String, Value);

/// Somebody who listens.
pub(super) struct Listener {
    pub(super) name: String,
    /// Whose rows he may hear of at most; of anybody's where there is none.
    pub(super) company: Option<&'static str>,
    /// Whether he hears of changes at all; why not where he does not.
    pub(super) refused: Option<String>,
    foreign: Vec<&'static str>,
    stream: WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>,
    beats: u32,
}

/// What came in a round.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) changes: Vec<Change>,
    /// The reason of each word that he is to read anew.
    pub(super) resyncs: Vec<String>,
    pub(super) is_closed: bool,
}

impl Round {
    /// Returns the keys of the rows of a table with such a change.
    pub(super) fn keys(&self, table: &str, sort: &str, key: &[String]) -> BTreeSet<String> {
        let of = self.changes.iter().filter(|(of, kind, _)| of == table && kind == sort);
        of.map(|(.., data)| key_of(key, data.get("record").unwrap_or(&data["old_record"]))).collect()
    }
}

/// Returns what tells a row apart.
pub(super) fn key_of(key: &[String], row: &Value) -> String {
    key.iter().map(|column| row[column].to_string()).collect::<Vec<_>>().join(" ")
}

impl Listener {
    /// Joins, and waits until he is told of changes, or why he is not.
    pub(super) async fn open(house: &House, caller: &Caller, (company, wish): (Option<&'static str>, Value)) -> Self {
        let foreign = match (company, caller.name.contains("service")) {
            (_, true) => vec![],
            (Some(COMPANY_A), _) => MARKS_B.to_vec(),
            (Some(COMPANY_B), _) => MARKS_A.to_vec(),
            _ => [MARKS_A, MARKS_B].concat(),
        };
        let stream = connect_async(house.socket_url(caller)).await.unwrap().0;
        let mut this = Self { name: caller.name.clone(), company, refused: None, foreign, stream, beats: 0 };
        let config = json!({ "config": { "postgres_changes": [wish] }, "access_token": caller.token });
        this.say(&json!(["1", "1", "realtime:rows", "phx_join", config])).await;
        loop {
            let frame = this.next().await;
            match (frame[3].as_str(), frame[4]["status"].as_str()) {
                (Some("phx_reply"), Some("ok")) => {}
                (Some("system"), Some("ok")) => return this,
                (Some("phx_reply" | "system"), Some("error")) => {
                    this.refused = Some(frame[4].to_string());
                    return this;
                }
                _ => panic!("{}: {frame}", this.name),
            }
        }
    }

    /// Returns what came until a company has this name, or, where he hears of no company, until nothing comes any more.
    pub(super) async fn round(&mut self, end: &str, hears_end: bool) -> Round {
        let mut round = Round::default();
        if !hears_end {
            tokio::time::sleep(QUIET).await;
            self.beats += 1;
            self.say(&json!([null, format!("h{}", self.beats), "phoenix", "heartbeat", {}])).await;
        }
        loop {
            let frame = self.next().await;
            match frame[3].as_str().unwrap_or_default() {
                "postgres_changes" => {
                    let data = &frame[4]["data"];
                    assert!(frame[4]["position"].is_string(), "{frame}");
                    let table = data["table"].as_str().unwrap();
                    if table == "companies" && data["record"]["name"] == end {
                        return round;
                    }
                    round.changes.push((table.to_owned(), data["type"].as_str().unwrap().to_owned(), data.clone()));
                }
                "system" if frame[4]["code"] == "resync" => round.resyncs.push(frame[4]["reason"].as_str().unwrap().to_owned()),
                "phx_close" => round.is_closed = true,
                "phx_reply" if frame[1] == json!(format!("h{}", self.beats)) => return round,
                _ => {}
            }
        }
    }

    /// Waits until the channel is closed, or the subscription ended; nothing but words of the system may come until then.
    pub(super) async fn ended(&mut self) {
        loop {
            let frame = self.next().await;
            let is_over = frame[3] == "phx_close" || frame[3] == "system" && frame[4]["status"] == "error" && frame[4]["code"] != "resync";
            if is_over {
                return;
            }
            assert!(frame[3] == "system", "{}: {frame}", self.name);
        }
    }

    async fn say(&mut self, frame: &Value) {
        self.stream.send(Message::Text(frame.to_string().into())).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        loop {
            let message =
                tokio::time::timeout(PATIENCE, self.stream.next()).await.unwrap_or_else(|_| panic!("{}: nothing came", self.name));
            let Message::Text(text) = message.expect("the socket ended").unwrap() else { continue };
            for mark in &self.foreign {
                assert!(!text.contains(mark), "{} hears {mark}: {text}", self.name);
            }
            return serde_json::from_str(&text).unwrap();
        }
    }
}

/// The tables that may be heard of, with what REST shows of them to somebody.
pub(super) type Seen = BTreeMap<String, BTreeSet<String>>;
