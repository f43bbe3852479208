//! `/api/v1/unsubscribe/{token}`: where the link in a mail leads by which somebody refuses a topic (RFC 8058).
//!
//! Invariant: looking at the page changes nothing, since programs look at links before people do; one POST does it, whatever it says, with
//! no cookie and no account. What is answered says nothing of what else the company knows of the address.

mod page;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use kernel::{Error, Kind, Result};
use outbound::unsubscribe::Refused;
use postgres::{Sql, Tx};

use crate::Messaging;

use page::{Page, Show};

/// What a mail provider posts is `List-Unsubscribe=One-Click`, and it is not even read.
const BODY_BYTES_MAX: usize = 4096;

/// Returns the routes, to be mounted at `/api/v1/unsubscribe`. The token is all they ask for.
pub fn router(messaging: Messaging) -> Router {
    Router::new()
        .route("/{token}", get(look).post(refuse))
        .route("/{token}/again", post(again))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(messaging)
}

async fn look(State(messaging): State<Messaging>, Path(token): Path<String>, headers: HeaderMap) -> Result<Response> {
    let refused = open(&messaging, &token)?;
    let tx = messaging.begin("shows what somebody may refuse").await?;
    let response = show(&tx, &refused, Show::Question, (&token, &headers)).await?;
    tx.commit().await?;
    Ok(response)
}

async fn refuse(State(messaging): State<Messaging>, Path(token): Path<String>, headers: HeaderMap) -> Result<Response> {
    settle(&messaging, &token, &headers, true).await
}

async fn again(State(messaging): State<Messaging>, Path(token): Path<String>, headers: HeaderMap) -> Result<Response> {
    settle(&messaging, &token, &headers, false).await
}

async fn settle(messaging: &Messaging, token: &str, headers: &HeaderMap, is_refused: bool) -> Result<Response> {
    let refused = open(messaging, token)?;
    let tx = messaging.begin("notes what somebody refuses").await?;
    refused.apply(&tx, is_refused).await?;
    let response = show(&tx, &refused, if is_refused { Show::Refused } else { Show::Again }, (token, headers)).await?;
    tx.commit().await?;
    metrics::counter!("unsubscribes_total", "result" => if is_refused { "refused" } else { "again" }).increment(1);
    Ok(response)
}

fn open(messaging: &Messaging, token: &str) -> Result<Refused> {
    Refused::open(&messaging.vault().outbox_seal()?, token)
        .ok_or_else(|| Error::new(Kind::NotFound, "unsubscribe_link_not_valid", "This link is none of ours, or not whole"))
}

async fn show(tx: &Tx, refused: &Refused, show: Show, (token, headers): (&str, &HeaderMap)) -> Result<Response> {
    let mut sql = Sql::new("select coalesce((select c.name from public.companies c where c.id = ");
    sql.bind(refused.company_id).text("::uuid), '') as name");
    let company: String = tx.query_one(sql).await?.try_get("name").map_err(Error::internal)?;
    let language = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Page { company: &company, refused, token, language }.render(show)
}
