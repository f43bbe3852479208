//! Buckets and objects over HTTP, at a server with two companies.

mod as_elsewhere;
mod bound;
mod companies;
mod content;
mod guests;
mod in_a_store;
mod in_parts;
mod lives;
mod objects;
mod policies;
mod refusals;
mod scanned;

use http::HeaderMap;
use serde_json::{Value, json};

use crate::rates::Person;
use crate::transfers::shop::Shop;

/// What was answered, with its bytes.
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Told {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&self.bytes)))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts that it is a refusal as the clients know them: 400, with the true status in the body.
    #[track_caller]
    pub(crate) fn refused(&self, status: &str, code: &str) {
        let body = self.json();
        assert_eq!((self.status, &body["statusCode"], &body["code"]), (400, &json!(status), &json!(code)), "{body}");
        assert!(body["message"].is_string() && body["error"].is_string(), "{body}");
    }

    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }
}

/// A body and its headers.
pub(crate) type Sent<'a> = (&'a [(&'a str, &'a str)], Vec<u8>);

impl Shop {
    /// Asks storage as somebody; as nobody where the token is empty.
    pub(crate) async fn storage(&self, method: &str, path: &str, token: &str, (headers, body): Sent<'_>) -> Told {
        let request = self.server.client.request(method.parse().unwrap(), format!("{}/storage/v1{path}", self.server.address));
        let request = if token.is_empty() { request } else { request.bearer_auth(token) };
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.body(body).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Told { status, headers, bytes: answer.bytes().await.unwrap().to_vec() }
    }

    pub(crate) async fn fetched(&self, path: &str, token: &str) -> Told {
        self.storage("GET", path, token, (&[], vec![])).await
    }

    pub(crate) async fn asked(&self, method: &str, path: &str, token: &str, body: Value) -> Told {
        self.storage(method, path, token, (&[("content-type", "application/json")], body.to_string().into_bytes())).await
    }

    /// Uploads a text.
    pub(crate) async fn upload(&self, path: &str, token: &str, text: &str) -> Told {
        self.storage("POST", &format!("/object/{path}"), token, (&[("content-type", "text/plain;charset=UTF-8")], text.as_bytes().to_vec()))
            .await
    }

    /// A bucket that the operator makes, whose files nobody reaches by a policy.
    pub(crate) async fn bucket(&self, also: Value) -> String {
        let mut wanted = json!({ "id": "things", "name": "things", "public": false });
        wanted.as_object_mut().unwrap().extend(also.as_object().unwrap().clone());
        self.asked("POST", "/bucket", &self.server.service(), wanted).await.ok();
        self.server.service()
    }

    /// Has the server look for files that are to go, and says how many there are in its folder.
    pub(crate) async fn blobs(&self, state: &str) -> i64 {
        self.count(match state {
            "stored" => "select count(*) from app.blobs where state = 'stored'",
            "intended" => "select count(*) from app.blobs where state = 'intended'",
            "doomed" => "select count(*) from app.blobs where state = 'doomed'",
            _ => "select count(*) from app.blobs",
        })
        .await
    }
}

/// A path in a folder of somebody's company.
pub(crate) fn own(who: &Person, bucket: &str, name: &str) -> String {
    format!("{bucket}/{}/{name}", who.company)
}
