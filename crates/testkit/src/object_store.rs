//! A store that speaks S3, of the test's own: the crate `s3s-fs` behind a door that can be shut, or refuse or break off now and then.
//!
//! Invariant: it checks every signature, keeps its files in a folder of its own, and ends with the test.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Router, http::StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use s3s::auth::SimpleAuth;
use s3s::dto::{Timestamp, TimestampFormat};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;

/// Who asks.
pub const ACCESS_KEY: &str = "AKIDEXAMPLE";
/// What he proves it with.
pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// The bucket that is there.
pub const BUCKET: &str = "attic";

/// What the door does to the requests that come next.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// None.
    Pass,
    /// Answers a status.
    Refuse(u16),
    /// Answers, and breaks off after so many bytes.
    BreakOff(usize),
}

#[derive(Clone)]
struct Door {
    folder: PathBuf,
    service: S3Service,
    troubles: Arc<Mutex<VecDeque<Trouble>>>,
    is_shut: Arc<Mutex<bool>>,
    seen: Arc<Mutex<Vec<String>>>,
}

/// The store.
pub struct ObjectStore {
    folder: TempDir,
    address: String,
    door: Door,
}

impl ObjectStore {
    /// Starts one on a port of its own.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a bucket is a folder");
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).expect("a file system"));
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let door = Door {
            folder: folder.path().to_owned(),
            service: builder.build(),
            troubles: Arc::default(),
            is_shut: Arc::default(),
            seen: Arc::default(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let routes = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(door.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { folder, address, door }
    }

    /// Returns where it is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Makes trouble for the requests that come next, one each.
    pub fn trouble(&self, troubles: impl IntoIterator<Item = Trouble>) {
        self.door.troubles.lock().unwrap_or_else(PoisonError::into_inner).extend(troubles);
    }

    /// Answers nothing but 503 from now on, or is there again.
    pub fn shut(&self, is_shut: bool) {
        *self.door.is_shut.lock().unwrap_or_else(PoisonError::into_inner) = is_shut;
    }

    /// Returns what was asked since the last time, method and path each, and forgets it.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.door.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the names of all files that are there.
    pub fn names(&self) -> Vec<String> {
        let bucket = self.folder.path().join(BUCKET);
        let (mut folders, mut found) = (vec![bucket.clone()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                let path: PathBuf = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&bucket).expect("it is below").to_string_lossy().into_owned());
                }
            }
        }
        found.sort();
        found
    }

    /// Returns how many parts there are of files that are not at their end.
    pub fn parts(&self) -> usize {
        let names = std::fs::read_dir(self.folder.path()).expect("a folder").flatten();
        names.filter(|entry| entry.file_name().to_string_lossy().contains(".part-")).count()
    }
}

async fn answer(State(door): State<Door>, request: Request) -> Response {
    door.seen.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{} {}", request.method(), request.uri().path()));
    if *door.is_shut.lock().unwrap_or_else(PoisonError::into_inner) {
        return refusal(503);
    }
    let trouble = door.troubles.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    if let Some(Trouble::Refuse(status)) = trouble {
        return refusal(status);
    }
    let (parts, body) = request.into_parts();
    let asks_for_begun = parts.uri.query().is_some_and(|query| query.contains("uploads=") && parts.method == "GET");
    let request = axum::http::Request::from_parts(parts, s3s::Body::http_body_unsync(body));
    match door.service.call(request).await {
        // The crate checks the signature of this and knows no answer to it.
        Ok(answer) if asks_for_begun && answer.status() == StatusCode::NOT_IMPLEMENTED => begun(&door.folder).into_response(),
        Ok(answer) => match trouble {
            Some(Trouble::BreakOff(bytes)) => broken_off(answer.map(Body::new), bytes).await,
            _ => answer.map(Body::new),
        },
        Err(_error) => refusal(500),
    }
}

/// Lists the files in parts that were begun and are not at their end.
fn begun(folder: &std::path::Path) -> String {
    let mut uploads = String::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some((object, id)) = name
            .strip_suffix(".metadata.json")
            .and_then(|name| name.split_once(".object-"))
            .and_then(|(_, rest)| rest.split_once(".upload-"))
        else {
            continue;
        };
        let key = String::from_utf8(URL_SAFE_NO_PAD.decode(object).expect("a name")).expect("text");
        let mut at = Vec::new();
        let begun_at = Timestamp::from(entry.metadata().and_then(|entry| entry.modified()).expect("a time"));
        begun_at.format(TimestampFormat::DateTime, &mut at).expect("a time");
        let at = String::from_utf8(at).expect("text");
        // Writing into a String cannot fail.
        let _infallible = write!(uploads, "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{at}</Initiated></Upload>");
    }
    format!("<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>{uploads}</ListMultipartUploadsResult>")
}

fn refusal(status: u16) -> Response {
    let body = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>no</Message></Error>";
    (StatusCode::from_u16(status).expect("a status"), body).into_response()
}

/// Tells the whole length, and some of the bytes.
async fn broken_off(answer: Response, bytes: usize) -> Response {
    let (parts, body) = answer.into_parts();
    let mut whole = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
    whole.truncate(bytes);
    Response::from_parts(parts, then_broken(whole))
}

fn then_broken(some: Bytes) -> Body {
    let pieces = [Ok(some), Err(std::io::Error::other("the line breaks"))];
    Body::from_stream(futures_util::stream::iter(pieces))
}
