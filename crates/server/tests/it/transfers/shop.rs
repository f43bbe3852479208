//! A server with two companies and people of several roles in one of them.

use std::time::{Duration, Instant};

use limits::{Mode, RatesConfig};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use server::config::Settings;
use testkit::Db;

use crate::rates::{Answer, Counting, Person};

/// How long one task may take: less than the pause behind an attempt that failed.
const TASK_TIME: Duration = Duration::from_secs(50);
/// How long all of them may take.
const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) struct Shop {
    pub(crate) db: Db,
    pub(crate) server: Counting,
    /// The owner of one company.
    pub(crate) ann: Person,
    /// The owner of the other.
    pub(crate) bob: Person,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::open_with(|_| ()).await
    }

    pub(crate) async fn open_with(also: impl FnOnce(&mut Settings)) -> Self {
        let db = Db::new().await;
        let server = Counting::start(&db, RatesConfig::default(), |settings| {
            settings.rates.mode = Some(Mode::Shadow);
            settings.blobs.free_bytes_min = 0;
            also(settings);
        })
        .await;
        let (ann, bob) = (server.owner("ann").await, server.owner("bob").await);
        Self { db, server, ann, bob }
    }

    /// Signs somebody up who is in Ann's company.
    pub(crate) async fn member(&self, role: &str) -> Person {
        let who = json!({ "email": format!("{role}@example.com"), "password": "correct horse battery staple" });
        let session = self.server.post("/auth/v1/signup", "", who).await.body;
        let id = session["user"]["id"].as_str().unwrap_or_else(|| panic!("{session}"));
        let row = json!({ "company_id": self.ann.company, "user_id": id, "role": role, "status": "active" });
        let added = self.server.post("/rest/v1/team_members", &self.server.service(), row).await;
        assert_eq!(added.status, 201, "{}", added.body);
        Person { token: session["access_token"].as_str().unwrap().to_owned(), company: self.ann.company.clone() }
    }

    pub(crate) fn request(&self, method: &str, path: &str, who: &Person) -> RequestBuilder {
        self.server.request(method, path, &who.token).header("x-company-id", &who.company)
    }

    pub(crate) async fn get(&self, path: &str, who: &Person) -> Answer {
        self.server.send(self.request("GET", path, who)).await
    }

    pub(crate) async fn post(&self, path: &str, who: &Person, body: Value) -> Answer {
        self.server.send(self.request("POST", path, who).body(body.to_string())).await
    }

    /// Asks until what is answered has this status, and returns it.
    pub(crate) async fn until(&self, path: &str, who: &Person, status: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let body = self.get(path, who).await.body;
            if body["data"]["status"] == status {
                return body["data"].clone();
            }
            assert!(Instant::now() < deadline && body["data"]["status"] != "failed" || status == "failed", "not {status}: {body}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Fetches what a link leads to, without a token.
    pub(crate) async fn fetch(&self, url: &str, headers: &[(&str, &str)]) -> (u16, http::HeaderMap, String) {
        let path = url.strip_prefix("http://localhost:54321").unwrap_or(url);
        let request = self.server.client.get(format!("{}{path}", self.server.address));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.headers().clone(), answer.text().await.unwrap())
    }

    /// Makes so many customers of a company, as the owner of the tables.
    pub(crate) async fn customers(&self, who: &Person, count: i64) {
        let client = self.db.superuser().await;
        let company: uuid::Uuid = who.company.parse().unwrap();
        client
            .execute(
                "insert into public.customers (company_id, first_name, last_name, email, phone)
                 select $1, 'First' || n, 'Last ' || n, 'c' || n || '@example.com', '+1202555' || lpad(n::text, 4, '0') from generate_series(1, $2::bigint) n",
                &[&company, &count],
            )
            .await
            .unwrap();
    }

    /// Puts a task in as a program does, waits until it is over, and returns how.
    pub(crate) async fn task(&self, who: &Person, kind: &str, payload: Value) -> Value {
        let id = uuid::Uuid::now_v7().to_string();
        let row = json!({ "id": id, "job_type": kind, "payload": payload });
        let made = self.post("/rest/v1/background_jobs", who, row).await;
        assert_eq!(made.status, 201, "{}", made.body);
        self.ended(who, &id).await
    }

    /// Waits until a task is over, and returns how.
    pub(crate) async fn ended(&self, who: &Person, id: &str) -> Value {
        let path = format!("/rest/v1/background_jobs?select=status,result,error_message&id=eq.{id}");
        let mut last = Value::Null;
        let deadline = Instant::now() + TASK_TIME;
        while !["completed", "failed"].contains(&last["status"].as_str().unwrap_or_default()) {
            assert!(Instant::now() < deadline, "it is not over: {last} {}", self.task_row(id).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
            let body = self.get(&path, who).await.body;
            last = body.get(0).unwrap_or_else(|| panic!("he is not shown it: {body}")).clone();
        }
        last
    }

    /// Has the database write down what tasks say of how far they are.
    pub(crate) async fn listen(&self) {
        let ear = "create table app.heard (id bigint generated always as identity, task_id uuid, percent integer, message text);
                   create function app.hear() returns trigger language plpgsql security definer set search_path = '' as $$
                   begin insert into app.heard (task_id, percent, message) values (new.id, new.progress_percent, new.progress_message); return null; end $$;
                   create trigger hear after update of progress_percent, progress_message on app.tasks for each row execute function app.hear()";
        self.db.superuser().await.batch_execute(ear).await.unwrap();
    }

    /// Returns what a task said of how far it is, in turn.
    pub(crate) async fn heard(&self, id: &str) -> Vec<(i32, String)> {
        let id: uuid::Uuid = id.parse().unwrap();
        let heard = "select percent, message from app.heard where task_id = $1 order by id";
        self.db.superuser().await.query(heard, &[&id]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    async fn task_row(&self, id: &str) -> String {
        let row = self.db.superuser().await.query_opt("select t::text from app.tasks t where t.id = $1::text::uuid", &[&id]).await.unwrap();
        row.map_or_else(|| "it does not wait".to_owned(), |row| row.get(0))
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.db.superuser().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    #[track_caller]
    pub(crate) fn refused(answer: &Answer, status: u16, code: &str) {
        assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)), "{}", answer.body);
    }
}
