//! People who are erased while others stay: nothing of them is in tables, files and logs of a server that says much, and the audit still verifies.
//!
//! Invariant: the search is not believed where it finds nothing: it has to find those who stay. `PEOPLE` makes the short form the long proof.

use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::process::{Program, command, folder, number, sql};

const PASSWORD: &str = "correct horse battery staple";
/// How long erasing one person may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// The server says much, and copies of the database, which nobody takes one person out of, are not made.
const SETTINGS: [(&str, &str); 4] = [
    ("THORBIS_LOG__FILTER", "debug"),
    ("THORBIS_MAINTENANCE__UPKEEP_INTERVAL_MS", "500"),
    ("THORBIS_BACKUP__ENABLED", "false"),
    ("THORBIS_STORAGE__TRASH_DAYS", "30"),
];

struct Ann {
    url: String,
    token: String,
    company: String,
    client: Client,
}

impl Ann {
    async fn found(server: &Program) -> Self {
        crate::bare::know_tls();
        let mut ann = Self { url: server.url.clone(), token: String::new(), company: String::new(), client: Client::new() };
        let who = json!({ "email": "ann@example.com", "password": PASSWORD });
        ann.token = ann.ask(Method::POST, "/auth/v1/signup", Some(who)).await.1["access_token"].as_str().unwrap().to_owned();
        let company = ann.ask(Method::POST, "/rest/v1/rpc/create_company_with_owner", Some(json!({ "name": "Ann's" }))).await.1;
        ann.company = company["id"].as_str().unwrap_or_else(|| panic!("{company}")).to_owned();
        ann
    }

