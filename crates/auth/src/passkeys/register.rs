//! `POST /passkeys/registration/options` and `…/verify`: somebody who is signed in adds a passkey.

use axum::Json;
use axum::extract::State;
use kernel::{Error, Kind, Result};
use postgres::Access;
use serde_json::{Value, json};

use super::queries::{self, NewChallenge, Owner};
use super::{Answer, failed, locked, site, unreadable, used};
use crate::Auth;
use crate::errors::{bad_request, unprocessable};
use crate::input::{Body, Caller};
use crate::webauthn::{Holder, Registration};

pub(crate) async fn options(State(auth): State<Auth>, caller: Caller) -> Result<Json<Value>> {
    let site = site(&auth)?;
    let tx = auth.begin(Access::Write, "ask for a new passkey").await?;
    let (owner, account) = locked(&tx, &auth, caller).await?;
    may_add(&auth, &owner)?;
    let asked = site.ask_for_passkey(Holder { handle: caller.user_id.0, account: &account }, owner.credential_ids)?;
    let new = NewChallenge { user_id: Some(caller.user_id), ceremony: asked.kept, seconds: auth.config().webauthn.challenge_seconds };
    let (id, expires_at) = queries::ask(&tx, new, auth.now()).await?;
    tx.commit().await?;
    Ok(Json(json!({ "challenge_id": id, "options": asked.options, "expires_at": expires_at })))
}

pub(crate) async fn verify(State(auth): State<Auth>, caller: Caller, Body(answer): Body<Answer>) -> Result<Json<Value>> {
    let site = site(&auth)?;
    let credential = answer.credential.filter(|credential| !credential.is_null());
    let credential = credential.ok_or_else(|| bad_request("validation_failed", "credential is required"))?;
    let tx = auth.begin(Access::Write, "add a passkey").await?;
    let (owner, _) = locked(&tx, &auth, caller).await?;
    may_add(&auth, &owner)?;
    let kept = used(&tx, &auth, Some(caller), &answer.challenge_id).await?;
    let taken = kept.ceremony().and_then(|kept| {
        let registration: Registration = serde_json::from_value(credential).map_err(unreadable)?;
        site.take_key(kept, &registration).map_err(failed)
    });
    let added = match taken {
        Ok(key) => queries::add(&tx, caller.user_id, &key, auth.now()).await,
        Err(error) => Err(error),
    };
    // Also after a refusal: the request is used up.
    tx.commit().await?;
    let passkey = added?.ok_or_else(|| unprocessable("webauthn_credential_exists", "This credential is already registered"))?;
    let passkey_id = passkey.get("id").and_then(Value::as_str);
    tracing::info!(user_id = %caller.user_id, passkey_id, "added a passkey");
    Ok(Json(passkey))
}

fn may_add(auth: &Auth, owner: &Owner) -> Result<()> {
    if owner.is_anonymous {
        let message = "Anonymous user not allowed to perform these actions";
        return Err(Error::new(Kind::Forbidden, "no_authorization", message));
    }
    if owner.is_sso {
        return Err(unprocessable("validation_failed", "SSO users cannot register passkeys"));
    }
    if owner.credential_ids.len() >= usize::try_from(auth.config().webauthn.passkeys_max).unwrap_or(usize::MAX) {
        return Err(unprocessable("too_many_passkeys", "Maximum number of passkeys reached"));
    }
    Ok(())
}
