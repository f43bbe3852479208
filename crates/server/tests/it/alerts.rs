//! Alerts: each rule of the server's own is broken for real, and somebody is told of it by every channel; who may ask, and what is silent.
//!
//! `ALERTS_INTERVAL` is the number of seconds between two looks: 1 unless told otherwise; with more, rules hold as they are delivered.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use kernel::Secret;
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::Db;
use tokio::net::TcpListener;

use crate::audit::{until, url};
use crate::bare::{know_tls, without_database};

const COMPANY: &str = "01900000-0000-7000-8000-0000000000aa";
/// What an alert may take from its cause to its channel.
const SOON: Duration = Duration::from_mins(5);

/// Takes messages as Slack does.
#[derive(Clone, Default)]
struct Taker(Arc<Mutex<Vec<String>>>);

impl Taker {
    async fn begin(&self, status: StatusCode) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/services/T0/hunter2", listener.local_addr().unwrap());
        let take = move |State(taker): State<Self>, Json(body): Json<Value>| async move {
            taker.0.lock().unwrap().push(body["text"].as_str().unwrap().to_owned());
            status
        };
        let routes = Router::new().route("/services/T0/hunter2", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        url
    }

    fn has(&self, what: &str) -> bool {
        self.0.lock().unwrap().iter().any(|text| text.contains(what))
    }

