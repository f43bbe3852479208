//! A PostgreSQL that is not ours: `database.url` and `database.migrator_url`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use kernel::Secret;
use postgres::Host;
use postgres::cluster::{self, Cluster, ClusterOptions};
use serde_json::{Value, json};
use server::config::{Environment, Settings};
use server::{RunningServer, StartError};
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::bare::{know_tls, without_database};

/// A PostgreSQL beside the server, which the server knows by its URLs only.
pub(crate) struct Elsewhere {
    folder: TempDir,
    server_url: String,
    migrator_url: String,
}

impl Elsewhere {
    pub(crate) async fn make() -> (Self, Cluster) {
        // PostgreSQL's own user must be able to pass.
        let folder = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o755)).tempdir().unwrap();
        let cluster = start(folder.path()).await;
        let server_url = url(&cluster.server_config());
        let migrator_url = url(&cluster.migrator_config());
        (Self { folder, server_url, migrator_url }, cluster)
    }

    pub(crate) fn settings(&self, own: &TempDir) -> Settings {
        know_tls();
        let mut settings = without_database(own);
        settings.database.url = Some(Secret::new(self.server_url.clone()));
        settings.database.migrator_url = Some(Secret::new(self.migrator_url.clone()));
        settings
    }
}

async fn start(folder: &Path) -> Cluster {
    Box::pin(cluster::start(ClusterOptions::new(folder.join("elsewhere")))).await.unwrap()
}

pub(crate) fn url(config: &postgres::Config) -> String {
    let Some(Host::Unix(socket)) = config.get_hosts().first() else { panic!("no socket") };
    let socket = socket.display().to_string().replace('/', "%2F");
    let password = String::from_utf8(config.get_password().unwrap().to_vec()).unwrap();
    format!("postgres://{}:{password}@{socket}:5432/{}", config.get_user().unwrap(), config.get_dbname().unwrap())
}

