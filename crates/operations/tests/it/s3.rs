//! A store that speaks S3, with a stand-in that checks every signature for itself and refuses now and then.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::{digest, hmac};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use kernel::Secret;
use operations::{BackupConfig, S3Config, Store, Target};

use crate::bench::{Bench, said};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// Keys of one page of a list.
const PAGE: usize = 3;

#[derive(Default)]
struct Kept {
    objects: BTreeMap<String, Bytes>,
    /// Answers that are refusals before others are given.
    refusals: Vec<u16>,
    requests: usize,
}

#[derive(Clone, Default)]
struct StandIn(Arc<Mutex<Kept>>);

impl StandIn {
    async fn serve(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().fallback(answer).layer(axum::extract::DefaultBodyLimit::disable()).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        address
    }
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Computes what a signed address has to have, as AWS describes it.
fn is_signed(method: &Method, uri: &Uri, host: &str) -> bool {
    let query = uri.query().unwrap_or_default();
    let (mut pairs, mut given) = (vec![], "");
    for pair in query.split('&') {
        match pair.strip_prefix("X-Amz-Signature=") {
            Some(signature) => given = signature,
            None => pairs.push(pair),
        }
    }
    pairs.sort_unstable();
    let value = |name: &str| pairs.iter().find_map(|pair| pair.strip_prefix(name)).unwrap_or_default();
    let (date, scope) = (value("X-Amz-Date="), value("X-Amz-Credential=").replace("%2F", "/"));
    let Some((key_id, scope)) = scope.split_once('/') else { return false };
    let request = format!("{method}\n{}\n{}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD", uri.path(), pairs.join("&"));
    let sum = hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref());
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for part in scope.split('/') {
        key = sign(&key, part);
    }
    key_id == "AKIDEXAMPLE" && given == hex(&sign(&key, &format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{sum}")))
}

fn refusal(status: u16, code: &str) -> Response {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>");
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

async fn answer(State(stand_in): State<StandIn>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut kept = stand_in.0.lock().unwrap();
    kept.requests += 1;
    if let Some(status) = kept.refusals.pop() {
        return refusal(status, "SlowDown");
    }
    if !is_signed(&method, &uri, headers["host"].to_str().unwrap()) {
        return refusal(403, "SignatureDoesNotMatch");
    }
    let Some(name) = uri.path().strip_prefix("/attic/") else { return refusal(404, "NoSuchBucket") };
    match method {
        Method::PUT => {
            kept.objects.insert(name.to_owned(), body);
            StatusCode::OK.into_response()
        }
        Method::DELETE => {
            kept.objects.remove(name);
            StatusCode::NO_CONTENT.into_response()
        }
        _ if name.is_empty() => list(&kept.objects, uri.query().unwrap_or_default()),
        _ => kept.objects.get(name).map_or_else(|| refusal(404, "NoSuchKey"), |body| body.clone().into_response()),
    }
}

fn list(objects: &BTreeMap<String, Bytes>, query: &str) -> Response {
    let values: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let (prefix, after) = (values.get("prefix").cloned().unwrap_or_default(), values.get("continuation-token"));
    let mut found = objects.iter().filter(|(name, _)| name.starts_with(&prefix) && after.is_none_or(|after| *name > after)).peekable();
    let (mut text, mut last) = (String::new(), String::new());
    for (name, body) in found.by_ref().take(PAGE) {
        let size = body.len();
        write!(text, "<Contents><Key>{name}</Key><LastModified>2026-11-22T08:00:00.000Z</LastModified><ETag>\"0\"</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>").unwrap();
        last.clone_from(name);
    }
    if found.peek().is_some() {
        write!(text, "<NextContinuationToken>{last}</NextContinuationToken>").unwrap();
    }
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>attic</Name><MaxKeys>{PAGE}</MaxKeys>{text}</ListBucketResult>"
    );
    body.into_response()
}

fn config(address: SocketAddr, secret: &str) -> S3Config {
    S3Config {
        endpoint: Some(format!("http://{address}")),
        bucket: "attic".into(),
        prefix: "production".into(),
        access_key: Some(Secret::new("AKIDEXAMPLE".into())),
        secret_key: Some(Secret::new(secret.into())),
        tries: 3,
        ..S3Config::default()
    }
}

fn know_tls() {
    // Another test of the process may have been faster.
    let _known = rustls::crypto::aws_lc_rs::default_provider().install_default().is_ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_come_back_and_refusals_are_waited_out_or_told() {
    know_tls();
    let stand_in = StandIn::default();
    let address = stand_in.serve().await;
    let open = |secret: &str| {
        let config = BackupConfig { s3: config(address, secret), ..BackupConfig::default() };
        Store::open(&config, std::path::Path::new("/nowhere")).unwrap()
    };
    let store = open(SECRET);
    for number in 0..7 {
        store.put(&format!("1/log/{number}"), vec![number; 10]).await.unwrap();
    }
    store.put("2/log/0", vec![0; 10]).await.unwrap();
    let listed: Vec<String> = store.list("1/log/").await.unwrap().into_iter().map(|object| object.name).collect();
    assert_eq!(listed, (0..7).map(|number| format!("1/log/{number}")).collect::<Vec<_>>(), "page by page");
    assert_eq!(store.find("1/log/3").await.unwrap().unwrap(), [3; 10]);
    store.delete("1/log/3").await.unwrap();
    assert_eq!(store.find("1/log/3").await.unwrap(), None);
    assert!(stand_in.0.lock().unwrap().objects.keys().all(|name| name.starts_with("production/")));

    stand_in.0.lock().unwrap().refusals = vec![503, 429];
    assert_eq!(store.get("1/log/4").await.unwrap(), [4; 10], "it was asked again");
    stand_in.0.lock().unwrap().refusals = vec![500; 9];
    let told = store.get("1/log/4").await.unwrap_err();
    assert!(told.code() == "backup_store_unavailable" && told.message().contains("SlowDown"), "{told:?}");
    assert_eq!(stand_in.0.lock().unwrap().refusals.len(), 6, "three tries");
    stand_in.0.lock().unwrap().refusals.clear();

    let before = stand_in.0.lock().unwrap().requests;
    let told = open("another").get("1/log/4").await.unwrap_err();
    assert!(told.message().contains("SignatureDoesNotMatch") && !format!("{told:?}").contains("X-Amz"), "{told:?}");
    assert_eq!(stand_in.0.lock().unwrap().requests, before + 1, "what is refused for good is asked once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_over_s3_is_restored() {
    know_tls();
    let stand_in = StandIn::default();
    let address = stand_in.serve().await;
    let bench = Bench::with(|settings| settings.s3 = config(address, SECRET)).await;
    bench
        .client()
        .await
        .batch_execute("create table said (id int generated always as identity, word text); insert into said (word) values ('kept')")
        .await
        .unwrap();
    let made = bench.back_up().await;
    bench.ship().await;
    operations::verify(&bench.vault, &made).await.unwrap();
    let restored = bench.restore("then", Target::Latest).await.unwrap();
    assert_eq!(said(&restored.cluster.migrator_config()).await, ["kept"]);
    restored.cluster.stop().await.unwrap();
    assert!(!bench.folder.path().join("store").is_dir(), "nothing in a folder");
    bench.cluster.stop().await.unwrap();
}
