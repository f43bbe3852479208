//! `POST /factors` and `DELETE /factors/{id}`: a second factor begins to count with its first proof.

use axum::Json;
use axum::extract::{Path, State};
use kernel::{Error, Kind, Result};
use postgres::{Access, Tx};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::code::{self, Way};
use super::queries::{self, NewFactor};
use super::{factor_id, factor_not_found, locked, security_key, totp};
use crate::Auth;
use crate::errors::{bad_request, unprocessable};
use crate::input::{Body, Caller};
use crate::keys::FACTOR_SECRET;
use crate::sessions::queries::Standing;

const NAME_CHARACTERS_MAX: usize = 200;

/// What factor is wanted.
#[derive(Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    factor_type: String,
    #[serde(default)]
    friendly_name: Option<String>,
    #[serde(default)]
    issuer: Option<String>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

pub(crate) async fn enroll(State(auth): State<Auth>, caller: Caller, Body(wish): Body<Wish>) -> Result<Json<Value>> {
    match wish.factor_type.as_str() {
        "totp" if auth.config().mfa.totp_enroll_enabled => enroll_totp(&auth, caller, wish).await.map(Json),
        "totp" => Err(unprocessable("mfa_totp_enroll_not_enabled", "MFA enroll is disabled for TOTP")),
        "phone" if auth.config().mfa.phone_enroll_enabled => enroll_code(&auth, caller, wish).await.map(Json),
        "phone" => Err(unprocessable("mfa_phone_enroll_not_enabled", "MFA enroll is disabled for Phone")),
        "email" if auth.config().mfa.email_enroll_enabled => enroll_code(&auth, caller, wish).await.map(Json),
        "email" => Err(unprocessable("mfa_email_enroll_not_enabled", "MFA enroll is disabled for Email")),
        "webauthn" if auth.config().mfa.webauthn_enroll_enabled => enroll_security_key(&auth, caller, wish).await.map(Json),
        "webauthn" => Err(unprocessable("mfa_webauthn_enroll_not_enabled", "MFA enroll is disabled for WebAuthn")),
        _ => Err(bad_request("validation_failed", "factor_type needs to be totp, phone, email, or webauthn")),
    }
}

async fn enroll_totp(auth: &Auth, caller: Caller, wish: Wish) -> Result<Value> {
    let name = wish.friendly_name.unwrap_or_default();
    let issuer = wish.issuer.filter(|issuer| !issuer.is_empty()).unwrap_or_else(|| default_issuer(auth));
    check_name(&name)?;
    check_name(&issuer)?;
    let (secret, id) = (totp::generate()?, Uuid::now_v7());
    let tx = auth.begin(Access::Write, "enrol a second factor").await?;
    let standing = locked(&tx, auth, caller).await?;
    tidy(&tx, auth, caller, &standing, &name).await?;
    let enrolment = totp::enrolment(&secret, &issuer, &standing.account)?;
    let sealed = auth.keys().ring.seal(FACTOR_SECRET, id, secret.expose()).map_err(Error::internal)?;
    let new = NewFactor { id, sort: "totp", friendly_name: &name, secret: Some(sealed), ..NewFactor::default() };
    begun(tx, auth, caller, new).await?;
    Ok(json!({
        "id": id,
        "type": "totp",
        "friendly_name": name,
        "totp": { "qr_code": enrolment.qr_code, "secret": enrolment.secret, "uri": enrolment.uri },
    }))
}

/// The key itself is made when it is asked for.
async fn enroll_security_key(auth: &Auth, caller: Caller, wish: Wish) -> Result<Value> {
    security_key::site(auth)?;
    let name = wish.friendly_name.unwrap_or_default();
    check_name(&name)?;
    let tx = auth.begin(Access::Write, "enrol a security key").await?;
    let standing = locked(&tx, auth, caller).await?;
    tidy(&tx, auth, caller, &standing, &name).await?;
    let id = Uuid::now_v7();
    begun(tx, auth, caller, NewFactor { id, sort: "webauthn", friendly_name: &name, ..NewFactor::default() }).await?;
    Ok(json!({ "id": id, "type": "webauthn", "friendly_name": name }))
}

