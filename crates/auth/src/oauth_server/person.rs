//! Who somebody is, as far as a program was allowed to know: in id tokens and at `/oauth/userinfo`.
//!
//! Invariant: a claim is told only for the scope that it belongs to (`OpenID` Connect Core, 5.4).

use axum::Json;
use axum::extract::{FromRequestParts, Request, State};
use http::StatusCode;
use kernel::{Error, Result};
use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::{SCOPES, required};
use crate::Auth;
use crate::errors::object;
use crate::input::Holding;
use crate::sessions::{self, Lifetime};
use crate::users::User;

/// Answers what a program may know of the person it acts for; the person himself may know all of it.
pub(crate) async fn userinfo(State(auth): State<Auth>, request: Request) -> Result<Json<Value>, Refusal> {
    required(&auth)?;
    let (mut parts, _) = request.into_parts();
    let caller = Holding::from_request_parts(&mut parts, &auth).await.map_err(refused)?.anybody();
    let session_id = caller.session().map_err(refused)?;
    let tx = auth.begin_unread("tell a program for whom it acts").await?;
    if !sessions::queries::lock_live(&tx, caller, Lifetime::of(&auth)).await? {
        return Err(invalid_token());
    }
    let session = sessions::queries::find(&tx, session_id).await?.ok_or_else(invalid_token)?;
    tx.commit().await?;
    let scopes = session.holder.map_or_else(|| SCOPES.map(str::to_owned).to_vec(), |holder| holder.scopes);
    let mut claims = claims(&session.user, &scopes)?;
    add_other_names(&mut claims, &session.user, &scopes)?;
    Ok(Json(Value::Object(claims)))
}

/// Adds the names by which programs know the same that are written for the service this API is compatible with.
fn add_other_names(claims: &mut Map<String, Value>, user: &User, scopes: &[String]) -> Result<()> {
    let is = |wanted: &str| scopes.iter().any(|scope| scope == wanted);
    if is("phone") && !user.phone.is_empty() {
        let is_verified = claims.get("phone_number_verified").cloned().unwrap_or_default();
        claims.extend(object([("phone", json!(user.phone)), ("phone_verified", is_verified)]));
    }
    if is("profile") {
        let addresses = if is("email") { Vec::new() } else { addresses(user)? };
        let is_told = |said: &Value| said.as_str().is_none_or(|said| !addresses.contains(&said.trim().to_lowercase()));
        let preferred = user.user_metadata.get("preferred_username").filter(|name| name.is_string() && is_told(name)).cloned();
        // The address is told for its own scope alone, also in the place of a name.
        let email = claims.get("email").cloned();
        if let (None, Some(email)) = (claims.get("name"), email.clone()) {
            claims.insert("name".to_owned(), email);
        }
        claims.extend(preferred.or(email).map(|name| ("preferred_username".to_owned(), name)));
        let mut said = user.user_metadata.as_object().cloned().unwrap_or_default();
        for (scope, names) in [("email", ["email", "email_verified"]), ("phone", ["phone", "phone_verified"])] {
            said.retain(|name, _| is(scope) || !names.contains(&name.as_str()));
        }
        said.retain(|_, value| is_told(value));
        claims.insert("user_metadata".to_owned(), Value::Object(said));
    }
    Ok(())
}

/// Returns the addresses of somebody, and what providers say they are: with some of them the name of an account is one.
fn addresses(user: &User) -> Result<Vec<String>> {
    let user = serde_json::to_value(user).map_err(Error::internal)?;
    let identities = user.get("identities").and_then(Value::as_array).into_iter().flatten();
    let said = identities.filter_map(|identity| identity.pointer("/identity_data/email"));
    let all = [user.get("email"), user.get("new_email")].into_iter().flatten().chain(said);
    Ok(all.filter_map(Value::as_str).filter(|address| !address.is_empty()).map(|address| address.trim().to_lowercase()).collect())
}

/// Returns what may be told of a user.
pub(super) fn claims(user: &User, scopes: &[String]) -> Result<Map<String, Value>> {
    let user = serde_json::to_value(user).map_err(Error::internal)?;
    let text = |name: &str| user.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let is = |wanted: &str| scopes.iter().any(|scope| scope == wanted);
    let mut claims = object([("sub", json!(text("id")))]);
    if let Some(email) = text("email").filter(|_| is("email")) {
        claims.extend(object([("email", json!(email)), ("email_verified", json!(text("email_confirmed_at").is_some()))]));
    }
    if let Some(phone) = text("phone").filter(|_| is("phone")) {
        let is_verified = text("phone_confirmed_at").is_some();
        claims.extend(object([("phone_number", json!(format!("+{phone}"))), ("phone_number_verified", json!(is_verified))]));
    }
    if is("profile") {
        let is_address = |said: &str| !is("email") && text("email").is_some_and(|email| email.eq_ignore_ascii_case(said.trim()));
        let said =
            |name: &str| user.get("user_metadata").and_then(|said| said.get(name)).and_then(Value::as_str).filter(|said| !is_address(said));
        for (name, value) in
            [("name", said("name").or_else(|| said("full_name"))), ("picture", said("avatar_url").or_else(|| said("picture")))]
        {
            claims.extend(value.map(|value| (name.to_owned(), json!(value))));
        }
        let changed = text("updated_at").and_then(|text| text.parse::<jiff::Timestamp>().ok());
        claims.extend(changed.map(|at| ("updated_at".to_owned(), json!(at.as_second()))));
    }
    Ok(claims)
}

fn refused(error: Error) -> Refusal {
    if error.status().is_server_error() { error.into() } else { invalid_token() }
}

fn invalid_token() -> Refusal {
    let challenge = Some("Bearer error=\"invalid_token\"");
    let description = "The access token is missing, cannot be verified, or is over";
    Refusal::Said { status: StatusCode::UNAUTHORIZED, error: "invalid_token", description, challenge }
}
