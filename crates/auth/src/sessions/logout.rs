//! `POST /logout`: here, everywhere, or everywhere else.

use axum::extract::State;
use http::StatusCode;
use kernel::Result;
use postgres::Access;
use serde::Deserialize;

use super::{Lifetime, queries};
use crate::Auth;
use crate::errors::{bad_request, session_not_found};
use crate::input::{Holding, Params};

/// The query of the endpoint.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    scope: Option<String>,
}

pub(crate) async fn logout(State(auth): State<Auth>, Params(wanted): Params<Wanted>, holding: Holding) -> Result<StatusCode> {
    let scope = match wanted.scope.as_deref() {
        None | Some("global" | "") => "global",
        Some("local") => "local",
        Some("others") => "others",
        Some(_) => return Err(bad_request("validation_failed", "Unsupported logout scope: use global, local or others")),
    };
    // A program that acts for somebody ends what it holds, and nothing of his.
    let caller = if scope == "local" { holding.anybody() } else { holding.person()? };
    let lifetime = Lifetime::of(&auth);
    let session_id = caller.session()?;
    let tx = auth.begin(Access::Write, "sign-out").await?;
    if !queries::lock_live(&tx, caller, lifetime).await? {
        return Err(session_not_found());
    }
    match scope {
        "local" => queries::revoke(&tx, session_id, lifetime.now).await?,
        "others" => queries::revoke_others(&tx, caller, lifetime.now).await?,
        _ => queries::revoke_all(&tx, caller.user_id, lifetime.now).await?,
    }
    tx.commit().await?;
    metrics::counter!("auth_sign_outs_total", "scope" => scope).increment(1);
    tracing::info!(user_id = %caller.user_id, %session_id, scope, "signed out");
    Ok(StatusCode::NO_CONTENT)
}
