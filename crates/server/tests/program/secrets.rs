//! Secrets at rest: what was planted is found nowhere, neither in the data folder and its WAL, nor in a dump, nor in logs.
//!
//! Invariant: the search is not believed where it finds nothing: it has to find what is no secret in each of these places.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
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
/// What a provider gives for somebody's account there.
const PROVIDER_TOKENS: [&str; 2] = ["planted-provider-token-5d20", "planted-provider-refresh-token-77fe"];
/// A key of the operator's own file, which signs.
const SIGNING_KEY: &[u8; 32] = b"planted signing key of 32 bytes!";

/// The server says much, and has a provider.
const SETTINGS: [(&str, &str); 8] = [
    ("THORBIS_LOG__FILTER", "debug"),
    ("THORBIS_AUTH__EXTERNAL__OIDC__ENABLED", "true"),
    ("THORBIS_AUTH__EXTERNAL__OIDC__ISSUER", "http://127.0.0.1:9"),
    ("THORBIS_AUTH__EXTERNAL__OIDC__CLIENT_ID", "planted"),
    ("THORBIS_AUTH__EXTERNAL__OIDC__CLIENT_SECRET", CLIENT_SECRETS[0]),
    ("THORBIS_AUTH__EXTERNAL__PRIVATE_ADDRESSES_ALLOWED", "true"),
    ("THORBIS_AUTH__OAUTH_SERVER__ENABLED", "true"),
    ("THORBIS_AUTH__ONE_TIME__SITE_URL", "http://localhost:3000"),
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

/// Writes the operator's file of signing keys, where nobody searches.
fn signing_keys(folder: &Path) -> String {
    let key =
        json!({ "kty": "oct", "kid": "planted", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(SIGNING_KEY), "key_ops": ["sign", "verify"] });
    let file = folder.join("signing.json");
    std::fs::write(&file, json!({ "keys": [key] }).to_string()).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file.to_str().unwrap().to_owned()
}

/// A provider that gives whoever comes the planted tokens; returns its address.
async fn provider() -> String {
    let given = json!({ "access_token": PROVIDER_TOKENS[0], "refresh_token": PROVIDER_TOKENS[1], "token_type": "bearer" });
    let person = json!({ "sub": "1001", "email": "planted.visitor@example.com", "email_verified": true });
    let routes = axum::Router::new()
        .route("/token", axum::routing::post(async move || axum::Json(given)))
        .route("/userinfo", axum::routing::get(async move || axum::Json(person)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

/// Has an application begin a sign-in there: its session waits, with what the provider gave, for a code that nobody brings.
async fn come_from_provider(client: &Client, service: &str) -> [(&'static str, Vec<u8>); 3] {
    let at = provider().await;
    let wish = json!({ "provider_type": "oauth2", "identifier": "custom:giving", "name": "Giving", "client_id": "planted",
                       "client_secret": CLIENT_SECRETS[1], "authorization_url": format!("{at}/authorize"),
                       "token_url": format!("{at}/token"), "userinfo_url": format!("{at}/userinfo") });
    let added = client.send(Method::POST, "/admin/custom-providers", service, wish).await;
    assert_eq!(added["identifier"], "custom:giving", "{added}");
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let begin = format!("{}/auth/v1/authorize?provider=custom:giving&code_challenge={challenge}&code_challenge_method=s256", client.url);
    let away = browser.get(begin).send().await.unwrap();
    let page = url::Url::parse(away.headers()["location"].to_str().unwrap()).unwrap();
    let state = page.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let back = browser.get(format!("{}/auth/v1/callback?code=good&state={state}", client.url));
    let target = back.send().await.unwrap().headers()["location"].to_str().unwrap().to_owned();
    let code = target.split_once("code=").unwrap_or_else(|| panic!("{target}")).1.to_owned();
    [
        ("provider's token", PROVIDER_TOKENS[0].into()),
        ("provider's refresh token", PROVIDER_TOKENS[1].into()),
        ("code of the sign-in", code.into_bytes()),
    ]
}

/// Makes what lets programs in: a key, a directory's token, a program of others.
async fn let_programs_in(client: &Client, (token, refresh): (&str, &Value), service: &str) -> [(&'static str, Vec<u8>); 3] {
    let founded = client.client.post(format!("{}/rest/v1/rpc/create_company_with_owner", client.url)).bearer_auth(token);
    let founded = founded.json(&json!({ "name": "Planted" })).send().await.unwrap();
    assert!(founded.status().is_success(), "{}", founded.text().await.unwrap());
    let session = client.send(Method::POST, "/token?grant_type=refresh_token", "", json!({ "refresh_token": refresh })).await;
    let owner = text(&session["access_token"]);
    let key = client.send(Method::POST, "/api-keys", &owner, json!({ "name": "Till", "permissions": ["customers:read"] })).await;
    let directory = client.send(Method::POST, "/scim/tokens", &owner, json!({ "name": "Directory" })).await;
    let program = json!({ "client_name": "Planner", "redirect_uris": ["https://planner.example.com/callback"] });
    let program = client.send(Method::POST, "/admin/oauth/clients", service, program).await;
    // They are used, so that what is logged of that is searched, too.
    for (path, secret) in [("/rest/v1/customers", &key["key"]), ("/scim/v2/Users", &directory["token"])] {
        let used = client.client.get(format!("{}{path}", client.url)).bearer_auth(text(secret)).send().await.unwrap();
        assert!(used.status().is_success(), "{path}: {}", used.text().await.unwrap());
    }
    let form = [("grant_type", "authorization_code"), ("code", "wrong"), ("redirect_uri", "https://planner.example.com/callback")];
    let asked = client.client.post(format!("{}/auth/v1/oauth/token", client.url)).form(&form);
    let asked = asked.basic_auth(text(&program["client_id"]), Some(text(&program["client_secret"]))).send().await.unwrap();
    assert_eq!(asked.status(), 400);
    [
        ("API key", text(&key["key"]).into_bytes()),
        ("directory's token", text(&directory["token"]).into_bytes()),
        ("program's secret", text(&program["client_secret"]).into_bytes()),
    ]
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

/// The operator's way in: the old password and every session are gone, the new password works. Returns it as it was printed.
async fn reset(folder: &Path, client: &Client, token: &str) -> String {
    let reset = command(folder, &["users", "reset-password", EMAIL]).output().unwrap();
    assert!(reset.status.success(), "{}", String::from_utf8_lossy(&reset.stderr));
    let printed = String::from_utf8(reset.stdout).unwrap();
    let printed = printed.lines().find_map(|line| line.strip_prefix("password  ")).unwrap_or_else(|| panic!("{printed}")).to_owned();
    let sign_in = async |password: &str| {
        client.send(Method::POST, "/token?grant_type=password", "", json!({ "email": EMAIL, "password": password })).await
    };
    assert_eq!(sign_in(PASSWORD).await["error_code"], "invalid_credentials");
    assert_eq!(client.send(Method::GET, "/user", token, json!({})).await["error_code"], "session_not_found");
    assert_eq!(sign_in(&printed).await["user"]["email"], EMAIL);
    let nobody = command(folder, &["users", "reset-password", "nobody@example.com"]).output().unwrap();
    assert!(!nobody.status.success() && String::from_utf8_lossy(&nobody.stderr).contains("user_not_found"));
    printed
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_secrets_are_found_nowhere() {
    know_tls();
    let folder = folder();
    let aside = tempfile::tempdir().unwrap();
    let signing = signing_keys(aside.path());
    let settings: Vec<_> = SETTINGS.into_iter().chain([("THORBIS_AUTH__SIGNING_KEYS_FILE", signing.as_str())]).collect();
    let program = Program::start_with(folder.path(), &settings);
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

    let service = service_key(folder.path());
    let away = send_to_provider(&client, &service).await;
    let came = come_from_provider(&client, &service).await;
    let programs = let_programs_in(&client, (&token, &proved["refresh_token"]), &service).await;

    // New keys while the server works: every row is sealed anew, and the old key goes.
    let sealed = "select secret from auth.mfa_factors where secret is not null";
    let before = sql(folder.path(), sealed);
    for arguments in [&["keys", "rotate"][..], &["keys", "reseal", "--forget-unused"]] {
        let done = command(folder.path(), arguments).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        if arguments[1] == "reseal" {
            assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), "sealed anew: 6\nsealing keys: 1, forgotten: 1");
        }
    }
    let after = sql(folder.path(), sealed);
    assert!(before.split('.').nth(1) != after.split('.').nth(1), "{before} {after}");
    let again = client.prove(&token, &factor, &seed, first + 1).await;
    assert!(again["access_token"].is_string(), "{again}");

    let printed = reset(folder.path(), &client, &token).await;

    let dump = r"\! pg_dump --enable-row-security --role app_owner --schema auth --schema public --schema app > dump.sql";
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
        ("signing key", SIGNING_KEY.to_vec()),
        ("signing key in base64url", URL_SAFE_NO_PAD.encode(SIGNING_KEY).into_bytes()),
    ];
    let mut found = BTreeMap::new();
    find(folder.path(), &needles, &mut found);
    for planted in [&away[..], &came[..], &programs[..]] {
        find(folder.path(), planted, &mut found);
    }
    assert!(found.is_empty(), "{found:#?}");

    let control = [("address", EMAIL.as_bytes().to_vec()), ("sealed", after.into_bytes()), ("log", b"proved a second factor".to_vec())];
    find(folder.path(), &control, &mut found);
    let names = |name: &str, part: &str| found.get(name).is_some_and(|paths| paths.iter().any(|path| path.contains(part)));
    for (name, part) in [("address", "/pg_wal/"), ("address", "/base/"), ("sealed", "/pg_wal/"), ("sealed", "dump.sql"), ("log", "/log")] {
        assert!(names(name, part), "{name} is not in {part}: {found:#?}");
    }
}