    /// Waits for a message; returns how long.
    async fn until(&self, what: &str) -> Duration {
        let begun = Instant::now();
        while !self.has(what) {
            assert!(begun.elapsed() < patience(), "never told: {what}\n{:#?}", self.0.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        begun.elapsed()
    }
}

struct House {
    db: Db,
    folder: TempDir,
    server: server::RunningServer,
    client: Client,
}

#[expect(clippy::disallowed_methods, reason = "a proof says how far apart looks are")]
fn interval() -> u64 {
    std::env::var("ALERTS_INTERVAL").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// How long is waited for a message.
fn patience() -> Duration {
    if interval() == 1 { Duration::from_mins(1) } else { SOON }
}

impl House {
    async fn new(webhooks: Vec<String>) -> Self {
        know_tls();
        let db = Db::new().await;
        let folder = tempfile::tempdir().unwrap();
        let mut settings = without_database(&folder);
        settings.environment = server::config::Environment::Development;
        settings.database.url = Some(Secret::new(url(&db.server_config())));
        settings.database.start_wait_ms = 60_000;
        settings.queue.worker = false;
        settings.alerts.interval_seconds = interval();
        settings.alerts.mail_to = vec!["ops@example.com".to_owned()];
        settings.alerts.webhook_urls = webhooks.into_iter().map(Secret::new).collect();
        settings.alerts.private_addresses_allowed = true;
        settings.alerts.in_app_company = Some(COMPANY.parse().unwrap());
        let client = db.superuser().await;
        client
            .batch_execute(
                "insert into auth.users (id, email) values ('01900000-0000-7000-8000-000000000101', 'olga@example.com');
                 insert into public.companies (id, name, slug) values ('01900000-0000-7000-8000-0000000000aa', 'The operator', 'op');
                 insert into public.team_members (company_id, user_id, email, name, role, status)
                 values ('01900000-0000-7000-8000-0000000000aa', '01900000-0000-7000-8000-000000000101', 'olga@example.com', 'Olga', 'owner', 'active');
                 -- What other databases of the cluster do is not looked at here, unless a test wants it.
                 update app.alert_rules set is_enabled = false, is_changed = true where name in ('slot_lag', 'disk_forecast', 'disk_free', 'connections');
                 update app.alert_rules set calm_s = 1",
            )
            .await
            .unwrap();
        if interval() == 1 {
            client.batch_execute("update app.alert_rules set hold_s = 0").await.unwrap();
        }
        let server = Box::pin(server::start(settings)).await.unwrap();
        Self { db, folder, server, client: Client::new() }
    }

    async fn execute(&self, sql: &str) {
        self.db.superuser().await.batch_execute(sql).await.unwrap();
    }

    async fn ask(&self, sql: &str) -> String {
        let row = self.db.superuser().await.query_one(&format!("select ({sql})::text"), &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_else(|| "null".to_owned())
    }

    fn key(&self) -> String {
        self.server.keys().service().token.expose().clone()
    }

    async fn call(&self, token: &str, company: &str, (method, path): (&str, &str), body: &Value) -> (u16, String) {
        let url = format!("http://{}{path}", self.server.address().unwrap());
        let mut asked = self.client.request(method.parse().unwrap(), url).header("content-type", "application/json");
        if !company.is_empty() {
            asked = asked.header("x-company-id", company);
        }
        if !token.is_empty() {
            asked = asked.bearer_auth(token);
        }
        let answer = asked.body(if method == "GET" { String::new() } else { body.to_string() }).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn rpc(&self, function: &str, body: Value) -> (u16, String) {
        self.call(&self.key(), "", ("POST", &format!("/rest/v1/rpc/{function}")), &body).await
    }

    async fn enable(&self, rule: &str, threshold: &str) {
        self.execute(&format!("update app.alert_rules set is_enabled = true, threshold = {threshold} where name = '{rule}'")).await;
    }
}

#[tokio::test]
async fn errors_are_told_by_every_channel_again_and_when_they_are_over() {
    let (good, bad) = (Taker::default(), Taker::default());
    let urls = vec![bad.begin(StatusCode::INTERNAL_SERVER_ERROR).await, good.begin(StatusCode::OK).await];
    let house = House::new(urls).await;
    house.execute("update app.alert_rules set remind_s = 2, window_s = 3600 where name = 'errors'").await;
    house
        .execute(
            "create function public.breaks() returns void language plpgsql as $$ begin raise exception using errcode = 'XX000', message = 'broken'; end $$;
             grant execute on function public.breaks() to service_role; notify pgrst, 'reload schema'",
        )
        .await;
    // One more than is allowed; the first ones may come before the function is known.
    let (mut errors, begun) = (0, Instant::now());
    while errors < 51 {
        let (status, _) = house.rpc("breaks", json!({})).await;
        errors += u32::from(status == 500);
        assert!(begun.elapsed() < Duration::from_mins(2), "{errors} errors, the last answer was {status}");
    }
    good.until(":rotating_light: Alert: Requests that failed by our fault: 5").await;
    good.until(":rotating_light: Still an alert: Requests that failed by our fault").await;
    // However slowly they came, now they lie behind.
    house.execute("update app.alert_rules set window_s = 1 where name = 'errors'").await;
    good.until(":white_check_mark: Resolved: Requests that failed by our fault").await;
    // Tried, though it fails.
    bad.until("Alert: Requests that failed").await;
    until(
        &house.db,
        "exists (select from app.captured_messages m where m.recipient = 'ops@example.com' and m.subject ~ '^Alert: Requests that failed')",
    )
    .await;
    until(
        &house.db,
        "exists (select from public.notification_queue n where n.channel = 'in_app' and n.subject ~ '^Alert: Requests that failed')",
    )
    .await;
    // What failed is shown, and by nothing that lets in.
    let (status, alerts) = house.rpc("alerts", json!({})).await;
    assert_eq!(status, 200, "{alerts}");
    let alerts: Value = serde_json::from_str(&alerts).unwrap();
    let errors = alerts.as_array().unwrap().iter().find(|alert| alert["rule"] == "errors").unwrap();
    let failed = errors["deliveries"].as_array().unwrap().iter().find(|told| told["channel"] == "webhook:1").unwrap();
    assert_eq!((&failed["error"], &failed["done_at"]), (&json!("it answered 500"), &Value::Null));
    assert!(!alerts.to_string().contains("hunter2"));
    house.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn every_rule_is_told_of_when_it_is_broken() {
    let taker = Taker::default();
    let house = House::new(vec![taker.begin(StatusCode::OK).await]).await;
    let mut slowest = ("nothing", Duration::ZERO);
    let mut told = 0;
    let mut note = |rule, took| {
        told += 1;
        if took > slowest.1 {
            slowest = (rule, took);
        }
    };

    // A transaction that somebody forgot.
    let other = house.db.superuser().await;
    other.batch_execute("begin; select 1").await.unwrap();
    note("slow_transactions", taker.until("The longest transaction that is open").await);
    other.batch_execute("rollback").await.unwrap();
    taker.until("Resolved: The longest transaction that is open").await;

    // More connections than the share that is allowed: ten of those that there may be.
    let room: f64 = house.ask("select current_setting('max_connections')::float8").await.parse().unwrap();
    house.enable("connections", &format!("{}", 1000.0 / room)).await;
    let mut held = Vec::new();
    for _ in 0..12 {
        held.push(house.db.superuser().await);
    }
    note("connections", taker.until("Connections to PostgreSQL that are used").await);
    drop(held);

    // A backup of the day before yesterday; before there was one there is no data.
    assert_eq!(house.ask("select state from public.alert_rules() where name = 'backup_age'").await, "no data");
    metrics::gauge!("last_backup_age_seconds").set(172_800.0);
    note("backup_age", taker.until("The age of the last backup: 172800 s, allowed up to 90000 s").await);
    metrics::gauge!("last_backup_age_seconds").set(60.0);
    taker.until("Resolved: The age of the last backup").await;

    // A task that nobody does.
    house
        .execute(&format!(
            "insert into app.tasks (company_id, id, kind, run_at, attempts_max, payload)
             values ('{COMPANY}', '01900000-0000-7000-8000-000000000901', 'send_email', now() - interval '1 hour', 1, '{{}}')"
        ))
        .await;
    note("queue_age", taker.until("How long the oldest task that could begin has waited: 36").await);
    house.execute("delete from app.tasks").await;
    taker.until("Resolved: How long the oldest task").await;

    // Log that is kept for whoever does not come.
    house.enable("slot_lag", "1000000").await;
    let slot = format!("alerts_{}", std::process::id());
    house.execute(&format!("select pg_create_physical_replication_slot('{slot}', true)")).await;
    house.execute("create table public.written as select repeat('x', 200) as what from generate_series(1, 20000)").await;
    note("slot_lag", taker.until("Log that PostgreSQL keeps for the slot that lags most").await);
    house.execute(&format!("select pg_drop_replication_slot('{slot}')")).await;

    // A disk that fills while one looks, and for as long as one waits: with few looks a straight line needs a while.
    let window = (interval() * 6).max(60);
    house.execute(&format!("update app.alert_rules set window_s = {window}, hold_s = 0 where name = 'disk_forecast'")).await;
    house.enable("disk_forecast", "8000").await;
    let (begun, filler) = (Instant::now(), house.folder.path().join("filler"));
    let mut file = std::fs::File::create(&filler).unwrap();
    // Not without end, whatever else happens on the disk.
    let piece = vec![7; 800_000_000 / usize::try_from(patience().as_secs() * 5).unwrap()];
    while !taker.has("Until the disk is full, as it fills now") {
        assert!(begun.elapsed() < patience(), "never told of the disk");
        file.write_all(&piece).unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    note("disk_forecast", begun.elapsed());
    std::fs::remove_file(&filler).unwrap();

    // Less room than is allowed.
    house.enable("disk_free", "100").await;
    note("disk_free", taker.until("Room on the disk of the data folder").await);

    // Changed rows that come late.
    house.enable("feed_lag", "-1").await;
    metrics::gauge!("change_feed_lag_seconds").set(99.0);
    note("feed_lag", taker.until("How late changed rows come to servers").await);

    // A certificate that nobody could renew.
    metrics::gauge!("certificate_expires_seconds").set(86_400.0);
    note("certificate_end", taker.until("Until the certificate for TLS ends: 86400 s").await);
    metrics::gauge!("certificate_order_failures").set(3.0);
    note("certificate_orders", taker.until("Orders of a certificate that failed one after another: 3 times").await);

    // What a program has to say.
    assert_eq!(house.rpc("send_alert", json!({ "message": "High connection count: 81" })).await.0, 200);
    note("told", taker.until("Alert: High connection count: 81").await);
    assert!(slowest.1 < SOON);
    println!("{told} alerts, the slowest ({}) after {} s", slowest.0, slowest.1.as_secs());
    house.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn requests_that_take_long_are_told_of() {
    let taker = Taker::default();
    let house = House::new(vec![taker.begin(StatusCode::OK).await]).await;
    house.enable("slow_requests", "0").await;
    house
        .execute(
            "create function public.takes_long() returns void language sql as $$ select pg_sleep(5.2) $$;
             grant execute on function public.takes_long() to service_role; notify pgrst, 'reload schema'",
        )
        .await;
    let begun = Instant::now();
    while house.rpc("takes_long", json!({})).await.0 == 404 {
        assert!(begun.elapsed() < Duration::from_mins(1), "never known");
    }
    taker.until("Requests that took longer than 5 s: 1 in 5 min").await;
    house.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_silent_is_told_when_the_silence_is_over() {
    let taker = Taker::default();
    let house = House::new(vec![taker.begin(StatusCode::OK).await]).await;
    let silence = json!({ "name": "told", "until": "2999-01-01", "reason": "we move" });
    let (status, said) = house.rpc("silence_alert", silence).await;
    assert!(status == 422 && said.contains("alert_silence_invalid"), "{status} {said}");
    house.execute("select public.silence_alert('told', now() + interval '1 hour', 'we move')").await;
    for _ in 0..3 {
        assert_eq!(house.rpc("send_alert", json!({ "message": "The bridge is up" })).await.0, 200);
    }
    until(&house.db, "(select coalesce(read_at > (select raised_at from app.alerts), false) from app.alert_rules where name = 'told')")
        .await;
    assert_eq!(house.ask("select count(*) || ' ' || sum(times) || ' ' || count(told_at) from app.alerts").await, "1 3 0");
    assert_eq!(house.ask("select state from public.alert_rules() where name = 'told'").await, "silent");
    assert!(!taker.has("The bridge is up"));
    house.execute("select public.silence_alert('told', null)").await;
    taker.until("Alert: The bridge is up").await;
    // What nobody says any more is over.
    house.execute("update app.alert_rules set window_s = 1 where name = 'told'").await;
    taker.until("Resolved: The bridge is up").await;
    house.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn nobody_but_the_service_reads_or_changes_anything_of_it() {
    let house = House::new(Vec::new()).await;
    let sign_up = json!({ "email": "eve@example.com", "password": "correct horse battery staple" });
    let (_, said) = house.call("", "", ("POST", "/auth/v1/signup"), &sign_up).await;
    let member: Value = serde_json::from_str(&said).unwrap();
    let member = member["access_token"].as_str().unwrap().to_owned();
    let (status, _) = house.call(&member, "", ("POST", "/rest/v1/rpc/create_company_with_owner"), &json!({ "name": "Eve's" })).await;
    assert_eq!(status, 200);
    let functions = [
        ("alert_rules", json!({})),
        ("alerts", json!({})),
        ("send_alert", json!({ "message": "x" })),
        ("set_alert_rule", json!({ "name": "errors", "threshold": 1 })),
        ("silence_alert", json!({ "name": "errors", "until": null })),
    ];
    for (function, body) in &functions {
        let path = format!("/rest/v1/rpc/{function}");
        for (token, expected) in [("", [401, 404]), (member.as_str(), [403, 404])] {
            let (status, said) = house.call(token, "", ("POST", &path), body).await;
            assert!(expected.contains(&status), "{function}: {status} {said}");
        }
        // A program that works in a company is no operator.
        let (status, said) = house.call(&house.key(), COMPANY, ("POST", &path), body).await;
        assert!(status == 403 && said.contains("alerts_not_yours"), "{function}: {status} {said}");
    }
    for view in ["database_performance", "slow_queries", "connection_stats", "blocking_queries", "table_sizes", "index_use", "table_bloat"]
    {
        let path = format!("/rest/v1/{view}?limit=3");
        for (token, expected) in [("", [401, 404]), (member.as_str(), [403, 404])] {
            let (status, said) = house.call(token, "", ("GET", &path), &Value::Null).await;
            assert!(expected.contains(&status), "{view}: {status} {said}");
        }
        let (status, said) = house.call(&house.key(), "", ("GET", &path), &Value::Null).await;
        assert!(status == 200 && said.starts_with('['), "{view}: {status} {said}");
    }
    for (function, body, status, code) in [
        ("send_alert", json!({ "message": " " }), 422, "alert_text_invalid"),
        ("set_alert_rule", json!({ "name": "nothing" }), 404, "alert_rule_not_found"),
        ("set_alert_rule", json!({ "name": "errors", "severity": "loud" }), 422, "alert_rule_invalid"),
        ("silence_alert", json!({ "name": "nothing", "until": null }), 404, "alert_rule_not_found"),
    ] {
        let (answered, said) = house.rpc(function, body).await;
        assert!(answered == status && said.contains(code), "{function}: {answered} {said}");
    }
    assert_eq!(house.rpc("set_alert_rule", json!({ "name": "errors", "threshold": 7 })).await, (200, "true".to_owned()));
    assert_eq!(house.ask("select threshold || ' ' || is_changed from app.alert_rules where name = 'errors'").await, "7 true");
    house.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn whoever_waits_for_a_lock_is_shown_with_who_holds_it() {
    let house = House::new(Vec::new()).await;
    house.execute("create table public.held (id integer primary key); insert into public.held values (1)").await;
    let (holder, waiter) = (house.db.superuser().await, house.db.superuser().await);
    holder.batch_execute("begin; update public.held set id = 1").await.unwrap();
    let waiting = tokio::spawn(async move { waiter.batch_execute("update public.held set id = 1 /* waits */").await });
    let begun = Instant::now();
    loop {
        let (status, said) = house.call(&house.key(), "", ("GET", "/rest/v1/blocking_queries"), &Value::Null).await;
        assert_eq!(status, 200, "{said}");
        if said.contains("/* waits */") && said.contains("\"holding_state\":\"idle in transaction\"") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "never shown: {said}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    holder.batch_execute("commit").await.unwrap();
    waiting.await.unwrap().unwrap();
    house.server.shutdown().await.unwrap();
}
