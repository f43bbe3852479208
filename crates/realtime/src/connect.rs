//! From a request to a socket: who comes is known, and counted, before it is one.
//!
//! Invariant: whoever is refused is told by the HTTP status and `{"error": …}`, and never gets a socket.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use kernel::{Error, Kind};
use serde_json::json;
use std::sync::Arc;

use crate::Realtime;
use crate::caller::{Caller, Entrance, Shown};
use crate::quotas::Seat;
use crate::socket;
use crate::wire::Version;

/// What a socket reads at once; most that clients say is smaller.
const READ_BYTES: usize = 2048;
/// What may wait to be written before it is.
const WRITE_BYTES: usize = 16_384;

/// Somebody who was let in.
pub(crate) struct Guest {
    pub(crate) entrance: Entrance,
    pub(crate) caller: Arc<Caller>,
    pub(crate) seat: Seat,
}

/// `GET /websocket`.
pub(crate) async fn upgrade(State(realtime): State<Realtime>, request: Request) -> Response {
    let (mut parts, _body) = request.into_parts();
    let shown = match Query::<Shown>::from_request_parts(&mut parts, &realtime).await {
        Ok(Query(shown)) => shown,
        Err(rejection) => return malformed(&rejection),
    };
    let Some(version) = Version::parse(shown.vsn.as_deref()) else {
        return refused(&Error::new(Kind::BadRequest, "realtime_version_unknown", "vsn is 1.0.0 or 2.0.0"));
    };
    let upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection> = WebSocketUpgrade::from_request_parts(&mut parts, &realtime).await;
    let guest = match admit(&realtime, &parts, &shown).await {
        Ok(guest) => guest,
        Err(error) => return refused(&error),
    };
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            let error = Error::new(Kind::from_status(rejection.status().as_u16()), "realtime_upgrade_needed", "This is for WebSockets");
            return refused(&error.with_details(rejection.body_text()));
        }
    };
    let bytes_max = realtime.config().frame_bytes_max;
    upgrade
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_write_buffer_size(usize::MAX)
        .max_message_size(bytes_max)
        .max_frame_size(bytes_max)
        .on_upgrade(move |stream| socket::serve(realtime, guest, version, stream))
}

/// Finds out who comes, and seats him.
pub(crate) async fn admit(realtime: &Realtime, parts: &Parts, shown: &Shown) -> Result<Guest, Error> {
    if !realtime.config().enabled {
        return Err(Error::new(Kind::Forbidden, "realtime_disabled", "Realtime is switched off on this server"));
    }
    if realtime.0.stop.is_cancelled() {
        return Err(Error::new(Kind::Unavailable, "realtime_stopping", "This server stops; connect again").with_retry_after(1));
    }
    let entrance = Entrance::of(parts, shown)?;
    let caller = entrance.caller(&realtime.0.auth, None).await.map_err(auth::Refusal::for_data_api)?;
    let seat = realtime.0.quotas.seat(caller.tenant);
    let seat = seat.map_err(|what| Error::new(Kind::TooManyRequests, "realtime_sockets_full", what.text()).with_retry_after(5))?;
    Ok(Guest { entrance, caller, seat })
}

/// Answers a refusal as clients of sockets read it.
pub(crate) fn refused(error: &Error) -> Response {
    metrics::counter!("realtime_connections_refused_total", "status" => error.status().as_u16().to_string()).increment(1);
    let body = json!({ "error": error.message(), "code": error.code() });
    let mut response = (error.status(), Json(body)).into_response();
    if let Some(seconds) = error.retry_after_seconds() {
        response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
    }
    response
}

/// Answers a query that is none.
pub(crate) fn malformed(rejection: &QueryRejection) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": rejection.body_text(), "code": "realtime_query_invalid" }))).into_response()
}
