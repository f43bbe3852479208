//! `POST /verify` with a code or a link's token, and `GET /verify`, which is the link.
//!
//! Invariant: whatever was wrong, the answer is the same. A link that a browser follows ends on a page that the operator allowed, also
//! when it is not good.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use kernel::{Error, Kind, Result, Secret};
use postgres::{Access, Tx};
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::queries::{self, Used};
use super::{Account, Purpose, redirect, secrets};
use crate::errors::{bad_request, unprocessable};
use crate::input::{Body, Device, Email, Params, Phone};
use crate::sessions::{self, NewSession};
use crate::users::queries::{Change, change, prove_email};
use crate::users::ways_in::{self, Kept};
use crate::users::{taken, taken_phone};
use crate::{Auth, flows};

const FIRST_OF_TWO: &str = "Confirmation link accepted. Please proceed to confirm link sent to the other email";

/// The body of the endpoint.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Presented {
    #[serde(rename = "type")]
    kind: String,
    email: Option<String>,
    phone: Option<String>,
    token: Option<Secret<String>>,
    token_hash: Option<Secret<String>>,
}

/// The query of a link.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Followed {
    #[serde(rename = "type")]
    kind: String,
    token: Secret<String>,
    redirect_to: Option<String>,
}

/// What a good link or code led to.
enum Verified {
    Session(Value),
    /// A code that the application which asked for the link exchanges.
    Code(Secret<String>),
    /// The other address has to agree, too.
    FirstOfTwo,
}

pub(crate) async fn verify(State(auth): State<Auth>, device: Device, Body(presented): Body<Presented>) -> Result<Json<Value>> {
    let answer = match Box::pin(post(&auth, device, presented)).await {
        Ok(Verified::Session(session)) => Ok(Json(session)),
        Ok(Verified::FirstOfTwo) => Ok(Json(json!({ "msg": FIRST_OF_TWO, "code": "200" }))),
        Ok(Verified::Code(_)) => Err(Error::internal("a code for nobody who could exchange it")),
        Err(error) => Err(error),
    };
    let result = answer.as_ref().map_or_else(|error| sessions::label(error.code()), |_| "success");
    metrics::counter!("auth_verifications_total", "result" => result).increment(1);
    answer
}

async fn post(auth: &Auth, device: Device, presented: Presented) -> Result<Verified> {
    let Presented { kind, email, phone, token, token_hash } = presented;
    let present = |text: Option<String>| text.filter(|text| !text.is_empty());
    let secret = |text: Option<Secret<String>>| text.filter(|text| !text.expose().is_empty());
    if kind.is_empty() {
        return Err(bad_request("validation_failed", "Verify requires a verification type"));
    }
    match (secret(token), secret(token_hash), present(email), present(phone)) {
        (None, Some(hash), None, None) => by_link(auth, device, &kind, hash.expose(), Way::Application).await,
        (_, Some(_), _, _) => Err(bad_request("validation_failed", "Only the token_hash and type should be provided")),
        (None, None, _, _) => Err(bad_request("validation_failed", "Verify requires a token or a token hash")),
        (Some(code), None, Some(email), None) => {
            let malformed = |error: Error| unprocessable("validation_failed", "Invalid email format").with_source(error);
            let email = Email::parse(&email).map_err(malformed)?;
            let purposes = Purpose::of_mail(&kind).ok_or_else(unsupported)?;
            by_code(auth, device, email.as_str(), purposes, code.expose()).await
        }
        (Some(code), None, None, Some(phone)) => {
            let phone = Phone::parse(&phone)?;
            let purposes = Purpose::of_phone(&kind).ok_or_else(unsupported)?;
            by_code(auth, device, phone.as_str(), purposes, code.expose()).await
        }
        (Some(_), None, _, _) => {
            Err(bad_request("validation_failed", "Only an email address or phone number should be provided on verify"))
        }
    }
}

fn unsupported() -> Error {
    bad_request("validation_failed", "Unsupported verification type")
}

fn expired(message: &'static str) -> Error {
    Error::new(Kind::Forbidden, "otp_expired", message)
}

pub(crate) async fn follow(State(auth): State<Auth>, Params(followed): Params<Followed>, device: Device) -> Result<Response> {
    if followed.kind.is_empty() || followed.token.expose().is_empty() {
        return Err(bad_request("validation_failed", "Verify requires a token and a type"));
    }
    let mut target = redirect::target(&auth, followed.redirect_to.as_deref());
    let outcome = Box::pin(by_link(&auth, device, &followed.kind, followed.token.expose(), Way::Browser)).await;
    let result = outcome.as_ref().map_or_else(|error| sessions::label(error.code()), |_| "success");
    metrics::counter!("auth_verifications_total", "result" => result).increment(1);
    let fragment = match outcome {
        Ok(Verified::Session(session)) => session_fragment(&session, &followed.kind),
        Ok(Verified::Code(code)) => {
            target.query_pairs_mut().append_pair("code", code.expose());
            return redirect::see_other(&target);
        }
        Ok(Verified::FirstOfTwo) => Serializer::new(String::new()).append_pair("message", FIRST_OF_TWO).append_pair("sb", "").finish(),
        Err(error) if error.status().is_server_error() => return Err(error),
        Err(error) => {
            let in_query = secrets::leads_to_code(followed.token.expose());
            return redirect::refuse(target, oauth_word(error.status()), (error.code(), error.message()), in_query);
        }
    };
    target.set_fragment(Some(&fragment));
    redirect::see_other(&target)
}

