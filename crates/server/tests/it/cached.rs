//! Reads that are kept, on two servers of one database: whose they are, until when they count, and what a client always sees, whichever way
//! the servers hear of changes.

use std::time::{Duration, Instant};

use kernel::Secret;
use postgres::feed::FeedMode;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use server::config::Settings;
use testkit::Db;

use crate::audit::url;
use crate::bare::{know_tls, without_database};
use crate::realtime::house::keep;

const PASSWORD: &str = "correct horse battery staple";
/// A long transaction in whichever database of the cluster keeps what is read from being kept.
const PATIENCE: Duration = Duration::from_mins(2);
/// How soon every server answers with what another one wrote. A busy machine adds to that, so that the fastest of several is held against it;
/// of each it is shown that it comes long before what is kept has lived its time.
pub(crate) const SOON: Duration = Duration::from_secs(1);
const LIST: &str = "/rest/v1/customers?select=first_name&order=first_name";

pub(crate) struct Node {
    pub(crate) address: String,
    client: Client,
}

impl Node {
    pub(crate) async fn send(&self, who: &Caller, request: (&str, &str), body: Option<Value>, etag: Option<&str>) -> Response {
        let (method, path) = request;
        let mut asked = self.client.request(method.parse().unwrap(), format!("{}{path}", self.address));
        asked = asked.header("content-type", "application/json").header("x-supabase-api-version", "2024-01-01");
        for (name, value) in [("x-company-id", who.company.as_str()), ("if-none-match", etag.unwrap_or_default())] {
            if !value.is_empty() {
                asked = asked.header(name, value);
            }
        }
        if !who.token.is_empty() {
            asked = asked.bearer_auth(&who.token);
        }
        asked.body(body.map(|body| body.to_string()).unwrap_or_default()).send().await.unwrap()
    }

    /// Returns status, what is said of the cache, and the body.
    pub(crate) async fn get(&self, who: &Caller, path: &str) -> (u16, String, String) {
        let answer = self.send(who, ("GET", path), None, None).await;
        (answer.status().as_u16(), header(&answer, "cache-status"), answer.text().await.unwrap())
    }

