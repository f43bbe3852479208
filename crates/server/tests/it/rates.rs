//! Whoever asks too often is told when to come back; whom that is counted for, and what changes it while servers run.

use std::time::{Duration, Instant};

use kernel::Secret;
use limits::{Mode, RatesConfig};
use redis_link::RedisConfig;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use server::RunningServer;
use server::config::Settings;
use tempfile::TempDir;
use testkit::{Db, Redis};

use crate::audit::url;
use crate::bare::{know_tls, without_database};

const PASSWORD: &str = "correct horse battery staple";
const CUSTOMERS: &str = "/rest/v1/customers?select=id";

/// A server that counts, and its client.
pub(crate) struct Counting {
    pub(crate) address: String,
    pub(crate) client: Client,
    server: RunningServer,
    folder: TempDir,
}

/// Somebody who asks: his token, and the company that he works in.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) token: String,
    pub(crate) company: String,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    fn said(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    #[track_caller]
    fn too_often(&self, limit: &str, counted: &str) {
        assert_eq!((self.status, &self.body["code"]), (429, &json!("RATE_LIMIT_EXCEEDED")), "{}", self.body);
        assert_eq!([&self.body["details"]["limit"], &self.body["details"]["counted"]], [limit, counted]);
        let seconds = self.body["details"]["retry_after_seconds"].as_u64().unwrap();
        assert_eq!(self.said("retry-after"), seconds.to_string());
        assert_eq!(self.body["message"], format!("Rate limit exceeded. Try again in {seconds} seconds."));
    }
}

impl Counting {
    pub(crate) async fn start(db: &Db, rates: RatesConfig, also: impl FnOnce(&mut Settings)) -> Self {
        know_tls();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = without_database(&folder);
        settings.database.url = Some(Secret::new(url(&db.server_config())));
        settings.database.start_wait_ms = 60_000;
        settings.public_url = Some("http://localhost:54321".to_owned());
        settings.rates = RatesConfig { mode: Some(Mode::Enforce), refresh_ms: 50, ..rates };
        also(&mut settings);
        let server = Box::pin(server::start(settings)).await.unwrap();
        Self { address: format!("http://{}", server.address().unwrap()), client: Client::new(), server, folder }
    }