/// The first code goes out when it is asked for.
async fn enroll_code(auth: &Auth, caller: Caller, wish: Wish) -> Result<Value> {
    let name = wish.friendly_name.unwrap_or_default();
    check_name(&name)?;
    let way = Way::parse(&wish.factor_type, wish.phone.as_deref(), wish.email.as_deref())?;
    let tx = auth.begin(Access::Write, "enrol a telephone or mailbox").await?;
    let standing = locked(&tx, auth, caller).await?;
    way.check(auth, &code::account(&tx, auth, caller).await?)?;
    let (phone, email) = match &way {
        Way::Phone(phone) => (Some(phone.as_str()), None),
        Way::Email(email) => (None, Some(email.as_str())),
    };
    if queries::of_user(&tx, caller.user_id).await?.iter().any(|factor| factor.verified && Way::of(factor).as_ref() == Some(&way)) {
        let message = match way {
            Way::Phone(_) => "A verified phone factor already exists, unenroll the existing factor to continue",
            Way::Email(_) => "A verified email factor already exists, unenroll the existing factor to continue",
        };
        return Err(unprocessable("mfa_verified_factor_exists", message));
    }
    queries::forget_begun(&tx, caller.user_id, phone, email).await?;
    tidy(&tx, auth, caller, &standing, &name).await?;
    let (id, sort) = (Uuid::now_v7(), way.sort());
    begun(tx, auth, caller, NewFactor { id, sort, friendly_name: &name, phone, email, ..NewFactor::default() }).await?;
    let to = if sort == "phone" { wish.phone } else { wish.email };
    Ok(json!({ "id": id, "type": sort, "friendly_name": name, sort: to }))
}

/// Takes away what was begun and never proved, and refuses what cannot be added to the rest.
async fn tidy(tx: &Tx, auth: &Auth, caller: Caller, standing: &Standing, name: &str) -> Result<()> {
    queries::tidy(tx, caller.user_id, auth.config().mfa.unverified_seconds.into(), auth.now()).await?;
    may_enroll(auth, standing, &queries::of_user(tx, caller.user_id).await?, name)
}

async fn begun(tx: Tx, auth: &Auth, caller: Caller, new: NewFactor<'_>) -> Result<()> {
    let (id, sort) = (new.id, new.sort);
    queries::create(&tx, caller.user_id, new, auth.now()).await?;
    tx.commit().await?;
    tracing::info!(user_id = %caller.user_id, factor_id = %id, sort, "began to enrol a second factor");
    Ok(())
}

/// Refuses a name that is taken, one factor too many, and whoever did not prove the factor he has.
fn may_enroll(auth: &Auth, standing: &Standing, factors: &[queries::Factor], name: &str) -> Result<()> {
    if factors.iter().any(|factor| factor.friendly_name == name) {
        return Err(name_taken(name));
    }
    let most = usize::try_from(auth.config().mfa.factors_max).unwrap_or(usize::MAX);
    if factors.iter().filter(|factor| factor.sort != "recovery_code").count() >= most {
        let message = "Maximum number of verified factors reached, unenroll to continue";
        return Err(unprocessable("too_many_enrolled_mfa_factors", message));
    }
    if factors.iter().any(|factor| factor.verified) && !standing.proved {
        return Err(Error::new(Kind::Forbidden, "insufficient_aal", "AAL2 required to enroll a new factor"));
    }
    Ok(())
}

pub(crate) async fn unenroll(State(auth): State<Auth>, caller: Caller, Path(id): Path<String>) -> Result<Json<Value>> {
    let (id, now) = (factor_id(&id)?, auth.now());
    let tx = auth.begin(Access::Write, "remove a second factor").await?;
    let standing = locked(&tx, &auth, caller).await?;
    let factors = queries::of_user(&tx, caller.user_id).await?;
    let factor = factors.into_iter().find(|factor| factor.id == id).ok_or_else(factor_not_found)?;
    if factor.verified && !standing.proved {
        return Err(unprocessable("insufficient_aal", "AAL2 required to unenroll verified factor"));
    }
    queries::delete(&tx, caller.user_id, id, now).await?;
    tx.commit().await?;
    tracing::info!(user_id = %caller.user_id, factor_id = %id, "removed a second factor");
    Ok(Json(json!({ "id": id })))
}

pub(crate) fn name_taken(name: &str) -> Error {
    let message = format!("A factor with the friendly name {name:?} for this user already exists");
    Error::new(Kind::Unprocessable, "mfa_factor_name_conflict", message)
}

/// Refuses a name that is none.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.chars().count() > NAME_CHARACTERS_MAX || name.contains('\0') {
        return Err(bad_request("validation_failed", "A name has at most 200 characters, and none of them is U+0000"));
    }
    Ok(())
}

/// Returns the configured name, else the host that clients know us by.
fn default_issuer(auth: &Auth) -> String {
    let configured = &auth.config().mfa.issuer;
    if !configured.is_empty() {
        return configured.clone();
    }
    let host = auth.issuer().split("://").nth(1).and_then(|rest| rest.split(['/', ':']).next());
    host.filter(|host| !host.is_empty()).unwrap_or("Thorbis").to_owned()
}
