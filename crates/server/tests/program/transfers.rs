//! Many rows in and out again: how long that takes, and that the server's memory does not grow with them.
//!
//! Invariant: what is in memory of a file is bounded, whatever its size. `TRANSFER_ROWS` makes the short form the long proof.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::process::{Program, folder, number};

/// The owner of a company.
struct Ann {
    url: String,
    token: String,
    company: String,
    client: reqwest::Client,
}

impl Ann {
    async fn found(server: &Program) -> Self {
        crate::bare::know_tls();
        let client = reqwest::Client::new();
        let mut ann = Self { url: server.url.clone(), token: String::new(), company: String::new(), client };
        let who = json!({ "email": "ann@example.com", "password": "correct horse battery staple" });
        let session: Value = ann.at(Method::POST, "/auth/v1/signup").json(&who).send().await.unwrap().json().await.unwrap();
        ann.token = session["access_token"].as_str().unwrap_or_else(|| panic!("{session}")).to_owned();
        let company =
            ann.at(Method::POST, "/rest/v1/rpc/create_company_with_owner").json(&json!({ "name": "Ann's" })).send().await.unwrap();
        let company: Value = company.json().await.unwrap();
        ann.company = company["id"].as_str().unwrap_or_else(|| panic!("{company}")).to_owned();
        ann
    }

    fn at(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = if self.token.is_empty() { request } else { request.bearer_auth(&self.token) };
        if self.company.is_empty() { request } else { request.header("x-company-id", &self.company) }
    }
}

/// What may come on top, in kB.
const GROWTH_MAX: u64 = 96 * 1024;
/// How long a task may take for each thousand rows.
const PATIENCE_MS: u64 = 20_000;

fn file(rows: u64) -> String {
    let mut file = String::from("first_name,last_name,email,notes\n");
    for row in 0..rows {
        writeln!(file, "First{row},\"Last, {row}\",c{row}@example.com,\"a note of customer {row}, which is not short\"").unwrap();
    }
    file
}

/// Asks until it is over, and looks at the memory meanwhile. Returns what it came to.
async fn over(server: &Program, way: &Ann, path: &str, rows: u64, peak: &mut u64) -> Value {
    let deadline = Instant::now() + Duration::from_millis(PATIENCE_MS.saturating_mul(rows.div_ceil(1000)).max(60_000));
    loop {
        let body: Value = way.at(Method::GET, path).send().await.unwrap().json().await.unwrap();
        *peak = server.memory().max(*peak);
        if !["pending", "running", "undoing"].contains(&body["data"]["status"].as_str().unwrap()) {
            return body["data"].clone();
        }
        assert!(Instant::now() < deadline, "{body}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_rows_come_in_and_go_out() {
    let (rows, folder) = (number("TRANSFER_ROWS", 5000), folder());
    let server = Program::start(folder.path());
    let way = Ann::found(&server).await;
    let sent = way.at(Method::POST, "/api/v1/imports?table=customers&format=csv").body(file(rows)).send().await.unwrap();
    assert_eq!(sent.status(), 201);
    let sent: Value = sent.json().await.unwrap();
    let import = format!("/api/v1/imports/{}", sent["data"]["id"].as_str().unwrap());
    let memory = server.memory();
    let mut peak = memory;
    let begun = Instant::now();
    let started = way.at(Method::POST, &format!("{import}/start")).json(&json!({ "mode": "skip_errors" })).send().await.unwrap();
    assert_eq!(started.status(), 202);
    let done = over(&server, &way, &import, rows, &mut peak).await;
    let imported = begun.elapsed();
    assert_eq!((&done["status"], &done["rows_created"], &done["rows_failed"]), (&json!("completed"), &json!(rows), &json!(0)), "{done}");
    let begun = Instant::now();
    let wanted = json!({ "table": "customers", "format": "csv", "columns": ["id", "first_name", "last_name", "email", "notes"] });
    let asked: Value = way.at(Method::POST, "/api/v1/exports").json(&wanted).send().await.unwrap().json().await.unwrap();
    let export = format!("/api/v1/exports/{}", asked["data"]["id"].as_str().unwrap_or_else(|| panic!("{asked}")));
    let done = over(&server, &way, &export, rows, &mut peak).await;
    let exported = begun.elapsed();
    assert_eq!((&done["status"], &done["rows_done"]), (&json!("completed"), &json!(rows)), "{done}");
    let mut answer = reqwest::get(done["url"].as_str().unwrap()).await.unwrap();
    let (mut bytes, mut lines) = (0, 0_u64);
    while let Some(piece) = answer.chunk().await.unwrap() {
        bytes += piece.len();
        lines += u64::try_from(memchr::memchr_iter(b'\n', &piece).count()).unwrap();
    }
    assert_eq!(lines, rows + 1);
    peak = server.memory().max(peak);
    println!(
        "{rows} rows: imported in {:.1} s, exported in {:.1} s ({} MB), memory {} MB and at most {} MB more",
        imported.as_secs_f64(),
        exported.as_secs_f64(),
        bytes / 1_000_000,
        memory / 1024,
        (peak - memory) / 1024
    );
    assert!(peak < memory + GROWTH_MAX, "{memory} kB, then {peak} kB");
    server.stop();
}
