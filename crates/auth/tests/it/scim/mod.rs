//! A company's directory: requests as RFC 7643 and 7644 and the large directories write them, with their answers.

mod discovery;
mod filters;
mod groups;
mod tokens;
mod users;
mod walls;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::server::{Server, token};

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(crate) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub(crate) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub(crate) const BASE: &str = "http://localhost:54321/scim/v2";

/// The directory of a company.
pub(crate) struct Directory {
    pub(crate) router: Router,
    pub(crate) token: String,
    pub(crate) company: String,
    /// The session of the company's owner.
    pub(crate) owner: Value,
}

#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Directory {
    /// Founds a company that proved its domain, `<slug>.example`, and lets a directory in.
    pub(crate) async fn of(server: &Server, slug: &str) -> Self {
        let owner = server.sign_up(&format!("owner@{slug}.example")).await;
        let company = server.company(slug, &owner).await;
        server
            .sql(&format!("set session_replication_role = replica; update public.companies set max_seats = 20 where id = '{company}'"))
            .await;
        server.sql(&format!("insert into app.proved_domains (domain, company_id) values ('{slug}.example', '{company}')")).await;
        let owner = server.refresh(&owner).await.ok();
        let made = server.call("POST", "/scim/tokens", Some(token(&owner)), Some(json!({ "name": "Directory" }))).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let token = made.body["token"].as_str().unwrap().to_owned();
        Self { router: auth::scim_router(server.auth.clone()), token, company, owner }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, (headers, body): (&[(&str, &str)], Option<&Value>)) -> Said {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/scim+json");
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        if !bytes.is_empty() {
            assert_eq!(parts.headers["content-type"], "application/scim+json");
        }
        Said { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Said {
        self.send("GET", path, (&[], None)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Said {
        self.send("POST", path, (&[], Some(&body))).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Said {
        self.send("PUT", path, (&[], Some(&body))).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Said {
        self.send("DELETE", path, (&[], None)).await
    }

    pub(crate) async fn patch(&self, path: &str, operations: Value) -> Said {
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
        self.send("PATCH", path, (&[], Some(&body))).await
    }

    /// Makes a user, and returns his id.
    pub(crate) async fn user(&self, body: Value) -> String {
        self.post("/Users", body).await.made()
    }

    /// Makes a group, and returns its id.
    pub(crate) async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        self.post("/Groups", json!({ "schemas": [GROUP], "displayName": name, "members": members })).await.made()
    }

    /// Returns the names of the users that a filter finds.
    pub(crate) async fn found(&self, filter: &str) -> Vec<String> {
        let query: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let said = self.get(&format!("/Users?sortBy=userName&filter={query}")).await;
        assert_eq!(said.status, 200, "{filter}: {}", said.body);
        assert_eq!(said.body["totalResults"], said.body["Resources"].as_array().unwrap().len());
        said.body["Resources"].as_array().unwrap().iter().map(|user| user["userName"].as_str().unwrap().to_owned()).collect()
    }
}

impl Said {
    /// Returns the id of what was made.
    #[track_caller]
    pub(crate) fn made(self) -> String {
        assert_eq!(self.status, 201, "{}", self.body);
        self.body["id"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    /// Checks a refusal: status, keyword, and that it has the form of an error.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, scim_type: Option<&str>) {
        assert_eq!((self.status, self.body["scimType"].as_str()), (status, scim_type), "{}", self.body);
        assert_eq!(self.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
        assert_eq!(self.body["status"], status.to_string());
        assert!(self.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
}
