//! `GET` and `POST /callback`: a browser comes back from a provider.
//!
//! Invariant: the database is not held while the provider is asked. Whatever went wrong, the browser ends on a page that the operator
//! allowed, and neither it nor the log learns a token. A code is shown to nobody but the provider that gave it.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::header::{COOKIE as COOKIE_HEADER, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use kernel::{Error, Kind, Result, Secret};
use postgres::Access;
use serde_json::Value;
use subtle::ConstantTimeEq;
use url::form_urlencoded::{Serializer, parse};

use super::authorize::cookie;
use super::fault::Fault;
use super::id_token::{self, Nonce};
use super::profile::{self, Profile};
use super::provider::{Dialect, Provider};
use super::settle::{self, Settled};
use super::trip::{self, Luggage, Tokens};
use super::{COOKIE, Kept, callback_url, company, find};
use crate::Auth;
use crate::errors::unprocessable;
use crate::flows::queries::issue;
use crate::flows::trips::{self, Trip};
use crate::input::Device;
use crate::keys::FLOW_SECRETS;
use crate::one_time::{redirect, secrets};
use crate::sessions::{self, NewSession};

/// What a provider hands back.
#[derive(Default)]
struct Returned {
    state: String,
    code: String,
    error: String,
    description: String,
    /// Of Apple's: a name, the first time.
    user: String,
    /// Who says so (RFC 9207).
    issuer: Option<String>,
    /// The company to whose address the browser came.
    company: Option<String>,
}

impl Returned {
    fn read(form: &[u8]) -> Self {
        let mut returned = Self::default();
        for (name, value) in parse(form) {
            let member = match name.as_ref() {
                "iss" => returned.issuer.insert(String::new()),
                "state" => &mut returned.state,
                "code" => &mut returned.code,
                "error" => &mut returned.error,
                "error_description" => &mut returned.description,
                "user" => &mut returned.user,
                _ => continue,
            };
            *member = value.into_owned();
        }
        returned
    }

    /// Apple's form has the name beside the claims.
    fn name(&self) -> String {
        let user: Value = serde_json::from_str(&self.user).unwrap_or_default();
        let name = user.get("name").cloned().unwrap_or_default();
        let part = |part: &str| name.get(part).and_then(Value::as_str).unwrap_or_default().to_owned();
        format!("{} {}", part("firstName"), part("lastName")).trim().to_owned()
    }
}

pub(crate) async fn get(State(auth): State<Auth>, device: Device, headers: HeaderMap, RawQuery(query): RawQuery) -> Result<Response> {
    Box::pin(come_back(&auth, device, &headers, Returned::read(query.unwrap_or_default().as_bytes()))).await
}

