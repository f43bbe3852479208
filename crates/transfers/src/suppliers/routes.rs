//! `/api/v1/suppliers`: the secrets of an integration, a look at what its supplier offers, and a fetch of it.
//!
//! Invariant: a secret comes in and never goes out; a look writes nothing.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::routing::{post, put};
use axum::{Extension, Json, Router};
use http::StatusCode;
use kernel::{Can, Capability, Demand, Error, Kind, RequestContext, Result, Secret};
use limits::{Class, Meter};
use postgres::Sql;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::catalogue::Catalogue;
use super::pages::{Pages, Stopped};
use super::rows;
use crate::Transfers;

/// Items that a look shows.
const SHOWN_MAX: usize = 20;
const SECRET_BYTES_MAX: usize = 4000;

struct Connecting;
impl Capability for Connecting {
    const DEMAND: Demand = Demand::Permission("supplier_integrations:update");
}

/// Returns the routes, to be mounted at `/api/v1/suppliers` behind the auth layer.
pub fn router(transfers: Transfers) -> Router {
    Router::new()
        .route("/{id}/secrets", put(keep))
        .route("/{id}/preview", post(preview))
        .route("/{id}/sync", post(sync))
        .with_state(transfers)
}

/// What is left out stays as it is, what is null goes.
type Secrets = BTreeMap<SecretName, Option<String>>;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
enum SecretName {
    ApiKey,
    ApiSecret,
    WebhookSecret,
}

impl SecretName {
    fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::ApiSecret => "api_secret",
            Self::WebhookSecret => "webhook_secret",
        }
    }
}

async fn keep(
    State(transfers): State<Transfers>,
    can: Can<Connecting>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<Uuid>,
    body: bytes::Bytes,
) -> Result<StatusCode> {
    let grant = can.into_grant().needing_company();
    // The error of the reader would repeat what it could not read.
    let secrets: Secrets = serde_json::from_slice(&body).map_err(|_untold| {
        Error::new(Kind::BadRequest, "validation_failed", "The body is no JSON of the shape that this takes")
            .with_hint(r#"Send {"api_key": "…", "api_secret": "…"}; null takes one away."#)
    })?;
    let given: Vec<_> = secrets.into_iter().map(|(name, secret)| (name.as_str(), secret.map(Secret::new))).collect();
    if given.iter().filter_map(|(_, secret)| secret.as_ref()).any(|secret| !(1..=SECRET_BYTES_MAX).contains(&secret.expose().len())) {
        return Err(Error::new(Kind::Unprocessable, "supplier_secret_invalid", "A secret has 1 to 4000 bytes"));
    }
    let tx = transfers.begin_as(&grant, &context).await?;
    let (company_id, ..) = rows::find(&tx, id).await?;
    tx.commit().await?;
    let tx = transfers.begin("keeps the secrets of a supplier").await?;
    rows::keep(&tx, &transfers, company_id, id, &given).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows the first items of the first page, as they would be taken, and what is wrong with others.
async fn preview(
    State(transfers): State<Transfers>,
    can: Can<Connecting>,
    Extension(context): Extension<RequestContext>,
    meter: Option<Extension<Meter>>,
    Path(id): Path<Uuid>,
) -> Result<Json<Value>> {
    let grant = can.into_grant().needing_company();
    if let Some(Extension(meter)) = meter {
        meter.operation(Class::Export, 1).await?;
    }
    let tx = transfers.begin_as(&grant, &context).await?;
    let (company_id, endpoint, described) = rows::find(&tx, id).await?;
    tx.commit().await?;
    let catalogue = Catalogue::read(&described)?;
    let tx = transfers.begin("looks what a supplier offers").await?;
    let keys = rows::keys(&tx, &transfers, company_id, id).await?;
    tx.commit().await?;
    let mut pages = Pages::of(transfers.http(), &catalogue, endpoint.as_deref().unwrap_or_default(), keys, transfers.config())?;
    let page = pages.next().await.map_err(|stopped| match stopped {
        Stopped::Refused(error) => error,
        Stopped::Later(_, why) => Error::new(Kind::Status(502), "supplier_unavailable", why),
    })?;
    let (mut items, mut problems) = (Vec::new(), Vec::new());
    let page = page.unwrap_or_default();
    let count = page.len();
    for item in page {
        match item {
            Ok(item) if items.len() < SHOWN_MAX => items.push(item),
            Err(problem) if problems.len() < SHOWN_MAX => problems.push(problem),
            _ => {}
        }
    }
    Ok(Json(json!({ "data": { "items_on_page": count, "items": items, "problems": problems } })))
}

/// Has it fetched now.
async fn sync(
    State(transfers): State<Transfers>,
    can: Can<Connecting>,
    Extension(context): Extension<RequestContext>,
    Path(id): Path<Uuid>,
) -> Result<(StatusCode, Json<Value>)> {
    let grant = can.into_grant().needing_company();
    let tx = transfers.begin_as(&grant, &context).await?;
    let (company_id, ..) = rows::find(&tx, id).await?;
    tx.commit().await?;
    let tx = transfers.begin("has a supplier asked").await?;
    let mut sql = Sql::new("select app.enqueue_task('sync_integration', jsonb_build_object('integration_id', ");
    sql.bind(id).text("::uuid), ").bind(company_id).text("::uuid, p_unique_key => ").bind(id.to_string()).text("::text) as id");
    let task: Uuid = tx.query_one(sql).await?.try_get("id").map_err(Error::internal)?;
    tx.commit().await?;
    transfers.queue().ring(Some(company_id));
    Ok((StatusCode::ACCEPTED, Json(json!({ "data": { "task_id": task } }))))
}
