//! Certificates that the server orders by itself, at a directory that this test runs.

mod directory;
mod jws;
mod look;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use server::RunningServer;
use server::config::Settings;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::bare::{know_tls, without_database};
use crate::process::{Program, command};

use directory::{Directory, Plan};
use look::open;

const DOMAINS: [&str; 2] = ["api.example.test", "files.example.test"];
/// What has to come has come by then, on a machine that has much to do.
const PATIENCE: Duration = Duration::from_mins(1);

fn settings(folder: &TempDir, directory: &Directory) -> Settings {
    let mut settings = without_database(folder);
    let acme = &mut settings.tls.acme;
    acme.domains = DOMAINS.map(str::to_owned).to_vec();
    acme.directory_url = directory.url();
    acme.directory_ca_file = Some(directory.authority_file());
    acme.terms_agreed = true;
    acme.contact = Some("ops@example.test".to_owned());
    acme.look_interval_ms = 50;
    acme.retry_first_s = 1;
    settings
}

async fn start(settings: Settings) -> RunningServer {
    know_tls();
    Box::pin(server::start(settings)).await.unwrap()
}

/// Asks whether somebody who trusts the directory's authority gets an answer.
async fn is_trusted(directory: &Directory, address: SocketAddr, domain: &str) -> bool {
    let authority = reqwest::Certificate::from_pem(directory.authority().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_built_in_root_certs(false).add_root_certificate(authority).resolve(domain, address);
    let asked = client.build().unwrap().get(format!("https://{domain}:{}/health/live", address.port())).send().await;
    asked.is_ok_and(|answer| answer.status() == 200)
}

/// Waits until something is so.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_trusted(directory: &Directory, address: SocketAddr) {
    until("no certificate came", async || is_trusted(directory, address, DOMAINS[0]).await.then_some(())).await;
}

