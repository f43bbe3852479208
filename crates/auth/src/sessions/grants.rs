//! `POST /token`: a session for a password, and a new one for a refresh token.
//!
//! Invariant: an unknown address and a wrong password give the same answer after the same work; of a session one chain of refresh tokens
//! goes on, and a token that is not at its end, or whose answer was lost, ends the whole session, whoever holds the newer one.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use kernel::{Error, Kind, Result, Secret};
use postgres::{Access, Tx};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::queries::{NONE_SPENT, State as SessionState};
use super::{Lifetime, NewSession, RefreshToken, Session, label, open, queries, read};
use crate::errors::{bad_request, unprocessable};
use crate::even::Even;
use crate::input::{Caller, Device, Email, Params, Phone, Unread};
use crate::passwords::Outcome;
use crate::{Auth, external, flows, limits, one_time, security, users};

/// The code of a wrong password, and of one for an account that is not there.
const INVALID: &str = "invalid_credentials";

/// The query of the endpoint.
#[derive(Deserialize)]
pub(crate) struct Wanted {
    #[serde(default)]
    grant_type: String,
}

/// The members of all grants' bodies that are looked at.
#[derive(Deserialize)]
pub(crate) struct Presented {
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    password: Option<Secret<String>>,
    #[serde(default)]
    refresh_token: Option<Secret<String>>,
    #[serde(default)]
    auth_code: Option<Secret<String>>,
    #[serde(default)]
    code_verifier: Option<Secret<String>>,
}

pub(crate) async fn token(
    State(auth): State<Auth>,
    Params(wanted): Params<Wanted>,
    device: Device,
    mut parts: Parts,
    body: Unread,
) -> Result<Response> {
    let answer = match wanted.grant_type.as_str() {
        "password" => counted("auth_sign_ins_total", Box::pin(by_password(&auth, device, body.read()?)).await),
        "refresh_token" => counted("auth_refreshes_total", by_refresh_token(&auth, body.read()?).await),
        "pkce" => {
            let Presented { auth_code, code_verifier, .. } = body.read()?;
            counted("auth_sign_ins_total", Box::pin(flows::by_code(&auth, device, auth_code, code_verifier)).await)
        }
        "id_token" => {
            let caller = Caller::from_request_parts(&mut parts, &auth).await;
            return Box::pin(external::by_id_token(&auth, device, body.read()?, caller)).await;
        }
        "web3" => Err(unprocessable("web3_provider_disabled", "Web3 provider is disabled")),
        _ => Err(bad_request("invalid_credentials", "unsupported_grant_type")),
    };
    answer.map(|session| Json(session).into_response())
}

fn counted(counter: &'static str, answer: Result<Value>) -> Result<Value> {
    let result = answer.as_ref().map_or_else(|error| label(error.code()), |_| "success");
    metrics::counter!(counter, "result" => result).increment(1);
    answer
}

/// The one answer for an unknown address, a wrong password, and an account without one.
pub(super) fn invalid_credentials() -> Error {
    bad_request(INVALID, "Invalid login credentials")
}

async fn by_password(auth: &Auth, device: Device, presented: Presented) -> Result<Value> {
    let even = Even::begin(auth.config().password.refusal_step_ms);
    let answer = Box::pin(compare(auth, device, presented)).await;
    if answer.as_ref().is_err_and(|error| error.code() == INVALID) {
        even.reach().await;
    }
    answer
}

