//! `POST /token?grant_type=pkce`: a session for a code.

use kernel::{Error, Kind, Result, Secret};
use postgres::Access;
use serde_json::Value;

use super::queries;
use crate::Auth;
use crate::errors::{bad_request, unprocessable};
use crate::external::Kept;
use crate::input::Device;
use crate::sessions::{self, NewSession};

/// Answers the session that a code stands for.
pub(crate) async fn by_code(auth: &Auth, device: Device, code: Option<Secret<String>>, verifier: Option<Secret<String>>) -> Result<Value> {
    let present = |text: Option<Secret<String>>| text.filter(|text| !text.expose().is_empty());
    let (Some(code), Some(verifier)) = (present(code), present(verifier)) else {
        return Err(bad_request("validation_failed", "invalid request: both auth code and code verifier should be non-empty"));
    };
    let tx = auth.begin(Access::Write, "sign-in by a code that an application exchanges").await?;
    let Some(flow) = queries::take(&tx, code.expose(), auth.now()).await? else {
        return Err(Error::new(Kind::NotFound, "flow_state_not_found", "invalid flow state, no valid flow state found"));
    };
    let refusal = if flow.is_over {
        Some(unprocessable("flow_state_expired", "invalid flow state, flow state has expired"))
    } else if flow.challenge.is_met(verifier.expose()) {
        None
    } else {
        Some(bad_request("bad_code_verifier", "code challenge does not match previously saved code verifier"))
    };
    if let Some(refusal) = refusal {
        // The code was used up, whoever came with it.
        tx.commit().await?;
        return Err(refusal);
    }
    let provider = flow.provider.as_deref().unwrap_or("email");
    let kept = match &flow.sealed {
        Some(sealed) => Kept::open(auth, flow.id, sealed)?,
        None => Kept::default(),
    };
    kept.link(auth, &tx, flow.user_id, provider).await?;
    let new = NewSession { user_id: flow.user_id, verified_hash: None, renewed_hash: None, device, method: flow.method, provider };
    let session = sessions::open(auth, &tx, new).await?;
    let mut answer = session.answer(auth)?;
    kept.add_to(&mut answer);
    tx.commit().await?;
    tracing::info!(user_id = %flow.user_id, session_id = %session.id, method = flow.method, "signed in by a code");
    Ok(answer)
}