async fn ready(server: &RunningServer) -> (u16, Value) {
    let response = reqwest::get(format!("http://{}/health/ready", server.address().unwrap())).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn wait_until(server: &RunningServer, status: u16) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (found, body) = ready(server).await;
        if found == status {
            return body;
        }
        assert!(Instant::now() < deadline, "still {found}: {body}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_database_that_comes_later_or_goes_away_is_followed() {
    let (elsewhere, cluster) = Elsewhere::make().await;
    cluster.stop().await.unwrap();
    let own = tempfile::tempdir().unwrap();
    let server = Box::pin(server::start(elsewhere.settings(&own))).await.unwrap();
    let (status, body) = ready(&server).await;
    assert_eq!(status, 503);
    assert_eq!(body["checks"]["database"]["code"], "database_unavailable");
    let live = reqwest::get(format!("http://{}/health/live", server.address().unwrap())).await.unwrap();
    assert_eq!(live.status(), 200);
    let sign_up = reqwest::Client::new().post(format!("http://{}/auth/v1/signup", server.address().unwrap()));
    let refused = sign_up.json(&json!({ "email": "a@example.com", "password": "long enough" })).send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));

    let cluster = start(elsewhere.folder.path()).await;
    let body = wait_until(&server, 200).await;
    assert_eq!(body["checks"]["migrations"]["status"], "ok");
    cluster.stop().await.unwrap();
    wait_until(&server, 503).await;
    let cluster = start(elsewhere.folder.path()).await;
    wait_until(&server, 200).await;
    server.shutdown().await.unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn missing_rights_are_named_and_too_many_are_refused() {
    let (elsewhere, cluster) = Elsewhere::make().await;
    let own = tempfile::tempdir().unwrap();
    let mut settings = elsewhere.settings(&own);
    settings.database.start_wait_ms = 30_000;
    let (owner, connection) = tokio_postgres::connect(&elsewhere.migrator_url, NoTls).await.unwrap();
    tokio::spawn(connection);
    // A cluster of ours gives it; others have to be asked.
    let login = cluster.server_config().get_user().unwrap().to_owned();
    owner.batch_execute(&format!("alter role {login} noreplication")).await.unwrap();
    let server = Box::pin(server::start(settings.clone())).await.unwrap();
    let degraded = server.degraded();
    assert!(degraded.iter().any(|sentence| sentence.contains("lacks REPLICATION")), "{degraded:?}");
    server.shutdown().await.unwrap();

    let mut without_owner = settings.clone();
    without_owner.database.migrator_url = None;
    let server = Box::pin(server::start(without_owner)).await.unwrap();
    assert!(server.degraded().iter().any(|sentence| sentence.contains("database.migrator_url")), "{:?}", server.degraded());
    server.shutdown().await.unwrap();

    settings.database.url = Some(Secret::new(elsewhere.migrator_url.clone()));
    let Err(refused) = Box::pin(server::start(settings.clone())).await else { panic!("a superuser serves in production") };
    assert!(matches!(refused, StartError::Database(_)));
    assert!(refused.to_string().contains("server_login_too_strong"), "{refused}");
    settings.environment = Environment::Development;
    let server = Box::pin(server::start(settings)).await.unwrap();
    assert!(server.degraded().iter().any(|sentence| sentence.contains("is a superuser")), "{:?}", server.degraded());
    assert!(server.demo_login().is_some());
    server.shutdown().await.unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_schema_that_is_behind_is_not_ready_and_not_touched() {
    let (elsewhere, cluster) = Elsewhere::make().await;
    let own = tempfile::tempdir().unwrap();
    let mut settings = elsewhere.settings(&own);
    settings.migrate_at_start = false;
    let server = Box::pin(server::start(settings.clone())).await.unwrap();
    let (status, body) = ready(&server).await;
    assert_eq!((status, &body["checks"]["migrations"]["code"]), (503, &json!("migrations_pending")), "{body}");
    settings.database.migrator_url = None;
    server.shutdown().await.unwrap();
    let server = Box::pin(server::start(settings)).await.unwrap();
    let (status, body) = ready(&server).await;
    assert_eq!((status, &body["checks"]["migrations"]["code"]), (503, &json!("migrations_pending")), "{body}");
    server.shutdown().await.unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn servers_with_different_settings_share_a_database() {
    let (elsewhere, cluster) = Elsewhere::make().await;
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut settings = elsewhere.settings(&own);
    settings.database.start_wait_ms = 30_000;
    let whole = Box::pin(server::start(settings.clone())).await.unwrap();
    // Sign-in alone, at the root, where nobody signs up.
    settings.key_ring_file = Some(whole.data_directory().join("keys.json"));
    settings.data_directory = other.path().join("data");
    settings.auth_alone = true;
    settings.auth.path = "/".to_owned();
    settings.auth.signup_enabled = false;
    settings.auth.access_token_seconds = 120;
    settings.auth.oauth_server.enabled = true;
    let alone = Box::pin(server::start(settings)).await.unwrap();
    let (at, beside) = (whole.urls()[0].clone(), alone.urls()[0].clone());
    let client = reqwest::Client::new();
    let post = async |url: String, body: Value| {
        let answer = client.post(url).header("x-supabase-api-version", "2024-01-01").json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let get = async |url: String, token: &Value| {
        let answer = client.get(url).header("x-supabase-api-version", "2024-01-01").bearer_auth(token.as_str().unwrap_or("x"));
        let answer = answer.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap_or_default())
    };
    let ann = json!({ "email": "ann@example.com", "password": "correct horse battery staple" });
    let (status, refused) = post(format!("{beside}/signup"), ann.clone()).await;
    assert_eq!((status, &refused["code"]), (422, &json!("signup_disabled")), "{refused}");
    let (status, first) = post(format!("{at}/auth/v1/signup"), ann.clone()).await;
    assert_eq!((status, &first["expires_in"]), (200, &json!(3600)), "{first}");
    let (status, second) = post(format!("{beside}/token?grant_type=password"), ann).await;
    assert_eq!((status, &second["expires_in"]), (200, &json!(120)), "{second}");
    assert_eq!(get(format!("{beside}/user"), &second["access_token"]).await.1["email"], "ann@example.com");
    assert_eq!(get(format!("{at}/auth/v1/user"), &first["access_token"]).await.1["email"], "ann@example.com");
    // A token is for the address that it names.
    assert_eq!(get(format!("{beside}/user"), &first["access_token"]).await.1["code"], "bad_jwt");
    assert_eq!(get(format!("{at}/rest/v1/users?select=id"), &second["access_token"]).await.0, 401);
    assert_eq!(get(format!("{at}/rest/v1/users?select=id"), &first["access_token"]).await.0, 200);

    for gone in ["/rest/v1/users", "/batch/v1", "/auth/v1/user", "/nothing"] {
        let (status, body) = get(format!("{beside}{gone}"), &second["access_token"]).await;
        assert_eq!((status, &body["code"]), (404, &json!("not_found")), "{gone}: {body}");
    }
    assert_eq!(ready(&alone).await.0, 200);
    let (_, told) = get(format!("{beside}/"), &Value::Null).await;
    assert_eq!((&told["endpoints"]["auth"], told["endpoints"].get("rest")), (&json!(format!("{beside}/")), None));
    let (_, document) = get(format!("{beside}/.well-known/oauth-authorization-server"), &Value::Null).await;
    assert_eq!((&document["issuer"], &document["token_endpoint"]), (&json!(beside), &json!(format!("{beside}/oauth/token"))));
    let (_, document) = get(format!("{at}/.well-known/openid-configuration/auth/v1"), &Value::Null).await;
    assert_eq!(document["issuer"], format!("{at}/auth/v1"));
    assert_eq!(get(format!("{at}/.well-known/oauth-authorization-server"), &Value::Null).await.1["code"], "feature_disabled");

    // Whoever signs out everywhere at one is signed out at the other.
    let out = client.post(format!("{beside}/logout")).bearer_auth(second["access_token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(out.status(), 204);
    assert_eq!(get(format!("{at}/auth/v1/user"), &first["access_token"]).await.1["code"], "session_not_found");
    alone.shutdown().await.unwrap();
    whole.shutdown().await.unwrap();
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_new_table_is_served_as_soon_as_the_database_says_so() {
    let (elsewhere, cluster) = Elsewhere::make().await;
    let own = tempfile::tempdir().unwrap();
    let mut settings = elsewhere.settings(&own);
    // It asks neither by itself nor because a request found nothing.
    settings.data_api.catalog_watch_ms = 3_600_000;
    settings.data_api.catalog_reload_ms = 3_600_000;
    let server = Box::pin(server::start(settings)).await.unwrap();
    let keys = server.keys();
    let ask = async || {
        let asked = reqwest::Client::new().get(format!("http://{}/rest/v1/tools", server.address().unwrap()));
        asked.bearer_auth(keys.service().token.expose()).send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask().await, 404);
    let (client, connection) = cluster.migrator_config().connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let table =
        "set role app_owner; create table public.tools (id integer primary key); grant select on public.tools to service_role; reset role";
    client.batch_execute(table).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while ask().await != 200 {
        assert!(Instant::now() < deadline, "it was not heard");
        // The server may not have listened yet.
        client.batch_execute("notify pgrst, 'reload schema'").await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.shutdown().await.unwrap();
    cluster.stop().await.unwrap();
}