async fn compare(auth: &Auth, device: Device, presented: Presented) -> Result<Value> {
    let present = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    match (present(&presented.email), present(&presented.phone)) {
        (true, false) => one_time::check_takes_email(auth, Kind::Unprocessable)?,
        (false, true) if one_time::takes_phones(auth) => {}
        (false, true) => return Err(unprocessable("phone_provider_disabled", "Phone logins are disabled")),
        (true, true) => {
            return Err(bad_request("validation_failed", "Only an email address or phone number should be provided on login."));
        }
        (false, false) => return Err(bad_request("validation_failed", "missing email or phone")),
    }
    let password = presented.password.unwrap_or_default();
    // Before anything is asked of the database: a storm of sign-ins is held here.
    let place = auth.passwords().place()?;
    // What is no address is nobody's: the same answer, after the same work.
    let is_phone = present(&presented.phone);
    let email = Email::parse(presented.email.as_deref().unwrap_or_default()).ok();
    let phone = Phone::parse(presented.phone.as_deref().unwrap_or_default()).ok();
    let found = match (&email, &phone) {
        (Some(email), _) => users::queries::credentials(auth, email).await?,
        (None, Some(phone)) => users::queries::credentials_by_phone(auth, phone).await?,
        (None, None) => None,
    };
    let account = email.as_ref().map(Email::as_str).or(phone.as_ref().map(Phone::as_str)).unwrap_or_default();
    let attempt = limits::attempt(auth, account, found.as_ref().map(|credentials| credentials.user_id), &device).await?;
    let hash = found.as_ref().and_then(|credentials| credentials.hash.clone());
    let is_long = auth.config().companies.is_long(password.expose());
    let presented = password.clone();
    let outcome = match auth.passwords().verify_at(place, password, hash.clone()).await {
        Ok(Outcome::Wrong) => Outcome::Wrong,
        Ok(right) => {
            attempt.right().await;
            right
        }
        // Nobody looked at it.
        Err(error) => {
            attempt.undo().await;
            return Err(error);
        }
    };
    let tried = found.as_ref().map(|credentials| credentials.user_id);
    auth.password_tried(tried, outcome != Outcome::Wrong).await?;
    let (Some(credentials), Some(hash), true) = (found, hash, outcome != Outcome::Wrong) else {
        security::refused(auth, tried, &device).await;
        return Err(invalid_credentials());
    };
    may_sign_in(&credentials, is_phone)?;
    let renewed = if let Outcome::Outdated(renewed) = &outcome { Some(renewed.as_str()) } else { None };
    let new = NewSession {
        user_id: credentials.user_id,
        verified_hash: Some(&hash),
        renewed_hash: renewed,
        device,
        method: "password",
        provider: if is_phone { "phone" } else { "email" },
    };
    let tx = auth.begin(Access::Write, "sign-in: open a session").await?;
    let session = open(auth, &tx, new).await?;
    if credentials.is_long != Some(is_long) || renewed.is_some() {
        users::queries::note_length(&tx, credentials.user_id, is_long).await?;
    }
    let mut answer = session.answer(auth)?;
    tx.commit().await?;
    add_weakness(auth, presented, &mut answer).await;
    tracing::info!(user_id = %credentials.user_id, session_id = %session.id, "signed in");
    Ok(answer)
}

/// Tells whoever signed in that he would better choose another password.
async fn add_weakness(auth: &Auth, password: Secret<String>, answer: &mut Value) {
    let Some(weak) = auth.passwords().weakness(password).await else { return };
    let reasons = weak.details().and_then(|details| details.get("reasons")).cloned().unwrap_or_default();
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("weak_password".to_owned(), json!({ "message": weak.message(), "reasons": reasons }));
    }
}

/// What is told to nobody but who has the right password.
fn may_sign_in(credentials: &users::queries::Credentials, is_phone: bool) -> Result<()> {
    match (credentials.banned, credentials.confirmed, is_phone) {
        (true, _, _) => Err(bad_request("user_banned", "User is banned")),
        (false, true, _) => Ok(()),
        (false, false, true) => Err(bad_request("phone_not_confirmed", "Phone not confirmed")),
        (false, false, false) => Err(bad_request("email_not_confirmed", "Email not confirmed")),
    }
}

async fn by_refresh_token(auth: &Auth, presented: Presented) -> Result<Value> {
    let text = presented.refresh_token.filter(|text| !text.expose().is_empty());
    let text = text.ok_or_else(|| bad_request("validation_failed", "refresh_token required"))?;
    refresh(auth, &text, None).await.map(|(_, answer)| answer)
}

