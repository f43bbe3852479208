//! `GET` and `POST /portal/verify`, `GET /portal/session` and `POST /portal/logout`: a customer's session from the link to its end.
//!
//! Invariant: a link opens one session, also when two follow it at once; whatever was wrong with it, the answer is the same.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use kernel::{AnyCaller, Error, Kind, Pass, PassKind, Result, Secret};
use postgres::{Access, Sql};
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::{queries, require_portal};
use crate::input::{Body, Device, Params, Shown};
use crate::one_time::return_target;
use crate::passes::NewPass;
use crate::{Auth, passes};

const EXPIRED: &str = "Email link is invalid or has expired";

/// What a page sends that the link led to.
#[derive(Deserialize)]
pub(crate) struct Presented {
    token: Secret<String>,
}

/// The query of a link.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Followed {
    token: Secret<String>,
    redirect_to: Option<String>,
}

pub(crate) async fn verify(State(auth): State<Auth>, device: Device, Body(presented): Body<Presented>) -> Result<Json<Value>> {
    open(&auth, &device, presented.token.expose()).await.map(Json)
}

pub(crate) async fn follow(State(auth): State<Auth>, Params(followed): Params<Followed>, device: Device) -> Result<Response> {
    let mut target = return_target(&auth, followed.redirect_to.as_deref());
    let opened = open(&auth, &device, followed.token.expose()).await;
    let mut fragment = Serializer::new(String::new());
    match opened {
        Ok(session) => {
            for name in ["access_token", "expires_at", "expires_in", "token_type"] {
                let value =
                    session.get(name).map_or_else(String::new, |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                fragment.append_pair(name, &value);
            }
            fragment.append_pair("type", "portal");
        }
        Err(error) if error.status().is_server_error() => return Err(error),
        Err(error) => {
            fragment.append_pair("error", "access_denied").append_pair("error_code", error.code());
            fragment.append_pair("error_description", error.message());
        }
    }
    target.set_fragment(Some(&fragment.finish()));
    let location = HeaderValue::try_from(target.as_str()).map_err(Error::internal)?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response())
}

async fn open(auth: &Auth, device: &Device, token: &str) -> Result<Value> {
    require_portal(auth)?;
    let expired = || Error::new(Kind::Forbidden, "otp_expired", EXPIRED);
    let link = passes::read(token, None).filter(|pass| pass.kind == PassKind::Portal).ok_or_else(expired)?;
    let config = &auth.config().portal;
    let new = NewPass::again(&link)?;
    let now = auth.now();
    let tx = auth.begin(Access::Write, "open the session of a customer").await?;
    let customer = queries::open_session(&tx, &link, &new, device, (now, config.session_seconds)).await?.ok_or_else(expired)?;
    queries::make_room(&tx, link.company_id, customer, now, config.sessions_max).await?;
    tx.commit().await?;
    tracing::info!(company_id = %link.company_id, customer_id = %customer, "a customer signed in to the portal");
    Ok(json!({
        "access_token": new.text.expose(),
        "token_type": "bearer",
        "expires_in": config.session_seconds,
        "expires_at": now.as_second().saturating_add(config.session_seconds.into()),
        "company_id": link.company_id.to_string(),
        "customer_id": customer,
    }))
}

pub(crate) async fn session(State(auth): State<Auth>, shown: Shown) -> Result<Json<Value>> {
    let _portal = portal(&shown)?;
    let grant = shown.principal.require::<AnyCaller>()?;
    let tx = auth.begin_as(&grant, Access::Read).await?;
    let mut sql = Sql::new(
        "select jsonb_build_object('company', (select to_jsonb(o) from (select c.id, c.name, c.slug from public.companies c) o), ",
    );
    sql.text("'customer', (select to_jsonb(o) from (select c.id, c.display_name, c.email from public.customers c) o))::text");
    let rows = tx.query(sql).await?;
    let row = rows.first().ok_or_else(|| Error::internal("a session has neither company nor customer"))?;
    let said: Value = serde_json::from_str(row.try_get::<_, &str>(0).map_err(Error::internal)?).map_err(Error::internal)?;
    tx.rollback().await?;
    Ok(Json(said))
}

pub(crate) async fn logout(State(auth): State<Auth>, shown: Shown) -> Result<StatusCode> {
    let session = portal(&shown)?;
    let tx = auth.begin(Access::Write, "end the session of a customer").await?;
    let ended = queries::end(&tx, session, auth.now()).await?;
    tx.commit().await?;
    if ended { Ok(StatusCode::NO_CONTENT) } else { Err(over()) }
}

fn portal(shown: &Shown) -> Result<&Pass> {
    shown.pass().filter(|pass| pass.kind == PassKind::Portal).ok_or_else(over)
}

fn over() -> Error {
    Error::new(Kind::Unauthenticated, "portal_session_over", "This session of the portal is over. Ask for another link.")
}