    fn at(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url)).header("prefer", "return=representation");
        let request = if self.token.is_empty() { request } else { request.bearer_auth(&self.token) };
        if self.company.is_empty() { request } else { request.header("x-company-id", &self.company) }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = self.at(method, path);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    async fn add(&self, table: &str, row: Value) -> String {
        let (status, made) = self.ask(Method::POST, &format!("/rest/v1/{table}"), Some(row)).await;
        assert_eq!(status, 201, "{table}: {made}");
        made[0]["id"].as_str().unwrap().to_owned()
    }

    /// Makes somebody with rows and a file, asks for him in ways that a log may tell of, and returns his id.
    async fn person(&self, word: &str) -> String {
        let email = format!("{word}@example.com");
        let row = json!({ "first_name": word, "last_name": "Person", "email": email, "phone": "+15550100", "notes": word });
        let id = self.add("customers", row).await;
        let job = self.add("jobs", json!({ "customer_id": id, "title": format!("Repair at {word}") })).await;
        self.add("notes", json!({ "entity_type": "job", "entity_id": job, "content": word })).await;
        self.add("communications", json!({ "customer_id": id, "type": "email", "to_address": email, "body": word })).await;
        let path = format!("/storage/v1/object/attachments/{}/{job}/{word}.txt", self.company);
        let stored =
            self.at(Method::POST, &path).header("content-type", "text/plain").body(format!("a photo of {word}")).send().await.unwrap();
        assert_eq!(stored.status(), 200, "{}", stored.text().await.unwrap());
        for (method, path, body) in [
            (Method::GET, format!("/rest/v1/customers?select=id&email=eq.{email}"), None),
            (Method::GET, format!("/rest/v1/customers?select=id&no_such_column=eq.{email}"), None),
            (Method::POST, "/rest/v1/rpc/search_customers".to_owned(), Some(json!({ "query": word }))),
            (Method::POST, "/rest/v1/customers".to_owned(), Some(json!({ "first_name": word, "email": format!("{word} has no address") }))),
            (Method::POST, "/rest/v1/customers".to_owned(), Some(json!({ "id": id, "first_name": word, "email": email }))),
            (Method::POST, "/auth/v1/token?grant_type=password".to_owned(), Some(json!({ "email": email, "password": PASSWORD }))),
            (Method::GET, format!("/storage/v1/object/authenticated/attachments/{}/{word}.txt", self.company), None),
        ] {
            self.ask(method, &path, body).await;
        }
        id
    }

    async fn erased(&self, id: &str) -> Value {
        let (status, asked) = self.ask(Method::POST, "/api/gdpr/erase", Some(json!({ "customer_id": id, "confirm": true }))).await;
        assert_eq!(status, 202, "{asked}");
        let (path, deadline) = (format!("/api/gdpr/erasures/{}", asked["data"]["id"].as_str().unwrap()), Instant::now() + PATIENCE);
        loop {
            let told = self.ask(Method::GET, &path, None).await.1;
            if told["data"]["status"] == "completed" {
                return told["data"]["counts"].clone();
            }
            assert!(Instant::now() < deadline, "{told}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The files under a folder that have a word; those of PostgreSQL, which keeps what it wrote until it needs the room, are looked at in its tables.
fn files_with(folder: &Path, word: &str) -> Vec<String> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(if path.ends_with("postgres/cluster") { vec![] } else { files_with(&path, word) });
        } else if std::fs::read(&path).is_ok_and(|bytes| memchr::memmem::find(&bytes, word.as_bytes()).is_some()) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// The tables that have a word.
fn tables_with(folder: &Path, word: &str) -> String {
    // Changes go from the feed when every server has read them.
    sql(folder, "delete from app.change_outbox");
    let search = include_str!("../it/privacy/search.sql");
    sql(folder, &format!("{search} select string_agg(split_part(found, ' ', 1), ' ') from pg_temp.search('{word}') found"))
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_erased_is_found_nowhere() {
    let (folder, count) = (folder(), number("PEOPLE", 2));
    let server = Program::start_with(folder.path(), &SETTINGS);
    let ann = Ann::found(&server).await;
    let mut ids = vec![];
    for person in 0..count {
        ids.push((ann.person(&format!("zqgoes{person}x")).await, ann.person(&format!("zqstays{person}x")).await));
    }
    let begun = Instant::now();
    for (goes, _) in &ids {
        let counts = ann.erased(goes).await;
        assert!(counts["public.notes"] == 1 && counts["storage.objects"] == 1, "{counts}");
    }
    let took = begun.elapsed();
    for (person, (goes, stays)) in ids.iter().enumerate() {
        assert!(tables_with(folder.path(), &format!("zqstays{person}x")).contains("customers"), "who stays is found");
        let (status, told) = ann.ask(Method::GET, &format!("/api/gdpr/export?customer_id={stays}"), None).await;
        assert!(status == 200 && told.to_string().contains(&format!("zqstays{person}x")));
        let (_, told) = ann.ask(Method::GET, &format!("/api/gdpr/export?customer_id={goes}"), None).await;
        assert!(!told.to_string().contains("zqgoes"), "{told}");
    }
    assert_eq!(tables_with(folder.path(), "zqgoes"), "");
    // Bytes of files go a moment after their rows.
    let data = folder.path().join("data");
    let deadline = Instant::now() + PATIENCE;
    while !files_with(&data, "zqgoes").is_empty() {
        assert!(Instant::now() < deadline, "{:?}", files_with(&data, "zqgoes"));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(files_with(&data, "a photo of zqstays").len(), usize::try_from(count).unwrap());
    // The log tells of requests, and of nobody in them.
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("/rest/v1/customers"), "the log tells of requests");
    for word in ["zqgoes", "zqstays"] {
        let line = log.lines().find(|line| line.contains(word));
        assert_eq!(line, None);
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let verified = command(folder.path(), &["audit", "verify"]).output().unwrap();
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(!said.contains("edited") && !said.contains("vouched"), "{said}");
        if verified.status.success() && !said.contains(" 0 without their words") {
            break;
        }
        assert!(Instant::now() < deadline, "{said}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let nobody = command(folder.path(), &["privacy", "export", "zqgoes0x@example.com"]).output().unwrap();
    assert!(!nobody.status.success() && String::from_utf8_lossy(&nobody.stderr).contains("person_not_found"));
    let somebody = command(folder.path(), &["privacy", "export", "zqstays0x@example.com"]).output().unwrap();
    assert!(somebody.status.success() && String::from_utf8_lossy(&somebody.stdout).contains("zqstays0x"));
    let erased = command(folder.path(), &["privacy", "erase", "zqstays0x@example.com", "--yes"]).output().unwrap();
    assert!(erased.status.success(), "{}", String::from_utf8_lossy(&erased.stderr));
    assert_eq!(tables_with(folder.path(), "zqstays0x"), "");
    println!(
        "{count} people: {} ms each to erase; no canary of them in tables, files and the log, and the audit verifies",
        took.as_millis() / u128::from(count)
    );
    server.stop();
}
