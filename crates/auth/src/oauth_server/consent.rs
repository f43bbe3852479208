//! `GET /oauth/authorizations/{id}` and `POST …/consent`: somebody is asked whether a program may act for him, and answers.
//!
//! Invariant: only whoever looked at a question answers it, and only the person himself, never a program that acts for him. Whoever has
//! a second factor proves it before he lets another program in.

use axum::Json;
use axum::extract::{Path, State};
use kernel::{Error, Kind, Result};
use postgres::{Access, Tx};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::authorizations::{self, Question};
use super::clients::hash;
use super::{random_text, redirect_uri, required};
use crate::Auth;
use crate::errors::{bad_request, session_not_found};
use crate::input::{Body, Caller};
use crate::sessions::{self, Lifetime};
use crate::users::{self, User};

/// The body of the answer.
#[derive(Deserialize)]
pub(crate) struct Decision {
    #[serde(default)]
    action: String,
}

pub(crate) async fn details(State(auth): State<Auth>, caller: Caller, Path(id): Path<String>) -> Result<Json<Value>> {
    required(&auth)?;
    let id = authorization_id(&id)?;
    let tx = auth.begin_unread("look at what a program asks for").await?;
    let user = signed_in(&tx, &auth, caller).await?;
    let question = authorizations::claim(&tx, id, caller, auth.now()).await?.ok_or_else(not_found)?;
    if !question.is_open {
        return Err(bad_request("validation_failed", "authorization request cannot be processed"));
    }
    let answer = if is_agreed(&tx, &auth, caller, &user, &question).await? {
        json!({ "redirect_url": approve(&tx, &auth, id, caller, &question).await? })
    } else {
        json!({
            "authorization_id": id,
            "redirect_uri": question.redirect_uri,
            "client": question.client.shown(),
            "user": { "id": user.id, "email": user.email },
            "scope": question.scopes.join(" "),
        })
    };
    tx.commit().await?;
    Ok(Json(answer))
}

pub(crate) async fn consent(
    State(auth): State<Auth>,
    caller: Caller,
    Path(id): Path<String>,
    Body(decision): Body<Decision>,
) -> Result<Json<Value>> {
    required(&auth)?;
    let id = authorization_id(&id)?;
    let approves = match decision.action.as_str() {
        "approve" => true,
        "deny" => false,
        _ => return Err(bad_request("validation_failed", "action must be 'approve' or 'deny'")),
    };
    let tx = auth.begin(Access::Write, "answer what a program asks for").await?;
    let user = signed_in(&tx, &auth, caller).await?;
    let question = authorizations::find(&tx, id, caller, auth.now()).await?.ok_or_else(not_found)?;
    if !question.is_open {
        return Err(bad_request("validation_failed", "authorization request is no longer pending"));
    }
    let url = if approves {
        if user.has_second_factor() && !sessions::is_proved(&tx, caller, &auth).await? {
            let message = "AAL2 session is required to authorize a client when MFA is enabled.";
            return Err(Error::new(Kind::Forbidden, "insufficient_aal", message));
        }
        authorizations::remember(&tx, caller.user_id, question.client.id, &question.scopes, auth.now()).await?;
        approve(&tx, &auth, id, caller, &question).await?
    } else {
        authorizations::deny(&tx, id).await?;
        let description = Some("User denied the request");
        back(&auth, &question, [("error", Some("access_denied")), ("error_description", description)])?
    };
    tx.commit().await?;
    metrics::counter!("auth_oauth_consents_total", "action" => if approves { "approve" } else { "deny" }).increment(1);
    tracing::info!(user_id = %caller.user_id, client_id = %question.client.id, approves, "answered what a program asks for");
    Ok(Json(json!({ "redirect_url": url })))
}

/// Locks the caller's session, and returns his account.
async fn signed_in(tx: &Tx, auth: &Auth, caller: Caller) -> Result<User> {
    if !sessions::queries::lock_live(tx, caller, Lifetime::of(auth)).await? {
        return Err(session_not_found());
    }
    users::queries::find(tx, caller.user_id).await?.ok_or_else(session_not_found)
}

/// Tells whether somebody agreed to all of it before. Whoever could be another program of the same name asks every time: one without a
/// secret whose answer goes to an app or to a port of the person's own machine (RFC 8252, 8.6).
async fn is_agreed(tx: &Tx, auth: &Auth, caller: Caller, user: &User, question: &Question) -> Result<bool> {
    let is_assured = !question.client.is_public() || redirect_uri::is_assured(&question.redirect_uri);
    if question.asks_again || !is_assured {
        return Ok(false);
    }
    let agreed = authorizations::agreed(tx, caller.user_id, question.client.id).await?.unwrap_or_default();
    let covers = question.scopes.iter().all(|scope| agreed.contains(scope));
    Ok(covers && (!user.has_second_factor() || sessions::is_proved(tx, caller, auth).await?))
}

/// Makes the code, and returns where the browser takes it.
async fn approve(tx: &Tx, auth: &Auth, id: Uuid, caller: Caller, question: &Question) -> Result<String> {
    let code = random_text()?;
    let expires_at = authorizations::after(auth.now(), auth.config().oauth_server.code_seconds)?;
    authorizations::approve(tx, id, caller, &hash(&code), expires_at).await?;
    back(auth, question, [("code", Some(&code)), ("", None)])
}

/// Returns where the browser takes an answer. It names who answers, so that a program with several servers is not confused (RFC 9207).
fn back(auth: &Auth, question: &Question, answer: [(&str, Option<&str>); 2]) -> Result<String> {
    let [first, second] = answer;
    let answer = [first, second, ("state", question.state.as_deref()), ("iss", Some(auth.issuer()))];
    let url = redirect_uri::answered(&question.redirect_uri, &answer);
    url.map(String::from).ok_or_else(|| Error::internal("a registered address is none"))
}

fn authorization_id(text: &str) -> Result<Uuid> {
    text.parse().map_err(|error: uuid::Error| not_found().with_source(error))
}

/// What is another's, is over or never was: which of them is not told.
fn not_found() -> Error {
    Error::new(Kind::NotFound, "oauth_authorization_not_found", "authorization not found")
}
