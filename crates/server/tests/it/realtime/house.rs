//! A server with companies in it, and clients with sockets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use kernel::Secret;
use postgres::feed::FeedMode;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use server::RunningServer;
use server::config::Settings;
use tempfile::TempDir;
use testkit::Db;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::audit::url;
use crate::bare::{know_tls, without_database};

const PASSWORD: &str = "correct horse battery staple";
/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long it is listened for what must not come, behind something that must.
const QUIET: Duration = Duration::from_millis(150);

/// Both ways in which changes come.
pub(crate) const BOTH: [FeedMode; 2] = [FeedMode::Stream, FeedMode::Poll];

pub(crate) struct House {
    pub(crate) db: Arc<Db>,
    pub(crate) server: RunningServer,
    pub(crate) client: Client,
    pub(crate) address: String,
    _folder: TempDir,
}

/// Somebody who is signed in and works in a company.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) company: String,
    email: String,
}

/// A client's socket of version 2.0.0.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>,
    next: u32,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::on(Arc::new(Db::new().await), change).await
    }

    /// One whose changes come in this way.
    pub(crate) async fn fed_by(mode: FeedMode) -> Self {
        let db = Db::new().await;
        keep(&db, mode).await;
        Box::pin(Self::on(Arc::new(db), |settings| settings.change_feed.mode = mode)).await
    }

    pub(crate) async fn on(db: Arc<Db>, change: impl FnOnce(&mut Settings)) -> Self {
        know_tls();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = without_database(&folder);
        settings.database.url = Some(Secret::new(url(&db.server_config())));
        settings.database.start_wait_ms = 30_000;
        change(&mut settings);
        let has_feed = settings.change_feed.mode != FeedMode::Off;
        let server = Box::pin(server::start(settings)).await.unwrap();
        let address = server.address().unwrap().to_string();
        let this = Self { db, server, client: Client::new(), address, _folder: folder };
        if has_feed {
            this.is_fed().await;
        }
        this
    }

    /// Waits until changes are told: whoever listens before is told that he may have missed some.
    pub(crate) async fn is_fed(&self) {
        let asked = || self.ask(Method::GET, "/realtime/v1/api/status", &self.service()).send();
        let deadline = Instant::now() + PATIENCE;
        while asked().await.unwrap().json::<Value>().await.unwrap()["change_feed"]["way"] == "closed" {
            assert!(Instant::now() < deadline, "the change feed does not open");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The public key.
    pub(crate) fn anon(&self) -> String {
        self.server.keys().anon().opaque.expose().to_owned()
    }

    pub(crate) fn service(&self) -> String {
        self.server.keys().service().opaque.expose().to_owned()
    }

    pub(crate) fn ask(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let asked = self.client.request(method, format!("http://{}{path}", self.address)).header("apikey", self.anon());
        if token.is_empty() { asked } else { asked.bearer_auth(token) }
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> (u16, Value) {
        let asked = self.ask(Method::POST, path, token).header("content-type", "application/json").body(body.to_string());
        let answer = asked.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    pub(crate) async fn sql(&self, sql: &str) {
        self.db.superuser().await.batch_execute(sql).await.unwrap();
    }

    /// Signs somebody up.
    pub(crate) async fn person(&self, name: &str) -> Person {
        let email = format!("{name}@example.com");
        let (status, body) = self.post("/auth/v1/signup", "", json!({ "email": email, "password": PASSWORD })).await;
        assert_eq!(status, 200, "{body}");
        Person { id: text(&body["user"]["id"]), token: text(&body["access_token"]), company: String::new(), email }
    }

    /// Signs somebody up who founds a company.
    pub(crate) async fn owner(&self, name: &str) -> Person {
        let mut person = self.person(name).await;
        let (status, body) = self.post("/rest/v1/rpc/create_company_with_owner", &person.token, json!({ "name": name })).await;
        assert_eq!(status, 200, "{body}");
        person.company = text(&body["id"]);
        self.sign_in(&mut person).await;
        person
    }

    /// Signs somebody up and makes him a member.
    pub(crate) async fn member(&self, of: &Person, name: &str, role: &str) -> Person {
        let mut person = self.person(name).await;
        person.company.clone_from(&of.company);
        self.sql(&format!(
            "insert into public.team_members (company_id, user_id, role) values ('{0}', '{1}', '{role}');
             update auth.sessions set active_company_id = '{0}' where user_id = '{1}';",
            of.company, person.id
        ))
        .await;
        self.sign_in(&mut person).await;
        person
    }

    /// Gives him a new session.
    pub(crate) async fn sign_in(&self, person: &mut Person) {
        let path = "/auth/v1/token?grant_type=password";
        let (status, body) = self.post(path, "", json!({ "email": person.email, "password": PASSWORD })).await;
        assert_eq!(status, 200, "{body}");
        person.token = text(&body["access_token"]);
    }

    pub(crate) fn socket_url(&self, more: &str) -> String {
        format!("ws://{}/realtime/v1/websocket?{more}", self.address)
    }

    /// Opens a socket with the public key.
    pub(crate) async fn socket(&self) -> Socket {
        let url = self.socket_url(&format!("apikey={}&vsn=2.0.0", self.anon()));
        Socket { stream: connect_async(url).await.unwrap().0, next: 1 }
    }

    /// Opens one that works in a company.
    pub(crate) async fn socket_of(&self, company: &str) -> Socket {
        let url = self.socket_url(&format!("apikey={}&vsn=2.0.0&company={company}", self.anon()));
        Socket { stream: connect_async(url).await.unwrap().0, next: 1 }
    }

    /// Returns status and body with which a socket is refused.
    pub(crate) async fn refused(&self, query: &str) -> (u16, Value) {
        match connect_async(self.socket_url(query)).await {
            Err(Error::Http(response)) => {
                let body = response.body().clone().unwrap_or_default();
                (response.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default())
            }
            other => panic!("it was to be refused: {other:?}"),
        }
    }
}

/// Has changes kept where they are to be polled.
pub(crate) async fn keep(db: &Db, mode: FeedMode) {
    if mode == FeedMode::Poll {
        db.migrator().await.batch_execute("set role app_owner; select app.keep_changes(true)").await.unwrap();
    }
}

impl Socket {
    pub(crate) async fn of_version_one(house: &House) -> Self {
        let url = house.socket_url(&format!("apikey={}&vsn=1.0.0", house.anon()));
        Self { stream: connect_async(url).await.unwrap().0, next: 1 }
    }

    pub(crate) async fn say_raw(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// Tells whether a frame could be sent.
    pub(crate) async fn try_say(&mut self, frame: String) -> bool {
        self.stream.send(Message::Text(frame.into())).await.is_ok()
    }

    /// Sends a frame; returns its ref.
    pub(crate) async fn say(&mut self, topic: &str, event: &str, payload: Value) -> String {
        let reference = self.next.to_string();
        self.next += 1;
        let frame = json!([null, reference, format!("realtime:{topic}"), event, payload]).to_string();
        self.say_raw(Message::Text(frame.into())).await;
        reference
    }

    /// Returns the next frame: text as its JSON, bytes as they are.
    pub(crate) async fn next_message(&mut self) -> Message {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("nothing came");
            match message.expect("the socket ended").unwrap() {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Value {
        match self.next_message().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("text was expected: {other:?}"),
        }
    }

    /// Returns the payload of the next frame, which has to be this event of this channel.
    pub(crate) async fn expect(&mut self, topic: &str, event: &str) -> Value {
        let frame = self.next().await;
        assert_eq!((frame[2].as_str(), frame[3].as_str()), (Some(&*format!("realtime:{topic}")), Some(event)), "{frame}");
        frame[4].clone()
    }

    /// Joins and returns the answer.
    pub(crate) async fn join(&mut self, topic: &str, config: Value, token: &str) -> Value {
        let payload = if token.is_empty() { json!({ "config": config }) } else { json!({ "config": config, "access_token": token }) };
        let reference = self.next.to_string();
        self.next += 1;
        let frame = json!([reference, reference, format!("realtime:{topic}"), "phx_join", payload]).to_string();
        self.say_raw(Message::Text(frame.into())).await;
        loop {
            let frame = self.next().await;
            if frame[3] == "phx_reply" && frame[1] == json!(reference) {
                assert_eq!(frame[0], json!(reference));
                return frame[4].clone();
            }
        }
    }

    /// Joins, which has to be let.
    pub(crate) async fn joined(&mut self, topic: &str, config: Value, token: &str) -> Value {
        let answer = self.join(topic, config, token).await;
        assert_eq!(answer["status"], "ok", "{answer}");
        answer["response"].clone()
    }

    /// Joins, which has to be refused; returns why.
    pub(crate) async fn not_joined(&mut self, topic: &str, config: Value, token: &str) -> String {
        let answer = self.join(topic, config, token).await;
        assert_eq!(answer["status"], "error", "{answer}");
        text(&answer["response"]["reason"])
    }

    pub(crate) async fn broadcast(&mut self, topic: &str, event: &str, payload: Value) -> String {
        self.say(topic, "broadcast", json!({ "type": "broadcast", "event": event, "payload": payload })).await
    }

    /// Nothing more was sent than what was read: the answer to a heartbeat is the next thing.
    pub(crate) async fn quiet(&mut self) {
        tokio::time::sleep(QUIET).await;
        let reference = format!("q{}", self.next);
        self.next += 1;
        self.say_raw(Message::Text(json!([null, reference, "phoenix", "heartbeat", {}]).to_string().into())).await;
        let frame = self.next().await;
        assert_eq!(frame, json!([null, reference, "phoenix", "phx_reply", { "status": "ok", "response": {} }]));
    }

    /// Waits until the channel is closed; returns what was said before. Where rows are told, too, these may end by themselves first.
    pub(crate) async fn closed(&mut self, topic: &str) -> String {
        let mut said = self.expect(topic, "system").await;
        if said["extension"] == "postgres_changes" {
            assert_eq!(said["status"], "error", "{said}");
            said = self.expect(topic, "system").await;
        }
        assert_eq!((&said["status"], &said["extension"], &said["channel"]), (&json!("error"), &json!("system"), &json!(topic)), "{said}");
        self.expect(topic, "phx_close").await;
        text(&said["message"])
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

impl Socket {
    /// Reads to the end of the socket.
    pub(crate) async fn ended(&mut self) {
        while let Some(Ok(message)) = self.stream.next().await {
            if matches!(message, Message::Close(_)) {
                return;
            }
        }
    }
}
