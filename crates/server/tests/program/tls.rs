//! TLS from files that change while the server runs.

use std::path::Path;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use server::config::Environment;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::running::start_with;

/// Writes a new pair and returns the certificate.
fn write_pair(folder: &Path) -> String {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
    cert.pem()
}

fn client(certificate: &str) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    reqwest::Client::builder().tls_built_in_root_certs(false).add_root_certificate(root).build().unwrap()
}

async fn trusts(certificate: &str, port: u16) -> bool {
    client(certificate).get(format!("https://localhost:{port}/health/live")).send().await.is_ok_and(|response| response.status() == 200)
}

#[tokio::test]
async fn a_changed_certificate_is_taken_and_a_broken_one_is_not() {
    let files = tempfile::tempdir().unwrap();
    let first = write_pair(files.path());
    let app = start_with(|settings| {
        settings.tls.certificate_file = Some(files.path().join("cert.pem"));
        settings.tls.key_file = Some(files.path().join("key.pem"));
        settings.tls.reload_interval_ms = server::config::Interval(50);
    })
    .await;
    let port = app.address().port();
    assert!(app.server.urls()[0].starts_with("https://"));
    assert!(trusts(&first, port).await);

    let second = write_pair(files.path());
    let begun = Instant::now();
    while !trusts(&second, port).await {
        assert!(begun.elapsed() < Duration::from_mins(1), "the second certificate is not taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!trusts(&first, port).await);

    std::fs::write(files.path().join("cert.pem"), "no certificate").unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(trusts(&second, port).await, "a broken file replaced a good one");
    app.stop().await;
}

#[tokio::test]
async fn browsers_are_told_to_come_by_tls_alone() {
    for (environment, seconds, expected) in [
        (Environment::Production, 31_536_000, Some("max-age=31536000")),
        (Environment::Production, 0, None),
        (Environment::Development, 31_536_000, None),
    ] {
        let files = tempfile::tempdir().unwrap();
        let certificate = write_pair(files.path());
        let app = start_with(|settings| {
            settings.environment = environment;
            settings.tls.certificate_file = Some(files.path().join("cert.pem"));
            settings.tls.key_file = Some(files.path().join("key.pem"));
            settings.tls.hsts_max_age_s = seconds;
        })
        .await;
        let answer = client(&certificate).get(format!("https://localhost:{}/no-such-path", app.address().port())).send().await.unwrap();
        let said = answer.headers().get("strict-transport-security").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!((answer.status().as_u16(), said.as_deref()), (404, expected), "{environment:?} {seconds}");
        app.stop().await;
    }
    let plain = start_with(|settings| settings.environment = Environment::Production).await;
    let answer = reqwest::get(plain.url("/health/live")).await.unwrap();
    assert!(!answer.headers().contains_key("strict-transport-security"), "nothing may be said of it without TLS");
    plain.stop().await;
}

/// The first message of a client that knows this version at most, and what goes with the certificate of these tests.
fn hello(version: [u8; 2]) -> Vec<u8> {
    // ECDSA with SHA-256, on the curve P-256, whose points are not compressed.
    let extensions = [0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0];
    // No session, two suites (AES-GCM of TLS 1.2, AES-CBC of those before), no compression.
    let rest = [&[0, 0, 4, 0xc0, 0x2b, 0xc0, 0x09, 1, 0, 0, u8::try_from(extensions.len()).unwrap()], extensions.as_slice()].concat();
    let body = [version.as_slice(), &[7; 32], &rest].concat();
    let length = u8::try_from(body.len()).unwrap();
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length], body.as_slice()].concat()
}

#[tokio::test]
async fn versions_before_tls_1_2_are_refused() {
    let files = tempfile::tempdir().unwrap();
    write_pair(files.path());
    let app = start_with(|settings| {
        settings.tls.certificate_file = Some(files.path().join("cert.pem"));
        settings.tls.key_file = Some(files.path().join("key.pem"));
    })
    .await;
    // 22 is the server's own hello, 21 an alert: fatal, of the version.
    for (version, kind, ends_with) in [([3, 3], 22, None), ([3, 2], 21, Some([2, 70])), ([3, 1], 21, Some([2, 70]))] {
        let mut stream = tokio::net::TcpStream::connect(app.address()).await.unwrap();
        stream.write_all(&hello(version)).await.unwrap();
        let mut head = [0; 7];
        tokio::time::timeout(Duration::from_mins(1), stream.read_exact(&mut head)).await.unwrap().unwrap();
        assert_eq!(head[0], kind, "{version:?}: {head:?}");
        assert!(ends_with.is_none_or(|alert| head.ends_with(&alert)), "{version:?}: {head:?}");
    }
    app.stop().await;
}
