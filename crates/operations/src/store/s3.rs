//! A store that speaks S3.
//!
//! Invariant: a request that was refused for the moment (429, 5xx, no answer) is tried again a bounded number of times, each time later;
//! any other refusal is told with its status and the store's own code, never with the signature or a key.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use kernel::{Error, Kind, Result, Secret};
use reqwest::{Client, Method, StatusCode};
use rusty_s3::actions::{ListObjectsV2, S3Action};
use rusty_s3::{Bucket, Credentials, UrlStyle};
use url::Url;

use super::{Object, unavailable};
use crate::config::S3Config;

/// How long a signature is good for.
const SIGNED_FOR: Duration = Duration::from_mins(15);
/// The first pause before another try; it doubles.
const PAUSE: Duration = Duration::from_millis(200);
/// Characters of the store's own words that are passed on.
const WORDS_MAX: usize = 200;

#[derive(Clone)]
pub(super) struct S3 {
    bucket: Bucket,
    credentials: Option<Credentials>,
    client: Client,
    prefix: String,
    tries: u32,
}

impl S3 {
    pub(super) fn new(config: &S3Config) -> Result<Self> {
        let refused = |why: String| Error::new(Kind::Unprocessable, "config_invalid", format!("backup.s3: {why}"));
        let endpoint: Url = config.endpoint.as_deref().unwrap_or_default().parse().map_err(|error| refused(format!("{error}")))?;
        let style = if config.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let bucket =
            Bucket::new(endpoint, style, config.bucket.clone(), config.region.clone()).map_err(|error| refused(error.to_string()))?;
        let pair = config.access_key.as_ref().zip(config.secret_key.as_ref());
        let credentials = pair.map(|(key, secret)| Credentials::new(Secret::expose(key).clone(), secret.expose().clone()));
        let client = Client::builder()
            .timeout(Duration::from_secs(config.request_time_s))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Error::internal)?;
        let prefix = match config.prefix.trim_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self { bucket, credentials, client, prefix, tries: config.tries })
    }

    pub(super) fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket.name(), self.prefix)
    }

    pub(super) async fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        let key = self.key(name);
        self.ask(Method::PUT, "written", || self.bucket.put_object(self.credentials.as_ref(), &key).sign(SIGNED_FOR), Some(bytes))
            .await
            .map(drop)
    }

    pub(super) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let key = self.key(name);
        let body = self.ask(Method::GET, "read", || self.bucket.get_object(self.credentials.as_ref(), &key).sign(SIGNED_FOR), None).await?;
        Ok(body.map(Vec::from))
    }

    pub(super) async fn delete(&self, name: &str) -> Result<()> {
        let key = self.key(name);
        let sign = || self.bucket.delete_object(self.credentials.as_ref(), &key).sign(SIGNED_FOR);
        self.ask(Method::DELETE, "tidied up", sign, None).await.map(drop)
    }

    pub(super) async fn list(&self, prefix: &str, listed_max: usize) -> Result<Vec<Object>> {
        let (prefix, mut token, mut found) = (self.key(prefix), None::<String>, vec![]);
        loop {
            let sign = || {
                let mut action = self.bucket.list_objects_v2(self.credentials.as_ref());
                action.with_prefix(Cow::Borrowed(prefix.as_str()));
                if let Some(token) = &token {
                    action.with_continuation_token(token.clone());
                }
                action.sign(SIGNED_FOR)
            };
            let body = self.ask(Method::GET, "listed", sign, None).await?.unwrap_or_default();
            let text = String::from_utf8_lossy(&body);
            let page = ListObjectsV2::parse_response(&text).map_err(|error| unavailable(&self.place(), "listed", error))?;
            for object in page.contents {
                let name = object.key.strip_prefix(self.prefix.as_str()).unwrap_or(&object.key).to_owned();
                found.push(Object { name, bytes: object.size.unwrap_or_default() });
            }
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(found);
            }
            if found.len() >= listed_max {
                return Err(unavailable(&self.place(), "listed", format!("it has more than {listed_max} objects")));
            }
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Asks until there is an answer that counts. Nothing is what is not there.
    async fn ask(&self, method: Method, doing: &str, sign: impl Fn() -> Url, body: Option<Bytes>) -> Result<Option<Bytes>> {
        let (mut pause, mut last) = (PAUSE, String::new());
        for number in 0..self.tries {
            if number > 0 {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            let mut request = self.client.request(method.clone(), sign());
            if let Some(body) = &body {
                request = request.body(body.clone());
            }
            let answer = match request.send().await {
                Ok(answer) => answer,
                // Its words would have the signed address.
                Err(error) => {
                    last = error.without_url().to_string();
                    continue;
                }
            };
            let status = answer.status();
            if status == StatusCode::NOT_FOUND && method != Method::PUT && !doing.starts_with("listed") {
                return Ok(None);
            }
            match answer.bytes().await {
                Ok(body) if status.is_success() => return Ok(Some(body)),
                Ok(body) => last = format!("it answered {status} {}", said(&body)),
                Err(error) => last = error.without_url().to_string(),
            }
            if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS && status != StatusCode::REQUEST_TIMEOUT {
                break;
            }
        }
        Err(unavailable(&self.place(), doing, last))
    }
}

/// Returns the code of a refusal.
fn said(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code);
    code.chars().take(WORDS_MAX).collect()
}
