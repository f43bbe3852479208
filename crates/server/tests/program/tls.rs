//! TLS from files that change while the server runs.

use std::path::Path;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::running::start_with;

/// Writes a new pair and returns the certificate.
fn write_pair(folder: &Path) -> String {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
    cert.pem()
}

async fn trusts(certificate: &str, port: u16) -> bool {
    let root = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_built_in_root_certs(false).add_root_certificate(root).build().unwrap();
    client.get(format!("https://localhost:{port}/health/live")).send().await.is_ok_and(|response| response.status() == 200)
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
    let mut taken = false;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        taken = trusts(&second, port).await;
        if taken {
            break;
        }
    }
    assert!(taken, "the second certificate was not taken within 5 s");
    assert!(!trusts(&first, port).await);

    std::fs::write(files.path().join("cert.pem"), "no certificate").unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(trusts(&second, port).await, "a broken file replaced a good one");
    app.stop().await;
}
