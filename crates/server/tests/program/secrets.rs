//! Secrets at rest: what was planted is found nowhere, neither in the data folder and its WAL, nor in a dump, nor in logs.
//!
//! Invariant: the search is not believed where it finds nothing: it has to find what is no secret in each of these places.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::bare::know_tls;
use crate::process::{Program, command, folder, service_key, sql};

const EMAIL: &str = "planted.address@example.com";
const PASSWORD: &str = "planted password 7f1d";
/// What providers know this server by: one of the configuration, one added over the API.
const CLIENT_SECRETS: [&str; 2] = ["planted client secret 41c9", "planted client secret 0be7"];
const WRONG: &str = "planted wrong password 99c2";

/// The server says much, and has a provider.
const SETTINGS: [(&str, &str); 5] = [
    ("THORBIS_LOG__FILTER", "debug"),
    ("THORBIS_AUTH__EXTERNAL__OIDC__ENABLED", "true"),
    ("THORBIS_AUTH__EXTERNAL__OIDC__ISSUER", "http://127.0.0.1:9"),
    ("THORBIS_AUTH__EXTERNAL__OIDC__CLIENT_ID", "planted"),
    ("THORBIS_AUTH__EXTERNAL__OIDC__CLIENT_SECRET", CLIENT_SECRETS[0]),
];

struct Client {
    url: String,
    client: reqwest::Client,
}

impl Client {
    async fn send(&self, method: Method, path: &str, token: &str, body: Value) -> Value {
        let request = self.client.request(method, format!("{}/auth/v1{path}", self.url)).json(&body);
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn prove(&self, token: &str, factor: &Value, seed: &[u8], step: u64) -> Value {
        let path = format!("/factors/{}", factor["id"].as_str().unwrap());
        let challenge = self.send(Method::POST, &format!("{path}/challenge"), token, json!({})).await;
        let totp = Builder::new().with_secret(Secret::new(seed.into())).build_noncompliant();
        let code = totp.generate(step * 30).to_string();
        self.send(Method::POST, &format!("{path}/verify"), token, json!({ "challenge_id": challenge["id"], "code": code })).await
    }
}

/// Returns where each needle is found in the files of a folder, links aside.
fn find<'a>(folder: &Path, needles: &[(&'a str, Vec<u8>)], found: &mut BTreeMap<&'a str, Vec<String>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let sort = entry.file_type().unwrap();
        if sort.is_dir() {
            find(&entry.path(), needles, found);
        } else if sort.is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            for (name, needle) in needles {
                if memchr::memmem::find(&bytes, needle).is_some() {
                    found.entry(name).or_default().push(entry.path().display().to_string());
                }
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

fn step() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 30
}

