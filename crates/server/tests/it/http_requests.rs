//! Requests that SQL asks for: after the commit, once, and nowhere that the operator does not want them.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use http::StatusCode;
use postgres::migrate::{Bring, Migrator, Options, Project};
use testkit::Db;

use crate::audit::until;
use crate::bare::know_tls;
use crate::recurring::House;

/// Somebody else's server: keeps what it was asked, and answers by its path.
struct Other {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Other {
    async fn new() -> Self {
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let (listener, noted) = (tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(), Arc::clone(&heard));
        let address = format!("http://{}", listener.local_addr().unwrap());
        let answers = Router::new().fallback(move |request: Request| async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 2_000_000).await.unwrap();
            let header = |name: &str| parts.headers.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
            let line = format!("{} {} {} {} ", parts.method, parts.uri, header("authorization"), header("content-type"));
            noted.lock().unwrap().push(line + &String::from_utf8_lossy(&body));
            match parts.uri.path() {
                "/never" => std::future::pending().await,
                "/moved" => (StatusCode::FOUND, [("location", "/taken")], "").into_response(),
                "/large" => "x".repeat(1_100_000).into_response(),
                _ => (StatusCode::ACCEPTED, [("content-type", "text/plain"), ("x-kept", "yes")], "thanks\u{0}").into_response(),
            }
        });
        tokio::spawn(async move { axum::serve(listener, answers).await });
        Self { address, heard }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

/// Runs SQL as the service, in one transaction.
async fn as_service(house: &House, sql: &str) -> Result<(), tokio_postgres::Error> {
    house.db.superuser().await.batch_execute(&format!("begin; set local role service_role; {sql}; commit")).await
}

const ANSWERS: &str = "select string_agg(concat_ws('|', r.status_code, r.content_type, r.content, r.timed_out, r.error_msg), ' ' order by r.id) from net._http_response r";

#[tokio::test]
async fn what_sql_asks_for_is_asked_after_the_commit_and_forgotten() {
    let (house, other) = (House::new().await, Other::new().await);
    let at = &other.address;
    house.execute("update app.task_kinds set paused_until = 'infinity' where name = 'http_request'").await;
    let post = format!(
        "select net.http_post('{at}/hook', '{{\"id\": 7}}', '{{\"a\": \"b c\"}}', '{{\"Authorization\": \"Bearer s3cret\", \"Content-Type\": \"application/json\"}}')"
    );
    as_service(&house, &post).await.unwrap();
    as_service(&house, &format!("{post}; rollback; begin")).await.unwrap();
    assert_eq!(house.ask("select string_agg(method || ' ' || url, ',') from net.http_request_queue").await, format!("POST {at}/hook"));
    assert_eq!(house.ask("select count(*) from app.tasks where payload::text ~ 's3cret'").await, "0", "a task does not say it");
    assert!(other.take().is_empty());
    house.execute("update app.task_kinds set paused_until = null where name = 'http_request'").await;
    until(&house.db, "exists (select from net._http_response)").await;
    assert_eq!(other.take(), ["POST /hook?a=b+c Bearer s3cret application/json {\"id\": 7}"]);
    assert_eq!(house.ask(ANSWERS).await, "202|text/plain|thanks\u{fffd}|f");
    assert_eq!(house.ask("select headers ->> 'x-kept' from net._http_response").await, "yes");
    assert_eq!(
        house.ask("select count(*) from app.http_requests r where to_jsonb(r)::text ~ 's3cret'").await,
        "0",
        "what was asked is forgotten"
    );

    // The schedule of the documents, which calls the extension http.
    let scheduled = format!(
        "select cron.schedule('job-processor', '* * * * *', $$
           select extensions.http(('POST', '{at}/functions/v1/job-processor', array[extensions.http_header('Authorization', 'Bearer ' || 'key')],
                                   'application/json', '{{}}')::extensions.http_request) $$)"
    );
    as_service(&house, &scheduled).await.unwrap();
    let job = house.ask("select number from app.cron_entries where name = 'job-processor'").await;
    until(&house.db, &format!("(select isfinite(next_run_at) from app.cron_states where entry_id = {job})")).await;
    house.comes(&job).await;
    until(&house.db, "2 = (select count(*) from net._http_response)").await;
    assert_eq!(other.take(), ["POST /functions/v1/job-processor Bearer key application/json {}"]);
    house.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_goes_wrong_stands_in_the_answer() {
    let (house, other) = (House::new().await, Other::new().await);
    let at = &other.address;
    let nobody = "http://127.0.0.1:1";
    for call in [
        format!("net.http_get('{at}/never', timeout_milliseconds => 3000)"),
        format!("net.http_get('{at}/moved')"),
        format!("net.http_delete('{at}/gone', body => '{{}}')"),
        format!("net.http_get('{nobody}/')"),
        format!("net.http_get('{at}/', headers => '{{\"host\": \"metadata\"}}')"),
        "net.http_get('http://[/')".to_owned(),
    ] {
        as_service(&house, &format!("select {call}")).await.unwrap();
    }
    until(&house.db, "6 = (select count(*) from net._http_response)").await;
    let answers = house.ask(ANSWERS).await;
    for expected in [
        "t|no answer in time",
        "302|",
        "202|text/plain",
        "f|no answer: ",
        "f|a header is the connection's to say",
        "f|the address is no URL",
    ] {
        assert!(answers.contains(expected), "{expected}: {answers}");
    }
    assert!(!answers.contains("127.0.0.1:1/"), "no error repeats an address: {answers}");
    let mut heard = other.take();
    heard.sort();
    assert_eq!(heard, ["DELETE /gone - - {}", "GET /moved - - ", "GET /never - - "]);
    as_service(&house, &format!("select net.http_get('{at}/large')")).await.unwrap();
    until(&house.db, "7 = (select count(*) from net._http_response)").await;
    assert_eq!(house.ask("select length(content) from net._http_response order by id desc limit 1").await, "1048576");

    // What can never be asked is refused at once, and so is whoever may not ask.
    for (sql, code) in [
        ("select net.http_get('file:///etc/passwd')", "TH422"),
        ("select net.http_get(null)", "TH422"),
        ("select net.http_post('http://example.com', headers => '[]')", "TH422"),
        ("select extensions.http(('BREW', 'http://example.com', null, null, null)::extensions.http_request)", "TH422"),
        ("set local role authenticated; select net.http_get('http://example.com')", "42501"),
        ("set local role anon; select extensions.http(null)", "42501"),
        ("set local role authenticated; select * from net._http_response", "42501"),
    ] {
        let refused = as_service(&house, sql).await.unwrap_err();
        assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some(code), "{sql}: {refused}");
    }
    house.execute("insert into app.http_requests (company_id, method, url, timeout_ms) select app.no_company(), 'GET', 'http://example.com', 1 from generate_series(1, 1000)").await;
    let full = as_service(&house, "select net.http_get('http://example.com')").await.unwrap_err();
    assert_eq!(full.as_db_error().unwrap().constraint(), Some("http_requests_full"));
    let other = "insert into public.companies (id, name, slug) values ('01900000-0000-7000-8000-0000000000aa', 'Ann', 'ann')";
    house.execute(&format!("{other}; update app.http_requests set created_at = now() - interval '3 days'")).await;
    as_service(&house, "set local app.company_id = '01900000-0000-7000-8000-0000000000aa'; select net.http_get('http://127.0.0.1:1')")
        .await
        .unwrap();
    until(&house.db, "910 > (select count(*) from app.http_requests)").await;
    house.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_projects_triggers_tell_others_of_its_changes() {
    know_tls();
    let (db, other) = (Db::new().await, Other::new().await);
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("migrations")).unwrap();
    let file = format!(
        "create extension if not exists pg_net with schema extensions;
         create table public.plants (id int primary key, name text);
         create trigger told after insert or update or delete on public.plants for each row
           execute function supabase_functions.http_request('{at}/plants', 'POST', '{{\"Content-type\":\"application/json\"}}', '{{}}', '1000');
         create function public.tell() returns bigint language sql as $$ select net.http_post(url := '{at}/tell', body := '{{}}'::jsonb) $$;",
        at = other.address
    );
    std::fs::write(folder.path().join("migrations/1_plants.sql"), file).unwrap();
    let project = Project::open(folder.path()).unwrap();
    Migrator::new(db.migrator_config()).bring(&project, Bring::default(), &Options::default()).await.unwrap();
    let house = House::on(db).await;
    house.execute("set role project_owner; insert into public.plants values (1, 'fern'); update public.plants set name = 'moss'; delete from public.plants").await;
    house.execute("grant execute on function public.tell() to authenticated; set role authenticated; select public.tell()").await;
    until(&house.db, "4 = (select count(*) from net._http_response)").await;
    let mut heard = other.take();
    heard.sort();
    let told = |body: &str| format!("POST /plants - application/json {body}");
    let mut expected = [
        "POST /tell - application/json {}".to_owned(),
        told(r#"{"type": "INSERT", "table": "plants", "record": {"id": 1, "name": "fern"}, "schema": "public", "old_record": null}"#),
        told(
            r#"{"type": "UPDATE", "table": "plants", "record": {"id": 1, "name": "moss"}, "schema": "public", "old_record": {"id": 1, "name": "fern"}}"#,
        ),
        told(r#"{"type": "DELETE", "table": "plants", "record": null, "schema": "public", "old_record": {"id": 1, "name": "moss"}}"#),
    ];
    expected.sort();
    assert_eq!(heard, expected);
    house.server.shutdown().await.unwrap();
}
