//! What a client is told while there is no connection or no database, and that it goes on by itself afterwards.

use std::sync::Arc;
use std::time::Duration;

use data_api::DataApiConfig;
use postgres::{Config, Database, PoolOptions};
use serde_json::json;

use crate::server::Server;

const WAITING: &str = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";

#[tokio::test]
async fn a_busy_pool_is_told_and_goes_on_when_it_is_free() {
    let db = testkit::Db::new().await;
    let database = db.database_with(|options| {
        options.size_max = 1;
        // Long enough to connect on a busy machine.
        options.acquire = Duration::from_secs(5);
    });
    let server = Arc::new(Server::over(db, database, DataApiConfig::default()));
    let ann = server.owner("ann").await;
    let (locker, observer) = (server.db.superuser().await, server.db.superuser().await);
    locker.batch_execute("begin; lock table public.customers in access exclusive mode").await.unwrap();
    let held = tokio::spawn({
        let (server, ann) = (Arc::clone(&server), ann.clone());
        async move { server.get(&ann, "customers").await }
    });
    while observer.query_one(WAITING, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
    let busy = server.get(&ann, "jobs").await;
    busy.refused(504, "PGRST003");
    assert_eq!(busy.body["message"], "Timed out acquiring connection from connection pool.");
    assert_eq!((busy.header("retry-after"), busy.header("proxy-status")), ("1", "PostgREST; error=PGRST003"));
    locker.batch_execute("commit").await.unwrap();
    assert_eq!(held.await.unwrap().ok(), json!([]));
    assert_eq!(server.get(&ann, "jobs").await.ok(), json!([]));
}

#[tokio::test]
async fn a_database_that_is_away_is_told() {
    let folder = std::env::temp_dir().join("thorbis-nobody-listens-here");
    let mut nowhere = Config::new();
    nowhere.host_path(folder).user("nobody").dbname("nothing");
    let away = Database::new(PoolOptions { acquire: Duration::from_secs(2), ..PoolOptions::new(nowhere) }).unwrap();
    let server = Server::over(testkit::Db::new().await, away, DataApiConfig { catalog_reload_ms: 60_000, ..DataApiConfig::default() });
    assert!(server.api.loaded().is_err());
    // Whoever comes within the same second is not the reason for another look.
    for (path, code) in [("customers", "PGRST000"), ("rpc/my_companies", "PGRST002")] {
        let answer = server.get(&server.service(), path).await;
        answer.refused(503, code);
        assert_eq!((answer.header("retry-after"), answer.body["details"].is_null()), ("1", true), "{}", answer.text);
    }
    // What is wrong with a request is told all the same.
    server.get(&server.service(), "customers?first_name=Ada").await.refused(400, "PGRST100");
}

#[tokio::test]
async fn whoever_follows_the_database_needs_no_request_to_fail() {
    let config = DataApiConfig { catalog_reload_ms: 3_600_000, catalog_watch_ms: 100, ..DataApiConfig::default() };
    let server = Server::with(config).await;
    // The one look that an unknown name may cause in an hour.
    server.get(&server.service(), "tools").await.refused(404, "PGRST205");
    let sql = "create table public.tools (id integer primary key); grant select on public.tools to service_role";
    server.db.superuser().await.batch_execute(&format!("set role app_owner; {sql}")).await.unwrap();
    server.get(&server.service(), "tools").await.refused(404, "PGRST205");

    let api = server.api.clone();
    let follower = tokio::spawn(async move { api.follow().await });
    let found = tokio::time::timeout(Duration::from_mins(1), async {
        while server.get(&server.service(), "tools").await.status != 200 {
            tokio::task::yield_now().await;
        }
    });
    found.await.unwrap();
    follower.abort();
}

#[tokio::test]
async fn connections_that_broke_are_replaced() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.customer(&ann, "Ada").await;
    let end = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'";
    let superuser = server.db.superuser().await;
    assert!(superuser.query_one(end, &[]).await.unwrap().get::<_, i64>(0) > 0);
    // A request may meet a broken connection each; there are no more of them than the pools had.
    for _ in 0..20 {
        let answer = server.get(&ann, "customers?select=first_name").await;
        if answer.status == 200 {
            assert_eq!(answer.body, json!([{ "first_name": "Ada" }]));
            return;
        }
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{}", answer.text);
    }
    panic!("it did not recover");
}

#[tokio::test]
async fn a_table_that_came_later_is_found_without_being_told() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    server.get(&ann, "gadgets").await.refused(404, "PGRST205");
    let made = "set role app_owner;
        create table public.gadgets (company_id uuid not null default app.company_id(), id integer not null, primary key (company_id, id));
        select app.protect('public.gadgets', 'customers');";
    server.db.superuser().await.batch_execute(made).await.unwrap();
    let begin = std::time::Instant::now();
    while server.get(&ann, "gadgets").await.status != 200 {
        assert!(begin.elapsed() < Duration::from_mins(1));
    }
    // A new column of a known table is found the same way.
    server.db.superuser().await.batch_execute("set role app_owner; alter table public.gadgets add column text text").await.unwrap();
    let begin = std::time::Instant::now();
    while server.post(&ann, "gadgets", json!({ "id": 1, "text": "new" }), "").await.status != 201 {
        assert!(begin.elapsed() < Duration::from_mins(1));
    }
    assert_eq!(server.get(&ann, "gadgets?select=text").await.ok(), json!([{ "text": "new" }]));
}

#[tokio::test]
async fn a_function_whose_argument_became_another_is_called_as_it_is_now() {
    let server = Server::new().await;
    let ann = server.owner("ann").await;
    let function = |kind: &str| {
        format!(
            "create function public.twice(a {kind}) returns text language sql immutable return a::text || a::text;
             grant execute on function public.twice({kind}) to authenticated;"
        )
    };
    server.table(&function("integer")).await;
    assert_eq!(server.post(&ann, "rpc/twice", json!({ "a": 7 }), "").await.ok(), json!("77"));
    server.post(&ann, "rpc/twice", json!({ "a": "x" }), "").await.refused(400, "22P02");
    let changed = format!("set role app_owner; drop function public.twice(integer); {}", function("date"));
    server.db.superuser().await.batch_execute(&changed).await.unwrap();
    let begin = std::time::Instant::now();
    loop {
        let answer = server.post(&ann, "rpc/twice", json!({ "a": "2027-01-02" }), "").await;
        if answer.status == 200 {
            assert_eq!(answer.body, json!("2027-01-022027-01-02"));
            return;
        }
        // Of the old type until it is known, or of a name that is not there.
        assert!(matches!(answer.body["code"].as_str(), Some("22P02" | "42883")), "{}", answer.text);
        assert!(begin.elapsed() < Duration::from_mins(1));
        server.post(&ann, "rpc/twice", json!({ "a": 7 }), "").await;
    }
}