    /// Returns the folder of the server's data.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) async fn stop(self) {
        self.server.shutdown().await.unwrap();
    }

    pub(crate) fn service(&self) -> String {
        self.server.keys().service().token.expose().clone()
    }

    /// The key that everybody has.
    pub(crate) fn anon(&self) -> String {
        self.server.keys().anon().token.expose().clone()
    }

    pub(crate) fn request(&self, method: &str, path: &str, token: &str) -> RequestBuilder {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.address));
        let request = request.header("content-type", "application/json");
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, body: serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default() }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(self.request("GET", path, token)).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.send(self.request("POST", path, token).body(body.to_string())).await
    }

    /// Signs somebody up who founds a company, and has a token in which it is named.
    pub(crate) async fn owner(&self, name: &str) -> Person {
        let who = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
        let session = self.post("/auth/v1/signup", "", who).await.body;
        let token = session["access_token"].as_str().unwrap_or_else(|| panic!("{session}"));
        let company = self.post("/rest/v1/rpc/create_company_with_owner", token, json!({ "name": name })).await.body;
        let refreshed = json!({ "refresh_token": session["refresh_token"] });
        let session = self.post("/auth/v1/token?grant_type=refresh_token", "", refreshed).await.body;
        Person { token: session["access_token"].as_str().unwrap().to_owned(), company: company["id"].as_str().unwrap().to_owned() }
    }

    /// Sets or removes a rate as the operator does.
    pub(crate) async fn rate(&self, function: &str, body: Value) {
        let answer = self.post(&format!("/rest/v1/rpc/{function}"), &self.service(), body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

/// Waits until something is so at a server, which has to be soon.
pub(crate) async fn soon(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !is_so().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Sets so many at once of each of these sorts for everybody, of which one comes back in a minute: in a test that is slow, too, none does.
async fn seldom(db: &Db, classes: &[&str], burst_max: i32) {
    let set =
        "insert into app.rate_limit_rules (class, counted, minute_max, burst_max) select unnest($1::text[]), 'caller', 1, $2::integer";
    db.superuser().await.execute(set, &[&classes, &burst_max]).await.unwrap();
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_when_to_come_back_and_nobody_else_is() {
    let db = Db::new().await;
    let rates = RatesConfig {
        export_minute_max: 1,
        report_generation_minute_max: 1,
        operations: vec!["my_companies=report_generation".to_owned()],
        ..RatesConfig::default()
    };
    seldom(&db, &["read", "write", "public"], 3).await;
    let server = Counting::start(&db, rates, |_| ()).await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let first = server.get(CUSTOMERS, &ann.token).await;
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(first.said("ratelimit-policy"), "\"read\";q=1;w=60");
    assert_eq!(first.said("ratelimit"), "\"read\";r=2;t=60");
    let older = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"].map(|name| first.said(name));
    assert_eq!(older, ["1", "2", "60"]);
    // A file is counted as such, too, and who has had his takes nothing more from what he reads.
    let file = || server.request("GET", CUSTOMERS, &ann.token).header("accept", "text/csv");
    assert_eq!(server.send(file()).await.status, 200);
    for _ in 0..5 {
        server.send(file()).await.too_often("export", "caller");
    }
    assert_eq!(server.get(CUSTOMERS, &ann.token).await.status, 200);
    let refused = server.get(CUSTOMERS, &ann.token).await;
    refused.too_often("read", "caller");
    assert_eq!(refused.said("ratelimit-remaining"), "0");
    // Naming another company moves nobody's counters, and Bob has his own.
    let elsewhere = server.request("GET", CUSTOMERS, &ann.token).header("x-company-id", &bob.company);
    server.send(elsewhere).await.too_often("read", "caller");
    assert_eq!(server.get(CUSTOMERS, &bob.token).await.said("ratelimit-remaining"), "2");
    // Writing is counted for itself, and a batch as often as it has requests: one founded the company, two are here.
    let step = json!({ "method": "POST", "path": "/customers", "body": { "first_name": "Ada", "phone": "+15550100" } });
    let batch = |steps: usize| json!({ "requests": vec![step.clone(); steps] });
    let written = server.post("/batch/v1", &ann.token, batch(2)).await;
    assert_eq!(written.status, 200, "{}", written.body);
    // So is a function that makes a report, also in a batch, which costs nothing when it is refused.
    assert_eq!(server.post("/rest/v1/rpc/my_companies", &bob.token, json!({})).await.status, 200);
    let reports = json!({ "requests": [{ "method": "POST", "path": "/rest/v1/rpc/my_companies", "body": {} }] });
    for _ in 0..3 {
        server.post("/batch/v1", &bob.token, reports.clone()).await.too_often("report_generation", "caller");
    }
    server.post("/batch/v1", &ann.token, batch(2)).await.too_often("write", "caller");
    // Without a token, or with a bad one, the address counts, and what a client says of it does not.
    for number in 0..3 {
        let token = if number == 1 { "no.good.token" } else { "" };
        let visit = server.request("GET", CUSTOMERS, token).header("x-forwarded-for", format!("198.51.100.{number}"));
        assert_eq!(server.send(visit).await.status, 401);
    }
    for token in ["", "no.good.token"] {
        let visit = server.request("GET", CUSTOMERS, token).header("x-forwarded-for", "203.0.113.9");
        server.send(visit).await.too_often("public", "caller");
    }
    let directory = server.get("/scim/v2/Users", "no.good.token").await;
    assert_eq!((directory.status, &directory.body["status"]), (429, &json!("429")), "nor are tokens of directories guessed");
    for _ in 0..20 {
        assert_eq!(server.get(CUSTOMERS, &server.service()).await.status, 200, "the operator's programs have no limit");
    }
    assert_eq!(server.get("/health/live", "").await.status, 200, "and health is nobody's");
    server.stop().await;
}

#[tokio::test]
async fn the_service_key_has_no_rate_unless_one_is_set() {
    let db = Db::new().await;
    let rates = RatesConfig {
        export_minute_max: 1,
        report_generation_minute_max: 1,
        operations: vec!["my_companies=report_generation".to_owned()],
        ..RatesConfig::default()
    };
    let server = Counting::start(&db, rates, |_| ()).await;
    let service = server.service();
    let file = || server.request("GET", CUSTOMERS, &service).header("accept", "text/csv");
    // Rates of operations are for people and their keys.
    for _ in 0..5 {
        assert_eq!(server.send(file()).await.status, 200);
        let called = server.post("/rest/v1/rpc/my_companies", &service, json!({})).await;
        assert_ne!(called.status, 429, "{}", called.body);
    }
    let ann = server.owner("ann").await;
    server.rate("set_rate_limit", json!({ "class": "service", "minute_max": 1, "burst_max": 3 })).await;
    soon("it is counted", async || server.get(CUSTOMERS, &service).await.said("ratelimit-limit") == "1").await;
    soon("it is refused", async || server.get(CUSTOMERS, &service).await.status == 429).await;
    server.get(CUSTOMERS, &service).await.too_often("service", "caller");
    assert_eq!(server.get(CUSTOMERS, &ann.token).await.status, 200, "members have rates of their own");
    server.stop().await;

    // By the configuration, too.
    let server = Counting::start(&db, RatesConfig { service_minute_max: 2, ..RatesConfig::default() }, |_| ()).await;
    db.superuser().await.batch_execute("delete from app.rate_limit_rules").await.unwrap();
    let service = server.service();
    soon("what was set is gone", async || server.get(CUSTOMERS, &service).await.said("ratelimit-limit") == "2").await;
    soon("it is refused", async || server.get(CUSTOMERS, &service).await.status == 429).await;
    server.stop().await;
}

#[tokio::test]
async fn of_twenty_requests_at_once_as_many_come_through_as_may() {
    let db = Db::new().await;
    seldom(&db, &["read"], 6).await;
    seldom(&db, &["export"], 4).await;
    let server = Counting::start(&db, RatesConfig::default(), |_| ()).await;
    let ann = server.owner("ann").await;
    let asked = (0..20).map(|_| server.send(server.request("GET", CUSTOMERS, &ann.token).header("accept", "text/csv")));
    let answers = futures_util::future::join_all(asked).await;
    let through = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(through, 4, "{answers:?}");
    answers.iter().filter(|answer| answer.status != 200).for_each(|refused| refused.too_often("export", "caller"));
    // Those who were refused as exports took nothing of what may be read.
    assert_eq!(server.get(CUSTOMERS, &ann.token).await.said("ratelimit-remaining"), "1");
    server.stop().await;
}

#[tokio::test]
async fn a_password_is_tried_five_times_a_minute() {
    let db = Db::new().await;
    seldom(&db, &["strict"], 5).await;
    let server = Counting::start(&db, RatesConfig::default(), |_| ()).await;
    server.owner("ann").await;
    let try_it = async |email: &str, password: &str| {
        server.post("/auth/v1/token?grant_type=password", "", json!({ "email": email, "password": password })).await
    };
    for _ in 0..5 {
        assert_eq!(try_it("bob@example.com", "wrong").await.status, 400);
    }
    let refused = try_it("bob@example.com", "wrong").await;
    assert_eq!((refused.status, &refused.body["error_code"]), (429, &json!("over_request_rate_limit")));
    assert!(!refused.said("retry-after").is_empty());
    // Whoever sits beside him signs in.
    assert_eq!(try_it("ann@example.com", PASSWORD).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn rates_change_while_servers_run() {
    let db = Db::new().await;
    let rates = || RatesConfig { read_minute_max: 1, ..RatesConfig::default() };
    let keys = tempfile::tempdir().unwrap();
    let shared = |settings: &mut Settings| settings.key_ring_file = Some(keys.path().join("keys.json"));
    let (one, other) = (Counting::start(&db, rates(), shared).await, Counting::start(&db, rates(), shared).await);
    let (ann, bob) = (one.owner("ann").await, one.owner("bob").await);
    let through = async |server: &Counting, who: &Person| server.get(CUSTOMERS, &who.token).await.status == 200;
    for server in [&one, &other] {
        assert!(through(server, &ann).await && through(server, &bob).await);
        assert!(!through(server, &ann).await && !through(server, &bob).await);
    }
    let limit = async |server: &Counting, who: &Person| server.get(CUSTOMERS, &who.token).await.said("ratelimit-limit").to_owned();
    // Hers, wherever she asks.
    one.rate("set_rate_limit", json!({ "class": "read", "minute_max": 1000, "company_id": ann.company })).await;
    for server in [&one, &other] {
        soon("she reads again", async || through(server, &ann).await).await;
        assert!(!through(server, &bob).await);
    }
    // Those of a tier, from the moment when a company has it.
    one.rate("set_rate_limit", json!({ "class": "read", "minute_max": 500, "tier": "pro" })).await;
    one.rate("set_company_subscription", json!({ "company_id": bob.company, "tier": "pro" })).await;
    for server in [&one, &other] {
        soon("his tier counts", async || limit(server, &bob).await == "500").await;
        assert_eq!(limit(server, &ann).await, "1000");
    }
    // Of the whole company, and not of the other one, whoever says so in a header.
    one.rate("set_rate_limit", json!({ "class": "write", "minute_max": 1, "company_id": ann.company, "counted": "company" })).await;
    one.rate("set_rate_limit", json!({ "class": "write", "minute_max": 1000 })).await;
    soon("everybody writes more", async || {
        one.post("/rest/v1/rpc/my_companies", &bob.token, json!({})).await.said("ratelimit-limit") == "1000"
    })
    .await;
    let as_her = || one.request("POST", "/rest/v1/customers", &bob.token).header("x-company-id", &ann.company).body("{}");
    for _ in 0..3 {
        assert_eq!(one.send(as_her()).await.status, 403);
    }
    assert_eq!(one.post("/rest/v1/rpc/my_companies", &ann.token, json!({})).await.status, 200);
    one.post("/rest/v1/rpc/my_companies", &ann.token, json!({})).await.too_often("write", "company");
    // Only watched, and without any.
    one.rate(
        "set_rate_limit",
        json!({ "class": "write", "minute_max": 1, "company_id": ann.company, "counted": "company", "shadow": true }),
    )
    .await;
    soon("nobody is refused", async || one.post("/rest/v1/rpc/my_companies", &ann.token, json!({})).await.status == 200).await;
    one.rate("set_rate_limit", json!({ "class": "read", "minute_max": null, "company_id": ann.company })).await;
    soon("there is no limit", async || limit(&one, &ann).await.is_empty()).await;
    one.rate("remove_rate_limit", json!({ "class": "read", "company_id": ann.company })).await;
    soon("there is one again", async || limit(&one, &ann).await == "1").await;
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn servers_count_together_through_redis_and_go_on_without() {
    let db = Db::new().await;
    let (mut redis, keys) = (Redis::start(), tempfile::tempdir().unwrap());
    let shared = |settings: &mut Settings| {
        settings.key_ring_file = Some(keys.path().join("keys.json"));
        settings.redis = RedisConfig { url: Some(Secret::new(redis.url())), command_time_ms: 10_000, ..RedisConfig::default() };
    };
    let rates = || RatesConfig { export_minute_max: 1, ..RatesConfig::default() };
    seldom(&db, &["read"], 2).await;
    let (one, other) = (Counting::start(&db, rates(), shared).await, Counting::start(&db, rates(), shared).await);
    let ann = one.owner("ann").await;
    assert_eq!(one.get(CUSTOMERS, &ann.token).await.said("ratelimit-remaining"), "1");
    assert_eq!(other.get(CUSTOMERS, &ann.token).await.said("ratelimit-remaining"), "0");
    for server in [&one, &other] {
        server.get(CUSTOMERS, &ann.token).await.too_often("read", "caller");
    }
    let health = async || one.get("/api/health", "").await.body["services"]["redis"].clone();
    assert_eq!(health().await, "healthy");
    redis.kill();
    let bob = one.owner("bob").await;
    for server in [&one, &other] {
        assert_eq!([server.get(CUSTOMERS, &bob.token).await.status, server.get(CUSTOMERS, &bob.token).await.status], [200, 200]);
        server.get(CUSTOMERS, &bob.token).await.too_often("read", "caller");
    }
    assert_eq!(health().await, "unhealthy");
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn requests_are_counted_by_the_tier_of_the_company_that_they_were_for() {
    let db = Db::new().await;
    // Nobody is refused, and tiers are told all the same.
    let server = Counting::start(&db, RatesConfig::default(), |settings| settings.rates.mode = Some(Mode::Off)).await;
    let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
    let subscription = json!({ "company_id": ann.company, "tier": "pro" });
    server.rate("set_company_subscription", subscription).await;
    let counted = async |status: u16, tier: &str| {
        let text = server.client.get(format!("{}/metrics", server.address)).send().await.unwrap().text().await.unwrap();
        let line = format!("http_requests_total{{method=\"GET\",route=\"/rest/v1/{{relation}}\",status=\"{status}\",tier=\"{tier}\"}} ");
        text.lines().find_map(|found| found.strip_prefix(&line)).map_or(0, |number| number.parse::<u64>().unwrap())
    };
    for (person, tier) in [(&ann, "pro"), (&bob, "free")] {
        soon("the tier is known", async || {
            let before = counted(200, tier).await;
            assert_eq!(server.get(CUSTOMERS, &person.token).await.status, 200);
            counted(200, tier).await == before + 1
        })
        .await;
    }
    // Whoever is not let into a company counts for his own, and whoever has none for none.
    let (own, theirs) = (counted(403, "free").await, counted(403, "pro").await);
    let refused = server.send(server.request("GET", CUSTOMERS, &bob.token).header("x-company-id", &ann.company)).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert_eq!((counted(403, "free").await, counted(403, "pro").await), (own + 1, theirs));
    let before = counted(401, "none").await;
    assert_eq!(server.get(CUSTOMERS, "").await.status, 401);
    assert_eq!(counted(401, "none").await, before + 1);
    // A token without a company, and a header that names it.
    let who = json!({ "email": "ann@example.com", "password": PASSWORD });
    let session = server.post("/auth/v1/token?grant_type=password", "", who).await.body;
    let by_header = || server.request("GET", CUSTOMERS, session["access_token"].as_str().unwrap()).header("x-company-id", &ann.company);
    let before = counted(200, "pro").await;
    assert_eq!(server.send(by_header()).await.status, 200);
    assert_eq!(counted(200, "pro").await, before + 1);
    server.stop().await;
}