/// To the address of a company's providers.
pub(crate) async fn of_company(
    State(auth): State<Auth>,
    device: Device,
    Path(company): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response> {
    let returned = Returned { company: Some(company), ..Returned::read(query.unwrap_or_default().as_bytes()) };
    Box::pin(come_back(&auth, device, &headers, returned)).await
}

pub(crate) async fn post(State(auth): State<Auth>, device: Device, headers: HeaderMap, body: axum::body::Bytes) -> Result<Response> {
    Box::pin(come_back(&auth, device, &headers, Returned::read(&body))).await
}

/// Where a trip ended.
enum End {
    /// A session for the browser, as a fragment.
    Session(String),
    /// A code for the application.
    Code(Secret<String>),
}

/// Why it did not end well.
enum Refusal {
    /// The provider says so, in its word.
    Provider(String, Error),
    /// The provider did not do what it should.
    Fault(Fault),
    /// We refuse, or fail.
    Ours(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

async fn come_back(auth: &Auth, device: Device, headers: &HeaderMap, returned: Returned) -> Result<Response> {
    let tx = auth.begin(Access::Write, "end a trip to a provider").await?;
    let trip = trips::take(&tx, &returned.state, auth.now()).await?;
    tx.commit().await?;
    let Some(trip) = trip.filter(|trip| !trip.is_over) else {
        let target = redirect::target(auth, None);
        return redirect::refuse(
            target,
            Some("invalid_request"),
            ("bad_oauth_state", "OAuth state is missing, was used or is over"),
            false,
        );
    };
    let ended = Box::pin(end(auth, device, headers, (&trip, &returned))).await;
    let mut response = lead_back(auth, &trip, ended)?;
    if trip.browser_hash.is_some() {
        let gone = cookie(auth, "", 0, false);
        response.headers_mut().insert(SET_COOKIE, HeaderValue::try_from(gone).map_err(Error::internal)?);
    }
    Ok(response)
}

/// Sends the browser back to where it came from.
fn lead_back(auth: &Auth, trip: &Trip, ended: std::result::Result<End, Refusal>) -> Result<Response> {
    // What the operator allows may have changed in between.
    let mut target = redirect::target(auth, Some(&trip.redirect_to));
    let in_query = trip.challenge.is_some();
    let (result, response) = match ended {
        Ok(End::Session(fragment)) => {
            target.set_fragment(Some(&fragment));
            ("success", redirect::see_other(&target))
        }
        Ok(End::Code(code)) => {
            target.query_pairs_mut().append_pair("code", code.expose());
            ("success", redirect::see_other(&target))
        }
        Err(Refusal::Provider(oauth, error)) => {
            ("refused", redirect::refuse(target, Some(&oauth), (error.code(), error.message()), in_query))
        }
        Err(Refusal::Fault(fault)) => {
            tracing::warn!(provider = trip.provider, %fault, "a sign-in with a provider failed");
            let said = ("unexpected_failure", "Unable to exchange external code");
            ("failed", redirect::refuse(target, Some("server_error"), said, in_query))
        }
        Err(Refusal::Ours(error)) if error.status().is_server_error() => ("failed", Err(error)),
        Err(Refusal::Ours(error)) => {
            let oauth = if error.code() == "bad_oauth_state" { "invalid_request" } else { "access_denied" };
            (sessions::label(error.code()), redirect::refuse(target, Some(oauth), (error.code(), error.message()), in_query))
        }
    };
    metrics::counter!("auth_sign_ins_total", "result" => result).increment(1);
    response
}

async fn end(auth: &Auth, device: Device, headers: &HeaderMap, (trip, returned): (&Trip, &Returned)) -> std::result::Result<End, Refusal> {
    // What one provider gave is never shown to another: whoever runs one sends a browser on to another with what he began himself.
    if returned.company != company::of(&trip.provider).map(|company| company.to_string()) {
        return Err(unprocessable("bad_oauth_state", "This is not where this sign-in was to come back").into());
    }
    // Either the browser is the one that went, or the application has to prove that it is the one that began.
    let is_bound = trip.browser_hash.as_ref().map_or(trip.challenge.is_some(), |hash| brings_cookie(headers, hash));
    if !is_bound {
        return Err(unprocessable("bad_oauth_state", "This sign-in was begun in another browser").into());
    }
    if !returned.error.is_empty() {
        // What a provider says is shown to people as long as it looks like words.
        let error = if trip::is_word(&returned.error) { returned.error.clone() } else { "access_denied".to_owned() };
        let description: String = returned.description.chars().filter(|c| !c.is_control()).take(DESCRIPTION_MAX).collect();
        return Err(Refusal::Provider(error, Error::new(Kind::Unprocessable, "bad_oauth_callback", description)));
    }
    let provider = find(auth, &trip.provider).await?;
    let provider = provider.ok_or_else(|| unprocessable("provider_disabled", "The provider is not enabled"))?;
    let (profile, tokens) = Box::pin(ask(auth, &provider, trip, returned)).await?;
    let tx = auth.begin(Access::Write, "sign-in with a provider").await?;
    let settled = match (trip.links, &trip.challenge) {
        // The account gets the identity when the application comes with the code: whoever followed somebody else's address gives him nothing.
        (Some(user_id), Some(_)) => Settled::known(user_id),
        (Some(user_id), None) => Settled::known(settle::link(auth, &tx, user_id, &provider.name, &profile).await?),
        (None, _) => settle::arrive(auth, &tx, &device, &provider, &profile).await?,
    };
    let (user_id, about) = (settled.user_id, device.clone());
    if !settled.is_let_in {
        return Err(settle::written_to(auth, tx, &device, &settled).await?.into());
    }
    let kept = Kept::new(&tokens, trip.links.is_some().then_some(&profile));
    if trip.challenge.is_some() {
        let packed = serde_json::to_vec(&kept).map_err(Error::internal)?;
        trips::keep(&tx, trip.id, &auth.keys().ring.seal(FLOW_SECRETS, trip.id, &packed).map_err(Error::internal)?).await?;
        let code = issue(&tx, trip.id, user_id, auth.config().external.code_seconds, auth.now()).await?;
        tx.commit().await?;
        settled.tell(auth, &about);
        return Ok(End::Code(code));
    }
    trips::forget(&tx, trip.id).await?;
    let new = NewSession { user_id, verified_hash: None, renewed_hash: None, device, method: "oauth", provider: &provider.name };
    let session = sessions::open(auth, &tx, new).await?;
    let answer = session.answer(auth)?;
    tx.commit().await?;
    settled.tell(auth, &about);
    tracing::info!(%user_id, session_id = %session.id, provider = provider.name, "signed in with a provider");
    Ok(End::Session(fragment(&answer, &kept)))
}

/// Asks the provider who came.
async fn ask(auth: &Auth, provider: &Provider, trip: &Trip, returned: &Returned) -> std::result::Result<(Profile, Tokens), Refusal> {
    let opened = auth.keys().ring.unseal(FLOW_SECRETS, trip.id, &trip.sealed).map_err(Error::internal)?;
    let luggage: Luggage = serde_json::from_slice(opened.expose()).map_err(Error::internal)?;
    let documents = auth.documents();
    let document = documents.of(provider).await?;
    if provider.dialect == Dialect::OpenId && !document.answers_as(returned.issuer.as_deref()) {
        return Err(Fault::Provider("another one answered in its place".to_owned()).into());
    }
    let code = (returned.code.as_str(), luggage.verifier.as_str());
    let tokens = trip::exchange(documents, (provider, &document), &callback_url(auth, &provider.name), code, auth.now()).await?;
    let access = tokens.access.as_ref();
    let claims = if provider.dialect == Dialect::OpenId {
        let token = tokens.id.as_ref().ok_or(Fault::Token("there is none"))?;
        let mut claims = id_token::verify(documents, provider, token.expose(), Nonce::Exactly(&luggage.nonce), auth.now()).await?;
        if let Some(access) = access {
            id_token::check_access_token(&claims, access.expose())?;
            if !claims.contains_key(provider.claim("email")) && document.endpoints.userinfo.is_some() {
                let more = profile::ask(documents, provider, &document, access).await?;
                // Of somebody else it would be worth nothing.
                if more.get("sub") != claims.get("sub") {
                    return Err(Fault::Provider("it speaks of somebody else".to_owned()).into());
                }
                for (name, value) in more {
                    claims.entry(name).or_insert(value);
                }
            }
        }
        claims
    } else {
        let access = access.ok_or_else(|| Fault::Provider("it gave no token".to_owned()))?;
        profile::ask(documents, provider, &document, access).await?
    };
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or(&provider.issuer).to_owned();
    Ok((Profile::read(provider, &issuer, &claims)?.named(&returned.name()), tokens))
}

/// Characters of a provider's words that are handed on.
const DESCRIPTION_MAX: usize = 200;

fn brings_cookie(headers: &HeaderMap, hash: &[u8]) -> bool {
    let cookies = headers.get_all(COOKIE_HEADER).iter().filter_map(|line| line.to_str().ok());
    let mut values = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    values.any(|(name, value)| name == COOKIE && bool::from(secrets::digest_of(value).as_ref().ct_eq(hash)))
}

/// Writes a session as a fragment, with what the provider gave.
fn fragment(session: &Value, kept: &Kept) -> String {
    let mut fragment = Serializer::new(String::new());
    for name in ["access_token", "expires_at", "expires_in"] {
        let value = session.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        fragment.append_pair(name, &value.unwrap_or_default());
    }
    for (name, token) in [("provider_refresh_token", &kept.refresh), ("provider_token", &kept.access)] {
        if let Some(token) = token {
            fragment.append_pair(name, token);
        }
    }
    let refresh = session.get("refresh_token").and_then(Value::as_str).unwrap_or_default();
    fragment.append_pair("refresh_token", refresh).append_pair("sb", "").append_pair("token_type", "bearer");
    fragment.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_apples_form_is_read_and_nothing_else_of_it() {
        let form = b"state=s&code=c&id_token=t&user=%7B%22name%22%3A%7B%22firstName%22%3A%22Ann%22%2C%22lastName%22%3A%22Lee%22%7D%2C\
                     %22email%22%3A%22x%40y.z%22%7D";
        let form: Vec<u8> = form.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let returned = Returned::read(&form);
        assert_eq!((returned.state.as_str(), returned.code.as_str(), returned.name().as_str()), ("s", "c", "Ann Lee"));
        assert_eq!(Returned::read(b"user=nonsense").name(), "");
    }

    #[test]
    fn a_cookie_is_known_by_its_hash() {
        let with = |line: &'static str| HeaderMap::from_iter([(COOKIE_HEADER, HeaderValue::from_static(line))]);
        let hash = secrets::digest_of("right");
        assert!(brings_cookie(&with("a=b; thorbis-sign-in=right"), hash.as_ref()));
        for wrong in ["", "thorbis-sign-in=", "thorbis-sign-in=wrong", "x-thorbis-sign-in=right", "thorbis-sign-in"] {
            assert!(!brings_cookie(&with(wrong), hash.as_ref()), "{wrong}");
        }
    }
}
