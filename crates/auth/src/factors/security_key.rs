//! Security keys as second factors: made by the first proof, asked for a signature by every other.
//!
//! Invariant: what a key was asked for is used up by whatever comes for an answer, good or not.

use kernel::{Error, Result};
use postgres::Tx;
use serde::Deserialize;
use serde_json::{Value, json};

use super::queries::{self, Challenge, Factor};
use super::raise;
use crate::Auth;
use crate::errors::{bad_request, unprocessable};
use crate::input::Caller;
use crate::webauthn::{Asked, Fault, Holder, Key, Proof, Registration, Site};

/// What a device answered, as clients wrap it.
#[derive(Deserialize)]
pub(crate) struct Answer {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    credential_response: Option<Value>,
}

/// What was answered, in the ways that there are.
enum Answered {
    Created(Box<Registration>),
    Signed(Box<Proof>),
}

/// Returns whom keys are made for.
pub(super) fn site(auth: &Auth) -> Result<&Site> {
    let nowhere = || unprocessable("mfa_webauthn_enroll_not_enabled", "MFA enroll is disabled for WebAuthn");
    auth.webauthn().ok_or_else(nowhere)
}

/// Asks for a key, or for a signature of the one that there is.
pub(super) async fn ask(tx: &Tx, auth: &Auth, caller: Caller, account: &str, factor: &Factor) -> Result<Asked> {
    let site = site(auth)?;
    let (sort, asked) = if let Some(known) = factor.credential.clone().filter(|_| factor.verified) {
        ("request", site.ask_for_proof(known)?)
    } else {
        // Its own handle: a device that keeps one key for each would lose the account's passkey otherwise.
        let holder = Holder { handle: factor.id, account };
        ("create", site.ask_for_key(holder, queries::key_ids(tx, caller.user_id).await?)?)
    };
    Ok(Asked { options: json!({ "type": sort, "credential_options": asked.options }), kept: asked.kept })
}

/// Takes the answer of a device, and raises the session.
pub(super) async fn verify(
    tx: Tx,
    auth: &Auth,
    caller: Caller,
    (factor, challenge): (Factor, Challenge),
    answer: Option<Answer>,
) -> Result<Value> {
    let answered = read(answer)?;
    queries::answered(&tx, challenge.id).await?;
    let kept = challenge.ceremony.ok_or_else(|| Error::internal("a security key that was asked for nothing"))?;
    let taken = match (answered, factor.credential.clone().filter(|_| factor.verified)) {
        (Answered::Created(registration), None) => site(auth)?.take_key(kept, &registration),
        (Answered::Signed(proof), Some(known)) => site(auth)?.take_proof(kept, known, &proof),
        (Answered::Created(_), Some(_)) | (Answered::Signed(_), None) => {
            tx.commit().await?;
            return Err(bad_request("validation_failed", "WebAuthn type must be that of the challenge"));
        }
    };
    if let Some(rejected) = auth.factor_tried(&tx, (caller.user_id, factor.id), "webauthn", taken.is_ok()).await? {
        tx.commit().await?;
        return Err(rejected);
    }
    let key = match taken {
        Ok(key) => key,
        Err(fault) => {
            tx.commit().await?;
            return Err(refused(caller, &factor, fault));
        }
    };
    keep(tx, auth, caller, factor, &key).await
}

async fn keep(tx: Tx, auth: &Auth, caller: Caller, factor: Factor, key: &Key) -> Result<Value> {
    if !queries::keep_key(&tx, factor.id, key).await? {
        tx.commit().await?;
        return Err(unprocessable("webauthn_credential_exists", "This credential is already registered"));
    }
    queries::proved(&tx, caller, &factor, None, auth.now()).await?;
    raise(tx, auth, caller, factor.id, "mfa/webauthn").await
}

fn read(answer: Option<Answer>) -> Result<Answered> {
    let Answer { kind, credential_response } = answer.ok_or_else(|| bad_request("validation_failed", "WebAuthn config required"))?;
    let response = credential_response.filter(|response| !response.is_null());
    let response = response.ok_or_else(|| bad_request("validation_failed", "credential_response required"));
    let invalid = |error: serde_json::Error| bad_request("validation_failed", "Invalid credential_response").with_source(error);
    match kind.as_str() {
        "create" => serde_json::from_value(response?).map(|parsed| Answered::Created(Box::new(parsed))).map_err(invalid),
        "request" => serde_json::from_value(response?).map(|parsed| Answered::Signed(Box::new(parsed))).map_err(invalid),
        _ => Err(bad_request("validation_failed", "WebAuthn type must be create or request")),
    }
}

fn refused(caller: Caller, factor: &Factor, fault: Fault) -> Error {
    metrics::counter!("auth_factors_refused_total").increment(1);
    if fault.is_copy() {
        tracing::warn!(user_id = %caller.user_id, factor_id = %factor.id, "a security key's counter did not grow: there may be two of it");
    }
    unprocessable("mfa_verification_failed", "Invalid WebAuthn response").with_source(fault)
}
