//! Asking other servers: for their keys, and hooks for what they say.
//!
//! Invariant: every answer is limited in bytes and time, no redirect is followed, so that a request goes where it was configured to go and
//! nowhere else, and nothing of a request's body is in an error.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use kernel::Result;

use crate::senders::unusable;
use crate::tls;

/// A client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Web(reqwest::Client);

/// An answer that was read to its end.
#[derive(Clone, Debug)]
pub struct WebAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

/// How much an answer may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of its body.
    pub bytes_max: usize,
    /// From the connection to the last byte.
    pub time: Duration,
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WebError {
    /// Not within the time.
    #[error("no answer in time")]
    Time,
    /// Larger than allowed.
    #[error("the answer is too large")]
    TooLarge,
    /// Not reached, or broken off.
    #[error("{0}")]
    Broken(String),
}

impl Web {
    /// Sets up the client. Connects to nothing yet.
    pub fn new() -> Result<Self> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .use_preconfigured_tls(tls::client().map_err(|error| unusable("outbound.web", error))?)
            .build();
        client.map(Self).map_err(|error| unusable("outbound.web", error))
    }

    /// Reads an address.
    pub async fn get(&self, url: &str, bounds: Bounds) -> std::result::Result<WebAnswer, WebError> {
        self.finish(self.0.get(url).header(http::header::ACCEPT, "application/json"), bounds).await
    }

    /// Sends a body.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: Vec<u8>, bounds: Bounds) -> std::result::Result<WebAnswer, WebError> {
        self.finish(self.0.post(url).headers(headers).body(body), bounds).await
    }

    async fn finish(&self, request: reqwest::RequestBuilder, bounds: Bounds) -> std::result::Result<WebAnswer, WebError> {
        let work = async {
            let mut answer = request.send().await.map_err(broken)?;
            let mut body = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(broken)? {
                if body.len() + chunk.len() > bounds.bytes_max {
                    return Err(WebError::TooLarge);
                }
                body.extend_from_slice(&chunk);
            }
            Ok(WebAnswer { status: answer.status(), headers: answer.headers().clone(), body })
        };
        tokio::time::timeout(bounds.time, work).await.unwrap_or(Err(WebError::Time))
    }
}

/// Says what broke, with its causes: the address may hold a secret and is left out.
fn broken(error: reqwest::Error) -> WebError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut next = std::error::Error::source(&error);
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    WebError::Broken(text)
}
