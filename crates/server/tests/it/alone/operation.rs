//! How it is configured, told to read things anew, watched, and stopped.

use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::program::{Alone, Plain};

#[tokio::test]
async fn the_database_says_more_than_the_environment_and_that_more_than_the_file() {
    let plain = Plain::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postgrest.conf");
    let text = format!(
        "db-uri = \"{}\"\ndb-schemas = \"other\"\ndb-anon-role = \"{}\"\njwt-secret = \"{}\"\napp.settings.from = \"file\"\nwhat = 1\n",
        plain.uri(),
        plain.role("anon"),
        super::program::SECRET
    );
    std::fs::write(&file, text).unwrap();
    let login = plain.role("login");
    plain.run(&format!("alter role {login} set pgrst.db_extra_search_path = 'everywhere'")).await;
    plain.run(&format!("alter role {login} in database {} set pgrst.db_extra_search_path = 'here'", plain.database())).await;
    plain
        .run("create function public.pre_config() returns void language sql as $$ select set_config('pgrst.db_schemas', 'api', true) $$")
        .await;
    let variables = [("PGRST_DB_SCHEMAS", "public".to_owned()), ("PGRST_DB_PRE_CONFIG", "public.pre_config".to_owned())];
    let server = Alone::start(&variables, Some(&file));
    assert_eq!(server.get("/posts?select=title").await.ok(), json!([{ "title": "open" }]), "the function said which schema");
    assert_eq!(server.get("/rpc/setting?name=search_path").await.ok(), json!(r#""api", "here""#));
    assert_eq!(server.get("/rpc/setting?name=app.settings.from").await.ok(), json!("file"));
    assert!(server.log().contains("the setting what (in "), "{}", server.log());
    server.stop();

    let without = Alone::start(&[("PGRST_DB_SCHEMAS", "api".to_owned()), ("PGRST_DB_CONFIG", "false".to_owned())], Some(&file));
    assert_eq!(without.get("/rpc/setting?name=search_path").await.ok(), json!(r#""api", "public""#));
    without.stop();
}

#[tokio::test]
async fn a_notification_or_a_signal_reads_things_anew() {
    let plain = Plain::new().await;
    let login = plain.role("login");
    let server = plain.serve(&[]);
    let path = "/rpc/setting?name=search_path";
    assert_eq!(server.get(path).await.ok(), json!(r#""api", "public""#));
    plain.run(&format!("alter role {login} set pgrst.db_extra_search_path = 'told'; notify pgrst, 'reload config'")).await;
    server.until(path, |answer| answer.text.contains("told")).await;
    plain.run(&format!("alter role {login} set pgrst.db_extra_search_path = 'signalled'")).await;
    server.signal(Signal::SIGUSR2);
    server.until(path, |answer| answer.text.contains("signalled")).await;

    plain
        .run(&format!(
            "create table api.later (id int); grant select on api.later to {}; notify pgrst, 'reload schema'",
            plain.role("anon")
        ))
        .await;
    server.until("/later", |answer| answer.status == 200).await;
    server.signal(Signal::SIGUSR1);

    // What cannot be used leaves the old in use.
    plain.run(&format!("alter role {login} set pgrst.jwt_secret = 'short'; notify pgrst, 'reload config'")).await;
    let ann = plain.author("ann");
    server.until_log("The JWT secret must be at least 32 characters long").await;
    assert_eq!(server.get_as(&ann, "/posts?select=title&limit=1&order=id").await.ok(), json!([{ "title": "open" }]));
    server.stop();
}

#[tokio::test]
async fn the_admin_server_tells_how_it_is() {
    let plain = Plain::new().await;
    let server = plain.serve(&[("PGRST_ADMIN_SERVER_PORT", "0".to_owned()), ("PGRST_ADMIN_SERVER_HOST", "localhost".to_owned())]);
    server.get_as(&plain.author("ann"), "/posts").await.ok();
    server.get_as(&plain.author("ann"), "/posts").await.ok();
    let admin = server.admin().await;
    assert_eq!(admin.get("/live").await.status, 200);
    assert_eq!(admin.get("/ready").await.status, 200);
    let numbers = admin.get("/metrics").await.text;
    for wanted in [
        "pgrst_db_pool_max 10",
        "pgrst_db_pool_waiting 0",
        "pgrst_db_pool_timeouts_total 0",
        "pgrst_jwt_cache_requests_total 2",
        "pgrst_jwt_cache_hits_total 1",
        "pgrst_schema_cache_loads_total{status=\"SUCCESS\"} ",
        "pgrst_schema_cache_query_time_seconds ",
    ] {
        assert!(numbers.contains(wanted), "{wanted} in {numbers}");
    }
    let config = admin.get("/config").await.text;
    assert!(config.contains("db-schemas = \"api\"\n") && config.contains("jwt-secret = \"[redacted]\"\n"), "{config}");
    assert!(!config.contains("throw-away") && !config.contains(super::program::SECRET), "{config}");
    let schema = admin.get("/schema_cache").await.json();
    assert_eq!(schema["api"]["relations"]["posts"]["columns"]["id"], "integer");
    assert_eq!(schema["api"]["functions"]["setting"][0]["arguments"], json!([{ "name": "name", "type": "text" }]));
    assert_eq!(server.get("/live").await.refused(), (404, "PGRST205".to_owned()), "to clients it is a table like any other");
    server.stop();
}

#[tokio::test]
async fn answers_say_what_was_configured() {
    let plain = Plain::new().await;
    let more = [
        ("PGRST_SERVER_TIMING_ENABLED", "true".to_owned()),
        ("PGRST_SERVER_TRACE_HEADER", "X-Trace".to_owned()),
        ("PGRST_CLIENT_ERROR_VERBOSITY", "minimal".to_owned()),
        ("PGRST_SERVER_CORS_ALLOWED_ORIGINS", "https://a.example, https://b.example".to_owned()),
    ];
    let server = plain.serve(&more);
    let request = server.request(Method::GET, "/posts").header("x-trace", "t-1").header("origin", "https://b.example");
    let answer = Alone::send(request).await;
    let steps: Vec<&str> = answer.header("server-timing").split(", ").filter_map(|step| step.split(';').next()).collect();
    assert_eq!((steps, answer.header("x-trace")), (vec!["jwt", "parse", "plan", "transaction", "response"], "t-1"));
    assert_eq!(answer.header("access-control-allow-origin"), "https://b.example");
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    let stranger = Alone::send(server.request(Method::GET, "/posts").header("origin", "https://c.example")).await;
    assert_eq!((stranger.status, stranger.header("access-control-allow-origin")), (200, ""));
    assert_eq!(
        server.get("/nothing").await.text,
        r#"{"code":"PGRST205","message":"Could not find the table 'api.nothing' in the schema cache"}"#
    );
    assert_eq!(server.get("/rpc/setting").await.json().as_object().unwrap().len(), 2);
    server.stop();
}

#[tokio::test]
async fn a_page_that_asks_beforehand_is_told_what_it_may() {
    let plain = Plain::new().await;
    let server = plain.serve(&[]);
    let asked =
        server.request(Method::OPTIONS, "/posts").header("origin", "https://a.example").header("access-control-request-method", "POST");
    let answer = Alone::send(asked.header("access-control-request-headers", "Foo,Bar")).await;
    assert_eq!((answer.status, answer.text.as_str(), answer.header("access-control-allow-origin")), (200, "", "*"));
    assert_eq!(answer.header("access-control-allow-methods"), "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD");
    assert_eq!(answer.header("access-control-allow-headers"), "Authorization, Foo, Bar, Accept, Accept-Language, Content-Language");
    assert_eq!(answer.header("access-control-max-age"), "86400");
    let plainly = Alone::send(server.request(Method::GET, "/posts").header("origin", "https://a.example")).await;
    let exposed = "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit";
    assert_eq!(plainly.header("access-control-expose-headers"), exposed);
    server.stop();
}

#[tokio::test]
async fn a_socket_in_the_file_system_serves_as_well() {
    let plain = Plain::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let server =
        plain.serve(&[("PGRST_SERVER_UNIX_SOCKET", path.display().to_string()), ("PGRST_SERVER_UNIX_SOCKET_MODE", "600".to_owned())]);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"GET /posts?select=title HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("[{\"title\":\"open\"}]"), "{answer}");
    server.stop();
}

#[test]
fn what_cannot_be_used_stops_the_start() {
    let refused = |name, value: &str| Alone::refused(&[(name, value.to_owned())]);
    let told = refused("PGRST_JWT_SECRET", "hunter2");
    assert!(told.contains("`jwt-secret` (from the environment, PGRST_JWT_SECRET): The JWT secret must be at least 32"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
    let told = refused("PGRST_DB_URI", "postgres://ann:hunter2@h:port/d");
    assert!(told.contains("`db-uri` cannot be read") && !told.contains("hunter2"), "{told}");
    assert!(refused("PGRST_DB_POOL", "many").contains("`db-pool` (from the environment, PGRST_DB_POOL): allowed: a whole number"));
}

#[tokio::test]
async fn a_database_that_comes_later_is_served_when_it_is_there() {
    let plain = Plain::new().await;
    let later = format!("{}_later", plain.database());
    let more = [("PGRST_DB_URI", plain.uri_of(&later)), ("THORBIS_DATABASE__START_WAIT_MS", "0".to_owned())];
    let server = plain.serve(&more);
    let refused = server.get("/posts").await;
    assert_eq!(refused.refused(), (503, "PGRST000".to_owned()));
    plain.run(&format!("create database {later} template template0")).await;
    let anon = plain.role("anon");
    let made = "create schema api; create table api.posts (id int); insert into api.posts values (7); grant usage on schema api to";
    plain.client_of(&later).await.batch_execute(&format!("{made} {anon}; grant select on api.posts to {anon}")).await.unwrap();
    let answer = server.until("/posts", |answer| answer.status == 200).await;
    assert_eq!(answer.ok(), json!([{ "id": 7 }]));
    server.stop();
}

#[tokio::test]
async fn a_database_that_is_away_is_answered_503() {
    let variables = [
        ("PGRST_DB_URI", "postgres://nobody:nothing@127.0.0.1:1/none".to_owned()),
        ("PGRST_DB_ANON_ROLE", "anon".to_owned()),
        ("THORBIS_DATABASE__START_WAIT_MS", "0".to_owned()),
    ];
    let server = Alone::start(&variables, None);
    let refused = server.get("/posts").await;
    assert_eq!((refused.refused(), refused.header("retry-after")), ((503, "PGRST000".to_owned()), "1"));
    let body: Value = refused.json();
    assert_eq!(body["message"], "Database connection error. Retrying the connection.");
    server.stop();
}
