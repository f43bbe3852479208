//! `POST /links`: links for people without an account: one row, one purpose, an end, a number of uses.
//!
//! Invariant: the text of a link is in one answer and nowhere else. What it opens, its row says at every request.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use kernel::{Capability, Demand, Error, PassKind, Result};
use postgres::{Access, Sql};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::Auth;
use crate::errors::{bad_request, object};
use crate::input::{Body, Holder};
use crate::passes::NewPass;

const PURPOSES: [&str; 7] = ["view_estimate", "accept_estimate", "view_invoice", "pay_invoice", "sign_contract", "book", "review"];
const USES_MAX: u32 = 1000;

/// The capability to make links.
pub(crate) struct MakeLinks;

impl Capability for MakeLinks {
    const DEMAND: Demand = Demand::Permission("public_links:create");
}

/// What a member wants of a link.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    purpose: String,
    estimate_id: Option<Uuid>,
    invoice_id: Option<Uuid>,
    contract_id: Option<Uuid>,
    job_id: Option<Uuid>,
    customer_id: Option<Uuid>,
    expires_at: Option<Timestamp>,
    uses_max: Option<u32>,
}

pub(crate) async fn make(State(auth): State<Auth>, who: Holder<MakeLinks>, Body(wish): Body<Wish>) -> Result<(StatusCode, Json<Value>)> {
    if !PURPOSES.contains(&wish.purpose.as_str()) {
        return Err(bad_request(
            "validation_failed",
            "purpose is one of view_estimate, accept_estimate, view_invoice, pay_invoice, sign_contract, book and review",
        ));
    }
    if wish.uses_max.is_some_and(|uses| !(1..=USES_MAX).contains(&uses)) {
        return Err(bad_request("validation_failed", "uses_max is 1 to 1000"));
    }
    let tx = auth.begin_as(who.grant(), Access::Write).await?;
    let company = tx.opened().company_id.ok_or_else(|| Error::internal("a permission was found outside of a company"))?;
    let new = NewPass::make(PassKind::Link, company)?;
    let link = Value::Object(object([
        ("id", json!(new.id)),
        ("token_hash", json!(new.digest)),
        ("purpose", json!(wish.purpose)),
        ("estimate_id", json!(wish.estimate_id)),
        ("invoice_id", json!(wish.invoice_id)),
        ("contract_id", json!(wish.contract_id)),
        ("job_id", json!(wish.job_id)),
        ("customer_id", json!(wish.customer_id)),
        ("expires_at", json!(wish.expires_at.map(|at| at.to_string()))),
        ("uses_max", json!(wish.uses_max)),
    ]));
    let mut sql = Sql::new("select app.make_link(");
    sql.bind(&link).text("::jsonb)::text");
    let rows = tx.query(sql).await?;
    let row = rows.first().ok_or_else(|| Error::internal("a link was made and not told"))?;
    let mut shown: Map<String, Value> =
        serde_json::from_str(row.try_get::<_, &str>(0).map_err(Error::internal)?).map_err(Error::internal)?;
    tx.commit().await?;
    shown.insert("token".to_owned(), Value::String(new.text.expose().clone()));
    Ok((StatusCode::CREATED, Json(Value::Object(shown))))
}