/// Returns the folder of the one directory that was asked.
fn kept(data: &Path) -> PathBuf {
    let folders: Vec<PathBuf> = std::fs::read_dir(data.join("acme")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].clone()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Returns what is worse than it should be, as `thorbis status` reads it.
fn degraded(data: &Path) -> String {
    let state = std::fs::read_to_string(data.join("state.json")).unwrap_or_default();
    serde_json::from_str::<Value>(&state).map(|state| state["degraded"].to_string()).unwrap_or_default()
}

#[tokio::test]
async fn a_certificate_is_ordered_kept_and_not_ordered_again() {
    let directory = Directory::start(Plan { bad_nonces: 1, ..Plan::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let app = start(settings(&folder, &directory)).await;
    let address = app.address().unwrap();
    assert!(app.urls()[0].starts_with("https://"));
    for protocol in ["h2", "acme-tls/1"] {
        let greeted = open(address, DOMAINS[0], &[protocol.as_bytes()]).await;
        assert!(greeted.is_err(), "{protocol} was greeted without a certificate");
    }
    until("nobody is told", async || degraded(app.data_directory()).contains("there is no certificate for api.example.test").then_some(()))
        .await;

    directory.validate_at(address);
    until_trusted(&directory, address).await;
    assert!(is_trusted(&directory, address, DOMAINS[1]).await);
    assert!(open(address, DOMAINS[0], &[b"acme-tls/1"]).await.is_err(), "an answer outlived its order");
    assert_eq!((directory.asked("/new-account").len(), directory.asked("/finalize").len()), (1, 1));
    assert_eq!(directory.asked("/new-order").len(), 2, "the bad nonce was not tried again");
    let accounts = directory.accounts();
    assert_eq!(accounts, [json!({ "contact": ["mailto:ops@example.test"], "termsOfServiceAgreed": true })]);

    let kept = kept(app.data_directory());
    assert_eq!((mode(&kept), mode(&kept.join("certificate.pem")), mode(&kept.join("account.json"))), (0o700, 0o600, 0o600));
    let before = std::fs::read_to_string(kept.join("certificate.pem")).unwrap();
    assert!(before.contains("PRIVATE KEY") && before.contains("CERTIFICATE"));
    app.shutdown().await.unwrap();

    let asked = directory.asked("/").len();
    let app = start(settings(&folder, &directory)).await;
    assert!(is_trusted(&directory, app.address().unwrap(), DOMAINS[0]).await, "the kept certificate is served at once");
    app.shutdown().await.unwrap();
    assert_eq!(directory.asked("/").len(), asked, "the directory was asked at the second start");
    assert_eq!(std::fs::read_to_string(kept.join("certificate.pem")).unwrap(), before);
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_and_a_connection_stays_open() {
    // A third of its life is left, and a little less.
    let nearly = (Duration::from_mins(61), Duration::from_mins(29));
    let directory = Directory::start(Plan { lives: [nearly].into(), ..Plan::default() }).await;
    directory.let_orders(1);
    let folder = tempfile::tempdir().unwrap();
    let app = start(settings(&folder, &directory)).await;
    let address = app.address().unwrap();
    directory.validate_at(address);
    until_trusted(&directory, address).await;
    let (mut old, first) = open(address, DOMAINS[0], &[b"http/1.1"]).await.unwrap();

    directory.let_orders(2);
    let second = until("nothing was renewed", async || {
        let (_, shown) = open(address, DOMAINS[0], &[b"http/1.1"]).await.ok()?;
        (shown != first).then_some(shown)
    })
    .await;
    assert!(is_trusted(&directory, address, DOMAINS[0]).await);
    old.write_all(b"GET /health/live HTTP/1.1\r\nHost: api.example.test\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    old.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(directory.asked("/new-account").len(), 1, "another account was made");

    // The next one is due in two months.
    let looks = directory.asked("/").len();
    let (_, shown) = open(address, DOMAINS[0], &[b"h2"]).await.unwrap();
    assert_eq!(shown, second);
    app.shutdown().await.unwrap();
    assert_eq!(directory.asked("/").len(), looks);
}

#[tokio::test]
async fn a_limit_is_kept_and_a_name_that_is_not_proved_is_tried_again() {
    let directory = Directory::start(Plan { limited: [2].into(), unproved: 1, ..Plan::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let app = start(settings(&folder, &directory)).await;
    let (address, data) = (app.address().unwrap(), app.data_directory().to_owned());
    let pause = until("no pause was kept", async || {
        let text = std::fs::read_to_string(kept(&data).join("not_before")).ok()?;
        text.parse::<Timestamp>().ok()
    })
    .await;
    assert!(pause <= Timestamp::now() + jiff::SignedDuration::from_secs(2), "{pause}");

    // A start anew does not ask sooner.
    app.shutdown().await.unwrap();
    let app = start(settings(&folder, &directory)).await;
    let address = app.address().unwrap_or(address);
    let failed = async || degraded(&data).contains("could not validate").then(|| degraded(&data));
    directory.validate_at(address);
    let told = until("the failure is told nobody", failed).await;
    let orders = directory.asked("/new-order");
    assert!(orders[1].duration_since(orders[0]) >= Duration::from_secs(2), "{orders:?}");
    assert!(told.contains("acme_challenge_failed") && told.contains("nobody answers there"), "{told}");
    until_trusted(&directory, address).await;
    until("the trouble is over", async || (!degraded(&data).contains("acme_")).then_some(())).await;
    app.shutdown().await.unwrap();
}

/// Arguments, variables, and what the program says to them.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

/// Starts the program in vain, and returns what it says.
fn refused(arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path(), arguments);
    let output = command.envs(settings.iter().copied()).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let domain = ("THORBIS_TLS__ACME__DOMAINS", "api.example.test");
    let terms = ("THORBIS_TLS__ACME__TERMS_AGREED", "true");
    let cases: [Case<'_>; 6] = [
        (&serve, &[domain], "`tls.acme.terms_agreed`"),
        (&serve, &[("THORBIS_TLS__ACME__DOMAINS", "*.example.test"), terms], "no wildcards"),
        (&serve, &[domain, terms, ("THORBIS_TLS__ACME__DIRECTORY_URL", "http://ca.example.test/")], "allowed: an https URL"),
        (
            &serve,
            &[domain, terms, ("THORBIS_TLS__KEY_FILE", "key"), ("THORBIS_TLS__CERTIFICATE_FILE", "chain")],
            "none with tls.certificate_file",
        ),
        (&serve, &[domain, terms, ("THORBIS_TLS__ACME__EXTERNAL_ACCOUNT_KEY", "hunter2")], "`tls.acme.external_account_id`"),
        (&["serve", "--only", "data-api"], &[domain, terms], "(acme_needs_data_folder)"),
    ];
    for (arguments, settings, expected) in cases {
        let said = refused(arguments, settings);
        assert!(said.contains(expected) && !said.contains("hunter2"), "{settings:?}: {said}");
    }
    let nowhere = ("THORBIS_DATABASE__URL", "postgres://nobody:nothing@127.0.0.1:1/none");
    let said = refused(&serve, &[domain, terms, nowhere, ("THORBIS_TLS__ACME__DIRECTORY_CA_FILE", "/nowhere/ca.pem")]);
    assert!(said.contains("(acme_ca_file_invalid)"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_bound_and_no_secret_is_logged() {
    let binding = ("account-7".to_owned(), b"the key of the account elsewhere".to_vec());
    let directory = Directory::start(Plan { binding: Some(binding), ..Plan::default() }).await;
    let (folder, url, authority) = (tempfile::tempdir().unwrap(), directory.url(), directory.authority_file());
    let secret = "dGhlIGtleSBvZiB0aGUgYWNjb3VudCBlbHNld2hlcmU";
    let settings = [
        ("THORBIS_DATABASE__URL", "postgres://nobody:nothing@127.0.0.1:1/none"),
        ("THORBIS_DATABASE__START_WAIT_MS", "0"),
        ("THORBIS_LOG__FILTER", "debug"),
        ("THORBIS_TLS__ACME__DOMAINS", "api.example.test,files.example.test"),
        ("THORBIS_TLS__ACME__TERMS_AGREED", "true"),
        ("THORBIS_TLS__ACME__DIRECTORY_URL", &url),
        ("THORBIS_TLS__ACME__DIRECTORY_CA_FILE", authority.to_str().unwrap()),
        ("THORBIS_TLS__ACME__EXTERNAL_ACCOUNT_ID", "account-7"),
        ("THORBIS_TLS__ACME__EXTERNAL_ACCOUNT_KEY", secret),
    ];
    let program = tokio::task::block_in_place(|| Program::start_with(folder.path(), &settings));
    let address: SocketAddr = program.url.strip_prefix("https://").unwrap().parse().unwrap();
    directory.validate_at(address);
    know_tls();
    until_trusted(&directory, address).await;
    tokio::task::block_in_place(|| program.stop());

    let kept = kept(&folder.path().join("data"));
    let account: Value = serde_json::from_slice(&std::fs::read(kept.join("account.json")).unwrap()).unwrap();
    let pem = std::fs::read_to_string(kept.join("certificate.pem")).unwrap();
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.contains("the certificate that was ordered is in use"), "{log}");
    let key = account["credentials"]["key_pkcs8"].as_str().unwrap();
    for hidden in [secret, key, pem.lines().nth(1).unwrap(), "the key of the account elsewhere"] {
        assert!(hidden.len() > 20 && !log.contains(hidden), "a secret was logged");
    }
}