    pub(crate) async fn change(&self, who: &Caller, request: (&str, &str), body: Value) -> Value {
        let answer = self.send(who, request, Some(body), None).await;
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert!(status < 300, "{request:?}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Asks until the answer is one that was kept; returns it.
    pub(crate) async fn kept(&self, who: &Caller, path: &str) -> (String, String) {
        let begun = Instant::now();
        loop {
            let (status, how, body) = self.get(who, path).await;
            assert!(status == 200 && begun.elapsed() < PATIENCE, "{status} {how} {body}");
            if how.starts_with("thorbis; hit") {
                return (how, body);
            }
        }
    }

    pub(crate) async fn sign_up(&self, name: &str) -> (Caller, String) {
        let body = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        let said = self.change(&Caller::default(), ("POST", "/auth/v1/signup"), body).await;
        (Caller { token: text(&said["access_token"]), company: String::new() }, text(&said["user"]["id"]))
    }

    pub(crate) async fn founder(&self, name: &str, first_name: &str) -> Caller {
        let (mut who, _) = self.sign_up(name).await;
        let found = self.change(&who, ("POST", "/rest/v1/rpc/create_company_with_owner"), json!({ "name": name })).await;
        who.company = text(&found["id"]);
        self.change(&who, ("POST", "/rest/v1/customers"), json!({ "first_name": first_name, "phone": "+15550100" })).await;
        who
    }
}

/// Two servers of one database.
pub(crate) struct Nodes {
    servers: Vec<server::RunningServer>,
    _folders: Vec<tempfile::TempDir>,
}

impl Nodes {
    pub(crate) async fn start(db: &Db, mode: FeedMode, set: impl Fn(&mut Settings)) -> (Self, Vec<Node>) {
        keep(db, mode).await;
        let keys = tempfile::tempdir().unwrap();
        let mut folders = vec![tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (mut servers, mut nodes) = (Vec::new(), Vec::new());
        for folder in &folders {
            let mut settings = without_database(folder);
            settings.database.url = Some(Secret::new(url(&db.server_config())));
            settings.database.start_wait_ms = 60_000;
            settings.public_url = Some("http://localhost:54321".to_owned());
            settings.key_ring_file = Some(keys.path().join("keys.json"));
            settings.change_feed.pause_ms = 50;
            settings.change_feed.mode = mode;
            set(&mut settings);
            let server = Box::pin(server::start(settings)).await.unwrap();
            nodes.push(Node { address: format!("http://{}", server.address().unwrap()), client: Client::new() });
            servers.push(server);
        }
        folders.push(keys);
        (Self { servers, _folders: folders }, nodes)
    }

    pub(crate) async fn end(self) {
        for server in self.servers {
            server.shutdown().await.unwrap();
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Caller {
    pub(crate) token: String,
    pub(crate) company: String,
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

pub(crate) fn header(answer: &Response, name: &str) -> String {
    answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn streamed_what_is_kept_is_nobody_elses_and_never_older_than_what_a_client_knows() {
    Box::pin(nobody_elses_and_never_older(FeedMode::Stream)).await;
}

#[tokio::test]
async fn polled_what_is_kept_is_nobody_elses_and_never_older_than_what_a_client_knows() {
    Box::pin(nobody_elses_and_never_older(FeedMode::Poll)).await;
}

async fn nobody_elses_and_never_older(mode: FeedMode) {
    know_tls();
    let db = Db::new().await;
    let (servers, nodes) = Nodes::start(&db, mode, |_| ()).await;
    let (one, other) = (&nodes[0], &nodes[1]);
    let ann = one.founder("ann", "Ada").await;
    let eve = other.founder("eve", "Zoe").await;

    // Kept, named, and not sent twice.
    assert_eq!(one.kept(&ann, LIST).await.1, r#"[{"first_name":"Ada"}]"#);
    let answer = one.send(&ann, ("GET", LIST), None, None).await;
    let (etag, age) = (header(&answer, "etag"), header(&answer, "age"));
    assert!(etag.starts_with("W/\"") && age.parse::<u64>().is_ok(), "{etag} {age}");
    assert_eq!(header(&answer, "cache-control"), "private, no-cache");
    let unchanged = one.send(&ann, ("GET", LIST), None, Some(&etag)).await;
    assert_eq!((unchanged.status().as_u16(), header(&unchanged, "etag")), (304, etag.clone()));
    assert_eq!(unchanged.text().await.unwrap(), "");
    // Another company has its own, on the same server; whoever is not signed in or not a member has nothing.
    assert_eq!(one.kept(&eve, LIST).await.1, r#"[{"first_name":"Zoe"}]"#);
    let stranger = Caller { company: ann.company.clone(), ..eve.clone() };
    for who in [stranger, Caller::default()] {
        let (status, how, body) = one.get(&who, LIST).await;
        assert!(status >= 400 && how.is_empty() && !body.contains("Ada"), "{status} {how} {body}");
    }
    // What must be true now, and what is put together of several tables, is not kept.
    for path in [
        "/rest/v1/jobs?select=id",
        "/rest/v1/schedules?select=id",
        "/rest/v1/payments?select=id",
        "/rest/v1/customers?select=id,jobs(id)",
        "/rest/v1/customers?select=id&created_at=lt.now",
    ] {
        let (status, how, body) = one.get(&ann, path).await;
        assert_eq!((status, how.as_str()), (200, ""), "{path} {body}");
    }

    rights(&db, [one, other], &ann).await;
    own_writes(one, other, &ann).await;
    flushed_and_cut_off((&db, mode), [one, other], &ann).await;
    policies(&db, one, &ann).await;
    servers.end().await;
}

async fn rights(db: &Db, [one, other]: [&Node; 2], ann: &Caller) {
    // A right that is gone is gone at the next request.
    let (mut bob, bob_id) = other.sign_up("bob").await;
    db.superuser().await.batch_execute("update auth.users set email_proved_at = now() where email = 'bob@example.com'").await.unwrap();
    let invited = one.change(ann, ("POST", "/rest/v1/rpc/invite_member"), json!({ "email": "bob@example.com", "role": "csr" })).await;
    other.change(&bob, ("POST", "/rest/v1/rpc/accept_invitation"), json!({ "token": invited["token"] })).await;
    bob.company.clone_from(&ann.company);
    let row = format!("/rest/v1/team_members?user_id=eq.{bob_id}");
    for round in 0..10 {
        assert!(other.kept(&bob, LIST).await.1.contains("Ada"));
        let (taken, given) = match round % 2 {
            0 => (json!({ "status": "suspended" }), json!({ "status": "active" })),
            _ => (json!({ "permissions": { "customers:read": false } }), json!({ "permissions": {} })),
        };
        one.change(ann, ("PATCH", &row), taken).await;
        let (status, how, body) = other.get(&bob, LIST).await;
        assert!(!body.contains("Ada") && !how.contains("hit"), "{round}: {status} {how} {body}");
        one.change(ann, ("PATCH", &row), given).await;
    }
}

async fn own_writes(one: &Node, other: &Node, ann: &Caller) {
    // A client reads what it wrote; another server answers with it within a second.
    let mut took = Vec::new();
    for round in 0..100 {
        let name = format!("Ada {round}");
        one.change(ann, ("PATCH", "/rest/v1/customers?phone=eq.%2B15550100"), json!({ "first_name": name })).await;
        let (_, how, body) = one.get(ann, LIST).await;
        assert_eq!(body, format!(r#"[{{"first_name":"{name}"}}]"#), "{round} {how}");
        if round % 10 == 0 {
            let written = Instant::now();
            while !other.get(ann, LIST).await.2.contains(&name) {
                assert!(written.elapsed() < PATIENCE, "{round}");
            }
            took.push(written.elapsed());
        }
    }
    assert!(took.iter().any(|took| *took < SOON), "{took:?}");
    assert!(one.kept(ann, LIST).await.1.contains("Ada 99") && other.kept(ann, LIST).await.1.contains("Ada 99"));
}

async fn flushed_and_cut_off((db, mode): (&Db, FeedMode), nodes: [&Node; 2], ann: &Caller) {
    // What an operator wants read anew is, on every server.
    let superuser = db.superuser().await;
    superuser.batch_execute("insert into app.cache_flushes (tag) values ('customers:*')").await.unwrap();
    for node in nodes {
        let begun = Instant::now();
        while node.get(ann, LIST).await.1 != "thorbis; fwd=miss; stored" {
            assert!(begun.elapsed() < PATIENCE);
        }
    }

    // Cut off from the feed a server answers with what is, and keeps again when it hears again.
    let login = db.server_config().get_user().unwrap().to_owned();
    let feed = if mode == FeedMode::Poll { format!("usename = '{login}'") } else { "backend_type = 'walsender'".to_owned() };
    let cut = format!("select pg_terminate_backend(pid) from pg_stat_activity where {feed} and datname = current_database()");
    superuser.batch_execute(&format!("update public.customers set first_name = 'Bea' where first_name = 'Ada 99'; {cut}")).await.unwrap();
    let cut = Instant::now();
    for node in nodes {
        while !node.get(ann, LIST).await.2.contains("Bea") {
            assert!(cut.elapsed() < PATIENCE, "what was lost with the feed is found all the same");
        }
        assert!(node.kept(ann, LIST).await.1.contains("Bea"));
    }
}

/// What a policy of the project's own decides may depend on anything: such a table is not kept, whoever asks.
async fn policies(db: &Db, node: &Node, ann: &Caller) {
    let superuser = db.superuser().await;
    let policy = "create policy two_factors on public.customers as restrictive for select to authenticated
                  using ((select app.assurance_level()) >= 2)";
    superuser.batch_execute(policy).await.unwrap();
    let made = Instant::now();
    while node.get(ann, LIST).await != (200, String::new(), "[]".to_owned()) {
        assert!(made.elapsed() < PATIENCE, "one factor is not enough");
    }
    superuser.batch_execute("drop policy two_factors on public.customers").await.unwrap();
    assert!(node.kept(ann, LIST).await.1.contains("Bea"));
    let policy = "create policy two_factors on public.customers as restrictive for select to public
                  using ((select app.assurance_level()) >= 1)";
    superuser.batch_execute(policy).await.unwrap();
    let made = Instant::now();
    while !node.get(ann, LIST).await.1.is_empty() {
        assert!(made.elapsed() < PATIENCE, "seen by the same eyes, and asked each time");
    }
}