/// Returns the word of OAuth for a status; there is none for every one.
fn oauth_word(status: StatusCode) -> Option<&'static str> {
    match status {
        StatusCode::BAD_REQUEST => Some("invalid_request"),
        StatusCode::UNAUTHORIZED => Some("unauthorized_client"),
        StatusCode::FORBIDDEN => Some("access_denied"),
        _ => None,
    }
}

fn session_fragment(session: &Value, kind: &str) -> String {
    let mut fragment = Serializer::new(String::new());
    for name in ["access_token", "expires_at", "expires_in", "refresh_token"] {
        let value = session.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        fragment.append_pair(name, &value.unwrap_or_default());
    }
    fragment.append_pair("sb", "").append_pair("token_type", "bearer").append_pair("type", kind);
    fragment.finish()
}

/// Who comes with a link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The browser that followed it.
    Browser,
    /// An application that has its token.
    Application,
}

async fn by_link(auth: &Auth, device: Device, kind: &str, token: &str, way: Way) -> Result<Verified> {
    let purposes = Purpose::of_mail(kind).ok_or_else(unsupported)?;
    let tx = auth.begin(Access::Write, "sign-in by a link").await?;
    let used = queries::use_link(&tx, &secrets::token_hash(token), purposes, auth.now()).await?;
    let used = used.ok_or_else(|| expired("Email link is invalid or has expired"))?;
    accept(auth, tx, device, used, way).await
}

async fn by_code(auth: &Auth, device: Device, sent_to: &str, purposes: &'static [Purpose], code: &str) -> Result<Verified> {
    auth.limits().strict("verify", sent_to, &device).await?;
    let tx = auth.begin(Access::Write, "sign-in by a code").await?;
    let attempts_max = auth.config().one_time.code_attempts_max;
    let candidates = queries::candidates(&tx, sent_to, purposes, attempts_max, auth.now()).await?;
    let ring = &auth.keys().ring;
    let right = candidates.iter().find(|candidate| secrets::is_code(ring, candidate.id, code, &candidate.code_hash));
    let used = match right {
        Some(candidate) => queries::use_code(&tx, candidate.id).await?,
        None => None,
    };
    let Some(used) = used else {
        // Also where there is nothing to count: it takes as long.
        queries::miss(&tx, &candidates).await?;
        tx.commit().await?;
        return Err(expired("Token has expired or is invalid"));
    };
    accept(auth, tx, device, used, Way::Application).await
}

/// Does what the token was for and opens a session, or gives the application its code that waits for one.
async fn accept(auth: &Auth, tx: Tx, device: Device, used: Used, way: Way) -> Result<Verified> {
    let now = auth.now();
    let account = Account::by_id(&tx, used.user_id, now).await?.ok_or_else(|| expired("Token has expired or is invalid"))?;
    if account.banned {
        return Err(Error::new(Kind::Forbidden, "user_banned", "User is banned"));
    }
    let provider = match used.purpose {
        Purpose::Confirmation | Purpose::Recovery => {
            let drops_password = used.purpose == Purpose::Recovery;
            // Whoever was in the account before its holder came prepared it. A sign-up's link confirms the password of that sign-up.
            let kept = Kept { password: !drops_password, flow_id: used.flow_id, ..Kept::default() };
            ways_in::take_unproved(&tx, account.id, kept, now).await?;
            queries::confirm_email(&tx, account.id, drops_password, now).await?;
            "email"
        }
        Purpose::EmailChangeCurrent | Purpose::EmailChangeNew => {
            if !used.is_last {
                queries::agree(&tx, account.id).await?;
                tx.commit().await?;
                return Ok(Verified::FirstOfTwo);
            }
            let email = Email::parse(&account.new_email).map_err(|error| expired("Token has expired or is invalid").with_source(error))?;
            let wish = Change { email: Some(&email), confirm_email: true, ..Change::default() };
            change(&tx, account.id, &wish, now).await.map_err(taken)?;
            queries::settle_email_change(&tx, account.id, now).await?;
            // The old address alone proves nothing of the new one.
            if used.purpose == Purpose::EmailChangeNew || !auth.config().autoconfirm {
                prove_email(&tx, account.id, now).await?;
            }
            queries::forget(&tx, account.id).await?;
            "email"
        }
        Purpose::PhoneConfirmation => {
            ways_in::take_unproved_phone(&tx, account.id, used.flow_id, now).await?;
            queries::confirm_phone(&tx, account.id, now).await?;
            "phone"
        }
        Purpose::PhoneChange => {
            queries::settle_phone_change(&tx, account.id, true, now).await.map_err(taken_phone)?;
            queries::forget(&tx, account.id).await?;
            "phone"
        }
        // Not for a session: PUT /user asks for it.
        Purpose::Reauthentication => return Err(unsupported()),
    };
    if let (Some(flow_id), Way::Browser) = (used.flow_id, way) {
        let code = flows::queries::issue(&tx, flow_id, account.id, auth.config().external.code_seconds, now).await?;
        tx.commit().await?;
        tracing::info!(user_id = %account.id, purpose = used.purpose.name(), "a link led to a code");
        return Ok(Verified::Code(code));
    }
    let new = NewSession { user_id: account.id, verified_hash: None, renewed_hash: None, device, method: "otp", provider };
    let session = sessions::open(auth, &tx, new).await?;
    let answer = session.answer(auth)?;
    tx.commit().await?;
    tracing::info!(user_id = %account.id, session_id = %session.id, purpose = used.purpose.name(), "signed in by a link or code");
    Ok(Verified::Session(answer))
}
