//! `POST /factors/{id}/challenge` and `…/verify`: a proof of a second factor raises the session to `aal2`.

use axum::Json;
use axum::extract::{Path, State};
use kernel::{Error, Kind, Result};
use postgres::{Access, Tx};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::code::{self, Way};
use super::queries::{self, Challenge, Factor, NewChallenge};
use super::{check_typed, factor_id, factor_not_found, locked, raise, security_key, totp};
use crate::errors::{bad_request, unprocessable};
use crate::input::{Body, Caller, Device};
use crate::keys::FACTOR_SECRET;
use crate::{Auth, one_time};

/// How a factor is to be asked; clients send more, which says nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    channel: Option<String>,
}

/// A proof, and what it answers.
#[derive(Deserialize)]
pub(crate) struct Answer {
    #[serde(default)]
    challenge_id: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    webauthn: Option<security_key::Answer>,
}

pub(crate) async fn challenge(
    State(auth): State<Auth>,
    caller: Caller,
    device: Device,
    Path(id): Path<String>,
    wish: Option<Body<Wish>>,
) -> Result<Json<Value>> {
    let id = factor_id(&id)?;
    let tx = auth.begin(Access::Write, "ask for a second factor").await?;
    let standing = locked(&tx, &auth, caller).await?;
    let factor = find(&tx, &auth, caller, id).await?;
    let mut new = NewChallenge { id: Uuid::now_v7(), factor: id, ip: device.address.as_deref(), ceremony: None, code_hash: None };
    let mut webauthn = None;
    if factor.sort == "webauthn" {
        let asked = security_key::ask(&tx, &auth, caller, &standing.account, &factor).await?;
        (new.ceremony, webauthn) = (Some(asked.kept), Some(asked.options));
    } else if let Some(way) = Way::of(&factor) {
        if wish.and_then(|Body(wish)| wish.channel).is_some_and(|channel| !matches!(channel.as_str(), "" | "sms")) {
            return Err(bad_request("validation_failed", "Invalid channel, supported values are 'sms'"));
        }
        let account = code::account(&tx, &auth, caller).await?;
        let secrets = code::send(&tx, &auth, &device, &account, &way).await?;
        (new.id, new.code_hash) = (secrets.id, Some(secrets.code_hash));
    }
    let challenge = new.id;
    let expires_at = queries::ask(&tx, new, auth.now(), &auth.config().mfa).await?;
    tx.commit().await?;
    one_time::sent(&auth);
    let mut answer = json!({ "id": challenge, "type": factor.sort, "expires_at": expires_at });
    if let (Some(answer), Some(webauthn)) = (answer.as_object_mut(), webauthn) {
        answer.insert("webauthn".to_owned(), webauthn);
    }
    Ok(Json(answer))
}

pub(crate) async fn verify(
    State(auth): State<Auth>,
    caller: Caller,
    device: Device,
    Path(id): Path<String>,
    Body(answer): Body<Answer>,
) -> Result<Json<Value>> {
    let id = factor_id(&id)?;
    let tx = auth.begin(Access::Write, "prove a second factor").await?;
    locked(&tx, &auth, caller).await?;
    let factor = find(&tx, &auth, caller, id).await?;
    if factor.sort != "webauthn" {
        check_typed(&answer.code)?;
    }
    let challenge = check_challenge(&tx, &auth, &factor, &answer, device.address.as_deref()).await?;
    if factor.sort == "webauthn" {
        return Box::pin(security_key::verify(tx, &auth, caller, (factor, challenge), answer.webauthn)).await.map(Json);
    }
    if !queries::attempt(&tx, id, auth.now(), &auth.config().mfa).await? {
        return Err(too_many_attempts(&auth));
    }
    if factor.sort == "totp" {
        return verify_totp(tx, &auth, caller, factor, &answer.code).await.map(Json);
    }
    code::verify(tx, &auth, caller, (factor, challenge), &answer.code).await.map(Json)
}

async fn verify_totp(tx: Tx, auth: &Auth, caller: Caller, factor: Factor, code: &str) -> Result<Value> {
    let now = auth.now();
    let sealed = factor.secret.as_deref().ok_or_else(|| Error::internal("a factor without a secret"))?;
    let secret = auth.keys().ring.unseal(FACTOR_SECRET, factor.id, sealed).map_err(Error::internal)?;
    let step = totp::step(&secret, code, now.as_second())?;
    // A code of a step that was used, or of one before it, is nobody's proof.
    let step = step.filter(|step| factor.last_step.is_none_or(|last| *step > last));
    if let Some(rejected) = auth.factor_tried(&tx, (caller.user_id, factor.id), "totp", step.is_some()).await? {
        tx.commit().await?;
        return Err(rejected);
    }
    let Some(step) = step else {
        tx.commit().await?;
        metrics::counter!("auth_factors_refused_total").increment(1);
        return Err(unprocessable("mfa_verification_failed", "Invalid TOTP code entered"));
    };
    queries::proved(&tx, caller, &factor, Some(step), now).await?;
    raise(tx, auth, caller, factor.id, "totp").await
}

/// Finds a factor of the caller that is proved in these ways.
async fn find(tx: &Tx, auth: &Auth, caller: Caller, id: Uuid) -> Result<Factor> {
    let mfa = &auth.config().mfa;
    let factors = queries::of_user(tx, caller.user_id).await?;
    let factor = factors.into_iter().find(|factor| factor.id == id).ok_or_else(factor_not_found)?;
    match factor.sort.as_str() {
        "totp" if mfa.totp_verify_enabled => Ok(factor),
        "totp" => Err(unprocessable("mfa_totp_verify_not_enabled", "MFA verification is disabled for TOTP")),
        "webauthn" if mfa.webauthn_verify_enabled => Ok(factor),
        "webauthn" => Err(unprocessable("mfa_webauthn_verify_not_enabled", "MFA verification is disabled for WebAuthn")),
        "phone" if mfa.phone_verify_enabled => Ok(factor),
        "phone" => Err(unprocessable("mfa_phone_verify_not_enabled", "MFA verification is disabled for Phone")),
        "email" if mfa.email_verify_enabled => Ok(factor),
        "email" => Err(unprocessable("mfa_email_verify_not_enabled", "MFA verification is disabled for Email")),
        _ => Err(factor_not_found()),
    }
}

async fn check_challenge(tx: &Tx, auth: &Auth, factor: &Factor, answer: &Answer, address: Option<&str>) -> Result<Challenge> {
    let unknown = || unprocessable("mfa_factor_not_found", "MFA factor with the provided challenge ID not found");
    let id: Uuid = answer.challenge_id.parse().map_err(|error: uuid::Error| unknown().with_source(error))?;
    let asked = queries::asked(tx, factor.id, id, address, auth.now()).await?.ok_or_else(unknown)?;
    if asked.elsewhere {
        return Err(unprocessable("mfa_ip_address_mismatch", "Challenge and verify IP addresses mismatch."));
    }
    if asked.expired {
        let message = format!("MFA challenge {id} has expired, verify against another challenge or create a new challenge.");
        return Err(Error::new(Kind::Unprocessable, "mfa_challenge_expired", message));
    }
    Ok(asked)
}

fn too_many_attempts(auth: &Auth) -> Error {
    let error = Error::new(Kind::TooManyRequests, "over_request_rate_limit", "Too many wrong codes. Try again later");
    error.with_retry_after(auth.config().mfa.attempts_seconds)
}