/// Adds a provider and sends a browser there and back: returns what nobody is to find of that.
async fn send_to_provider(client: &Client, service: &str) -> [(&'static str, Vec<u8>); 4] {
    let provider = json!({ "provider_type": "oauth2", "identifier": "custom:planted", "name": "Planted", "client_id": "planted",
                           "client_secret": CLIENT_SECRETS[1], "authorization_url": "https://id.example.com/authorize",
                           "token_url": "https://id.example.com/token", "userinfo_url": "https://id.example.com/userinfo" });
    let added = client.send(Method::POST, "/admin/custom-providers", service, provider).await;
    assert_eq!(added["identifier"], "custom:planted", "{added}");
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let away = browser.get(format!("{}/auth/v1/authorize?provider=custom:planted", client.url)).send().await.unwrap();
    let page = url::Url::parse(away.headers()["location"].to_str().unwrap()).unwrap();
    let state = page.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let cookie = away.headers()["set-cookie"].to_str().unwrap().split([';', '=']).nth(1).unwrap().to_owned();
    let back = browser.get(format!("{}/auth/v1/callback?error=access_denied&state={state}", client.url)).send().await.unwrap();
    assert_eq!(back.status(), 303);
    [
        ("client secret of the configuration", CLIENT_SECRETS[0].into()),
        ("client secret of the API", CLIENT_SECRETS[1].into()),
        ("state", state.into_bytes()),
        ("browser's cookie", cookie.into_bytes()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_secrets_are_found_nowhere() {
    know_tls();
    let folder = folder();
    let program = Program::start_with(folder.path(), &SETTINGS);
    let client = Client { url: program.url.clone(), client: reqwest::Client::new() };

    let session = client.send(Method::POST, "/signup", "", json!({ "email": EMAIL, "password": PASSWORD })).await;
    client.send(Method::POST, "/token?grant_type=password", "", json!({ "email": EMAIL, "password": WRONG })).await;
    let token = text(&session["access_token"]);
    let factor = client.send(Method::POST, "/factors", &token, json!({ "factor_type": "totp", "friendly_name": "Phone" })).await;
    let secret = text(&factor["totp"]["secret"]);
    let seed = Secret::try_from_base32(&secret).unwrap().as_bytes().to_vec();
    let first = step();
    let proved = client.prove(&token, &factor, &seed, first).await;
    let token = text(&proved["access_token"]);
    let codes = client.send(Method::POST, "/factors/recovery-codes", &token, json!({})).await;
    let code = text(&codes["codes"][0]);

    let away = send_to_provider(&client, &service_key(folder.path())).await;

    // New keys while the server works: every row is sealed anew, and the old key goes.
    let sealed = "select secret from auth.mfa_factors where secret is not null";
    let before = sql(folder.path(), sealed);
    for arguments in [&["keys", "rotate"][..], &["keys", "reseal", "--forget-unused"]] {
        let done = command(folder.path(), arguments).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        if arguments[1] == "reseal" {
            assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), "sealed anew: 4\nsealing keys: 1, forgotten: 1");
        }
    }
    let after = sql(folder.path(), sealed);
    assert!(before.split('.').nth(1) != after.split('.').nth(1), "{before} {after}");
    let again = client.prove(&token, &factor, &seed, first + 1).await;
    assert!(again["access_token"].is_string(), "{again}");

    // The operator's way in: the old password and every session are gone, the new password works.
    let reset = command(folder.path(), &["users", "reset-password", EMAIL]).output().unwrap();
    assert!(reset.status.success(), "{}", String::from_utf8_lossy(&reset.stderr));
    let printed = String::from_utf8(reset.stdout).unwrap();
    let printed = printed.lines().find_map(|line| line.strip_prefix("password  ")).unwrap_or_else(|| panic!("{printed}")).to_owned();
    let sign_in = async |password: &str| {
        client.send(Method::POST, "/token?grant_type=password", "", json!({ "email": EMAIL, "password": password })).await
    };
    assert_eq!(sign_in(PASSWORD).await["error_code"], "invalid_credentials");
    assert_eq!(client.send(Method::GET, "/user", &token, json!({})).await["error_code"], "session_not_found");
    assert_eq!(sign_in(&printed).await["user"]["email"], EMAIL);
    let nobody = command(folder.path(), &["users", "reset-password", "nobody@example.com"]).output().unwrap();
    assert!(!nobody.status.success() && String::from_utf8_lossy(&nobody.stderr).contains("user_not_found"));

    let dump = r"\! pg_dump --enable-row-security --role app_owner --schema auth --schema public > dump.sql";
    let dumped = command(folder.path(), &["psql", "--", "-c", dump]).current_dir(folder.path()).output().unwrap();
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    program.stop();

    let hex: String = seed.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let needles = [
        ("password", PASSWORD.as_bytes().to_vec()),
        ("printed password", printed.into_bytes()),
        ("wrong password", WRONG.as_bytes().to_vec()),
        ("factor", secret.into_bytes()),
        ("factor's bytes", seed.clone()),
        ("factor in hexadecimal digits", hex.into_bytes()),
        ("factor in base64", STANDARD_NO_PAD.encode(&seed).into_bytes()),
        ("factor in base64url", URL_SAFE_NO_PAD.encode(&seed).into_bytes()),
        ("recovery code", code.into_bytes()),
        ("access token", text(&proved["access_token"]).into_bytes()),
        ("refresh token", text(&proved["refresh_token"]).into_bytes()),
    ];
    let mut found = BTreeMap::new();
    find(folder.path(), &needles, &mut found);
    find(folder.path(), &away, &mut found);
    assert!(found.is_empty(), "{found:#?}");

    let control = [("address", EMAIL.as_bytes().to_vec()), ("sealed", after.into_bytes()), ("log", b"proved a second factor".to_vec())];
    find(folder.path(), &control, &mut found);
    let names = |name: &str, part: &str| found.get(name).is_some_and(|paths| paths.iter().any(|path| path.contains(part)));
    for (name, part) in [("address", "/pg_wal/"), ("address", "/base/"), ("sealed", "/pg_wal/"), ("sealed", "dump.sql"), ("log", "/log")] {
        assert!(names(name, part), "{name} is not in {part}: {found:#?}");
    }
}
