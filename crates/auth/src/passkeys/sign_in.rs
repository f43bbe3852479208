//! `POST /passkeys/authentication/options` and `…/verify`: a session for whoever's passkey signed.
//!
//! Invariant: nothing is said of accounts before a signature was found good. What is no passkey of anybody is refused as a wrong
//! signature is.

use axum::Json;
use axum::extract::State;
use kernel::{Error, Kind, Result, UserId};
use postgres::{Access, Tx};
use serde_json::{Value, json};

use super::queries::{self, NewChallenge, Passkey};
use super::{Answer, Used, failed, site, unreadable, used};
use crate::Auth;
use crate::errors::bad_request;
use crate::input::{Body, Device};
use crate::sessions::{self, NewSession};
use crate::webauthn::{Proof, Site};

pub(crate) async fn options(State(auth): State<Auth>) -> Result<Json<Value>> {
    let asked = site(&auth)?.ask_anybody()?;
    let tx = auth.begin_unread("ask for a passkey").await?;
    let new = NewChallenge { user_id: None, ceremony: asked.kept, seconds: auth.config().webauthn.challenge_seconds };
    let (id, expires_at) = queries::ask(&tx, new, auth.now()).await?;
    tx.commit().await?;
    Ok(Json(json!({ "challenge_id": id, "options": asked.options, "expires_at": expires_at })))
}

pub(crate) async fn verify(State(auth): State<Auth>, device: Device, Body(answer): Body<Answer>) -> Result<Json<Value>> {
    let outcome = Box::pin(by_passkey(&auth, device, answer)).await;
    let result = outcome.as_ref().map_or_else(|error| sessions::label(error.code()), |_| "success");
    metrics::counter!("auth_passkey_sign_ins_total", "result" => result).increment(1);
    outcome.map(Json)
}

async fn by_passkey(auth: &Auth, device: Device, answer: Answer) -> Result<Value> {
    let site = site(auth)?;
    let credential = answer.credential.filter(|credential| !credential.is_null());
    let credential = credential.ok_or_else(|| bad_request("validation_failed", "credential is required"))?;
    let tx = auth.begin(Access::Write, "sign-in by a passkey").await?;
    let kept = used(&tx, auth, None, &answer.challenge_id).await?;
    let owner = match prove(&tx, auth, site, kept, credential).await {
        Ok(owner) => owner,
        Err(error) => {
            tx.commit().await?;
            return Err(error);
        }
    };
    let provider = if owner.by_phone { "phone" } else { "email" };
    let new = NewSession { user_id: owner.user_id, verified_hash: None, renewed_hash: None, device, method: "passkey", provider };
    let session = sessions::open(auth, &tx, new).await?;
    let body = session.answer(auth)?;
    tx.commit().await?;
    tracing::info!(user_id = %owner.user_id, session_id = %session.id, passkey_id = %owner.id, "signed in by a passkey");
    Ok(body)
}

/// Finds whose passkey signed, and notes what it said of itself.
async fn prove(tx: &Tx, auth: &Auth, site: &Site, kept: Used, credential: Value) -> Result<Passkey> {
    let kept = kept.ceremony()?;
    let proof: Proof = serde_json::from_value(credential).map_err(unreadable)?;
    let found = queries::by_credential(tx, &proof.raw_id, auth.now()).await?;
    let found = found.filter(|passkey| is_of(&proof, passkey.user_id)).ok_or_else(unknown)?;
    let key = match site.take_proof(kept, found.credential.clone(), &proof) {
        Ok(key) => key,
        Err(fault) => {
            if fault.is_copy() {
                let (user_id, passkey_id) = (found.user_id, found.id);
                tracing::warn!(%user_id, %passkey_id, "a passkey's counter did not grow: there may be two of it");
            }
            return Err(failed(fault));
        }
    };
    may_sign_in(&found)?;
    queries::keep(tx, found.id, &key, auth.now()).await?;
    Ok(found)
}

/// A passkey says itself whose it is.
fn is_of(proof: &Proof, user_id: UserId) -> bool {
    proof.get_user_unique_id() == Some(user_id.0.as_bytes())
}

fn unknown() -> Error {
    bad_request("webauthn_verification_failed", "Credential verification failed")
}

fn may_sign_in(passkey: &Passkey) -> Result<()> {
    if passkey.banned {
        return Err(Error::new(Kind::Forbidden, "user_banned", "User is banned"));
    }
    if passkey.email_unconfirmed {
        return Err(Error::new(Kind::Forbidden, "email_not_confirmed", "Email not confirmed"));
    }
    if passkey.phone_unconfirmed {
        return Err(Error::new(Kind::Forbidden, "phone_not_confirmed", "Phone not confirmed"));
    }
    Ok(())
}