/// Refreshes a session for whoever holds it: a program of others, or nobody but its user.
pub(crate) async fn refresh(auth: &Auth, text: &Secret<String>, holder: Option<Uuid>) -> Result<(Session, Value)> {
    let token = RefreshToken::decode(&auth.keys().ring, text.expose()).ok_or_else(not_found)?;
    auth.limits().refresh(token.session_id, auth.now()).await?;
    let lifetime = Lifetime::of(auth);
    // A hook that says what tokens are to say may write what its callers read.
    let reason = "refresh a session";
    let tx = if auth.hooks().changes_tokens() { auth.begin(Access::Write, reason).await? } else { auth.begin_unread(reason).await? };
    if !queries::rotate(&tx, (token, token.counter), holder, lifetime).await? {
        let state = queries::state(&tx, token.session_id, lifetime.now).await?;
        // Whoever does not hold it learns nothing of it, and ends nothing.
        match judge(state.filter(|state| state.holder == holder), token, auth) {
            Verdict::SameAgain => {}
            Verdict::Lost { so_far } => {
                if !queries::rotate(&tx, (token, so_far), holder, lifetime).await? {
                    return Err(not_found());
                }
                tracing::info!(session_id = %token.session_id, "the answer to a refresh did not arrive: another one is given");
            }
            Verdict::Refused(error) => return Err(error),
            Verdict::Stolen => return Err(end(tx, token, lifetime).await),
        }
    }
    let session = read(auth, &tx, token.session_id, "token_refresh").await?;
    let answer = session.answer(auth)?;
    tx.commit().await?;
    Ok((session, answer))
}

/// Ends a session of which an old token turned up: either its holder or somebody else has a copy.
async fn end(tx: Tx, token: RefreshToken, lifetime: Lifetime) -> Error {
    let ended = async {
        queries::revoke(&tx, token.session_id, lifetime.now).await?;
        tx.commit().await
    };
    if let Err(error) = ended.await {
        return error;
    }
    tracing::warn!(session_id = %token.session_id, "a used refresh token was presented again: the session is ended");
    bad_request("refresh_token_already_used", "Invalid Refresh Token: Already Used")
}

/// What to do with a token that is not the current one.
#[derive(Debug)]
enum Verdict {
    /// It was, a moment ago: another tab was faster. The active one is answered.
    SameAgain,
    /// It was the last that was taken, and nobody came with what was given for it: the answer was lost. Another one is given, and whoever
    /// comes with the lost one after all is a second holder.
    Lost { so_far: i64 },
    /// It was, before another one was taken.
    Stolen,
    /// There is nothing to be had for it.
    Refused(Error),
}

fn judge(state: Option<SessionState>, token: RefreshToken, auth: &Auth) -> Verdict {
    let Some(state) = state else { return Verdict::Refused(not_found()) };
    // Before its end: who bans somebody ends his sessions, too.
    if state.banned {
        return Verdict::Refused(bad_request("user_banned", "Invalid Refresh Token: User Banned"));
    }
    if state.revoked {
        return Verdict::Refused(not_found());
    }
    if state.ended {
        return Verdict::Refused(bad_request("session_expired", "Invalid Refresh Token: Session Expired"));
    }
    // A database that was restored from a backup knows less than its clients.
    if state.counter <= token.counter {
        return Verdict::Refused(not_found());
    }
    let window = i64::from(auth.config().refresh_reuse_seconds);
    let is_last = state.counter.checked_sub(1) == Some(token.counter);
    // It was good before a second factor was proved, and the answer to that was lost, or somebody holds a copy: the factor is asked for again.
    if is_last && state.spent == NONE_SPENT {
        return Verdict::Refused(not_found());
    }
    let age = state.refreshed_at.map(|refreshed_at| auth.now().as_second() - refreshed_at.as_second());
    if state.spent != token.counter {
        return Verdict::Stolen;
    }
    if age.is_some_and(|age| age <= window) { Verdict::SameAgain } else { Verdict::Lost { so_far: state.counter } }
}

fn not_found() -> Error {
    bad_request("refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found")
}
