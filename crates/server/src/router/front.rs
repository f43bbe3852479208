//! `/`: what runs here and where things are, for people and for programs.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::get;
use http::{HeaderMap, header};
use serde_json::{Value, json};

use crate::version;

/// Path and purpose, in the order they are shown.
const PLACES: &[(&str, &str, &str)] = &[
    ("rest", "/rest/v1", "data API: tables, views and functions of the schema public"),
    ("batch", "/batch/v1", "several requests of the data API in one transaction"),
    ("realtime", "/realtime/v1", "sockets and channels: changed rows, broadcast and presence"),
    ("auth", "/auth/v1", "sign-in, sessions and the active company"),
    ("storage", "/storage/v1", "files: buckets, objects, links"),
    ("scim", "/scim/v2", "SCIM 2.0: a company's directory provisions its members"),
    ("ready", "/health/ready", "whether requests can be served, and what fails otherwise"),
    ("live", "/health/live", "whether the process answers"),
    ("health", "/api/health", "health in one word for each service"),
    ("metrics", "/metrics", "numbers for Prometheus, from this machine"),
];

/// What the page shows.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    /// The address for clients.
    pub(crate) public_url: Arc<str>,
    /// The path below which sign-in is.
    pub(crate) auth_path: Arc<str>,
    /// Whether sign-in is all that is served.
    pub(crate) auth_alone: bool,
}

impl Front {
    /// Returns what is served: its name, its path, what it is for.
    fn places(&self) -> impl Iterator<Item = (&'static str, &str, &'static str)> {
        let served = PLACES.iter().filter(|(name, ..)| !self.auth_alone || !matches!(*name, "rest" | "batch" | "realtime" | "storage"));
        served.map(|(name, path, purpose)| match *name {
            "auth" if self.auth_path.is_empty() => (*name, "/", *purpose),
            "auth" => (*name, &*self.auth_path, *purpose),
            _ => (*name, *path, *purpose),
        })
    }
}

pub(super) fn router(front: Front) -> Router {
    Router::new().route("/", get(show)).with_state(front)
}

async fn show(State(front): State<Front>, headers: HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepted.contains("text/html") { Html(page(&front)).into_response() } else { Json(document(&front)).into_response() }
}

fn document(front: &Front) -> Value {
    let url = |path: &str| format!("{}{path}", front.public_url);
    let places: serde_json::Map<String, Value> = front.places().map(|(name, path, _)| (name.to_owned(), json!(url(path)))).collect();
    json!({ "name": "thorbis", "version": version::VERSION, "url": &*front.public_url, "endpoints": places })
}

fn page(front: &Front) -> String {
    let row = |(_, path, purpose): (&str, &str, &str)| format!("<tr><td><a href=\"{path}\">{path}</a></td><td>{purpose}</td></tr>");
    let rows: Vec<String> = front.places().map(row).collect();
    let rows = rows.concat();
    // The address comes from the operator's configuration, which is read as a URL: it has no character that is special here but &.
    let url = front.public_url.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Thorbis</title>\
         <style>body{{font:16px/1.5 system-ui,sans-serif;margin:3rem auto;max-width:48rem;padding:0 1rem}}td{{padding:.25rem 1rem .25rem 0}}</style>\
         <h1>Thorbis {}</h1><p>Clients connect to <code>{url}</code> with the anon key that <code>thorbis keys show</code> prints.</p>\
         <table>{rows}</table></html>",
        version::VERSION
    )
}
