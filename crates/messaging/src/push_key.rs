//! `/api/v1/push/key`: what a browser is given as `applicationServerKey`, so that this installation alone may send to it.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use kernel::{Error, Kind, Result};
use serde_json::{Value, json};

use crate::Messaging;

/// Returns the route, to be mounted at `/api/v1/push`. Everybody may know the key.
pub fn router(messaging: Messaging) -> Router {
    Router::new().route("/key", get(key)).with_state(messaging)
}

async fn key(State(messaging): State<Messaging>) -> Result<Json<Value>> {
    let key = messaging.outbound().push_public_key();
    let key =
        key.ok_or_else(|| Error::new(Kind::Unavailable, "push_not_ready", "The key is not there yet. Try again").with_retry_after(1))?;
    Ok(Json(json!({ "data": { "public_key": key } })))
}
