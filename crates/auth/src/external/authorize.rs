//! `GET /authorize` and `GET /user/identities/authorize`: a browser goes to a provider.
//!
//! Invariant: a sign-in that ends with a session in an address is bound to the browser that began it, by a cookie: nobody is signed in by
//! an address that somebody else sends him, and nobody's identity gets into somebody else's account. One that ends with a code is bound to
//! the application by its challenge.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use kernel::{Error, Kind, Result, Secret, UserId};
use postgres::Access;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::provider::Provider;
use super::trip::{self, Luggage, Wishes};
use super::{COOKIE, callback_url, company, find};
use crate::Auth;
use crate::errors::{bad_request, session_not_found};
use crate::flows::Challenge;
use crate::flows::trips::{self, NewTrip};
use crate::input::Caller;
use crate::keys::FLOW_SECRETS;
use crate::one_time::{redirect, secrets};
use crate::users::queries::find_self_within;
use crate::{sessions, users};

/// What the query says; a name that comes twice counts once.
struct Asked {
    provider: String,
    redirect_to: Option<String>,
    scopes: Option<String>,
    challenge: Option<Challenge>,
    answers_url: bool,
    query: Vec<(String, String)>,
}

impl Asked {
    fn read(query: Option<&str>) -> Result<Self> {
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        let of = |name: &str| query.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.clone());
        let challenge = Challenge::read(of("code_challenge").as_deref(), of("code_challenge_method").as_deref())?;
        Ok(Self {
            provider: of("provider").unwrap_or_default(),
            redirect_to: of("redirect_to"),
            scopes: of("scopes"),
            challenge,
            answers_url: of("skip_http_redirect").as_deref() == Some("true"),
            query,
        })
    }
}

/// A browser's way to a provider.
struct Way {
    page: Url,
    /// What the browser has to bring back.
    browser: Option<Secret<String>>,
    posts_form: bool,
}

pub(crate) async fn authorize(State(auth): State<Auth>, RawQuery(query): RawQuery) -> Result<Response> {
    let asked = Asked::read(query.as_deref())?;
    let way = Box::pin(begin(&auth, &asked, None)).await?;
    see(&auth, &way)
}

pub(crate) async fn link(State(auth): State<Auth>, caller: Caller, headers: HeaderMap, RawQuery(query): RawQuery) -> Result<Response> {
    if !auth.config().external.manual_linking_enabled {
        return Err(linking_disabled());
    }
    let asked = Asked::read(query.as_deref())?;
    if asked.challenge.is_none() && !keeps_cookies(&headers) {
        let message =
            "From a page of another origin identities are linked with the PKCE flow: send code_challenge and code_challenge_method";
        return Err(bad_request("validation_failed", message));
    }
    let tx = auth.begin(Access::Write, "begin to add an identity").await?;
    let user = find_self_within(&tx, caller, auth.now()).await?.ok_or_else(session_not_found)?;
    if user.has_second_factor() && !sessions::is_proved(&tx, caller, &auth).await? {
        return Err(users::factor_required());
    }
    tx.commit().await?;
    let way = Box::pin(begin(&auth, &asked, Some(user.id))).await?;
    if !asked.answers_url {
        return see(&auth, &way);
    }
    let mut response = Json(json!({ "url": way.page.as_str() })).into_response();
    bind(&auth, &way, &mut response)?;
    Ok(response)
}

/// Begins a sign-in with a company's provider: where the browser goes, and the cookie that it has to bring back.
pub(super) async fn sign_on(
    auth: &Auth,
    (provider, redirect_to, challenge): (String, Option<String>, Option<Challenge>),
) -> Result<(Url, Option<String>)> {
    let asked = Asked { provider, redirect_to, scopes: None, challenge, answers_url: true, query: Vec::new() };
    let way = Box::pin(begin(auth, &asked, None)).await?;
    let seconds = auth.config().external.trip_seconds;
    let cookie = way.browser.map(|browser| cookie(auth, browser.expose(), seconds, way.posts_form));
    Ok((way.page, cookie))
}

/// Says that identities are not linked here.
pub(super) fn linking_disabled() -> Error {
    Error::new(Kind::NotFound, "manual_linking_disabled", "Manual linking is disabled")
}

async fn begin(auth: &Auth, asked: &Asked, links: Option<UserId>) -> Result<Way> {
    if asked.provider.is_empty() {
        return Err(bad_request("validation_failed", "Unsupported provider: missing provider"));
    }
    let unknown = || bad_request("validation_failed", "Unsupported provider: provider is not enabled");
    // An account is not linked with a company's provider but found by it.
    if links.is_some() && company::is_one(&asked.provider) {
        return Err(unknown());
    }
    let provider: Provider = find(auth, &asked.provider).await?.ok_or_else(unknown)?;
    let document = auth.documents().of(&provider).await.map_err(Error::internal)?;
    let (id, state, luggage) = (Uuid::now_v7(), secrets::random()?, Luggage::pack()?);
    let packed = serde_json::to_vec(&luggage).map_err(Error::internal)?;
    let sealed = auth.keys().ring.seal(FLOW_SECRETS, id, &packed).map_err(Error::internal)?;
    let browser = if asked.challenge.is_none() { Some(secrets::random()?) } else { None };
    let target = redirect::target(auth, asked.redirect_to.as_deref());
    let new = NewTrip {
        id,
        provider: &provider.name,
        state: state.expose(),
        browser: browser.as_ref().map(|browser| browser.expose().as_str()),
        challenge: asked.challenge.as_ref(),
        links,
        redirect_to: target.as_str(),
        sealed: &sealed,
        seconds: auth.config().external.trip_seconds,
    };
    if new.redirect_to.len() > REDIRECT_BYTES_MAX {
        return Err(bad_request("validation_failed", "redirect_to is too long"));
    }
    let tx = auth.begin_unread("begin a sign-in with a provider").await?;
    trips::begin(&tx, &new, auth.now()).await?;
    tx.commit().await?;
    let wishes = Wishes { scopes: asked.scopes.as_deref(), query: &asked.query };
    let page = trip::page((&provider, &document), &callback_url(auth, &provider.name), state.expose(), &luggage, &wishes);
    Ok(Way { page, browser, posts_form: provider.posts_form })
}

/// The longest address that a sign-in leads back to.
const REDIRECT_BYTES_MAX: usize = 4096;

fn see(auth: &Auth, way: &Way) -> Result<Response> {
    let location = HeaderValue::try_from(way.page.as_str()).map_err(Error::internal)?;
    let mut response = (StatusCode::FOUND, [(LOCATION, location)]).into_response();
    bind(auth, way, &mut response)?;
    Ok(response)
}

/// Gives the browser what it has to bring back.
fn bind(auth: &Auth, way: &Way, response: &mut Response) -> Result<()> {
    if let Some(browser) = &way.browser {
        let cookie = cookie(auth, browser.expose(), auth.config().external.trip_seconds, way.posts_form);
        response.headers_mut().insert(SET_COOKIE, HeaderValue::try_from(cookie).map_err(Error::internal)?);
    }
    Ok(())
}

/// Tells whether a client that asks from a page keeps our cookie: a browser does so only for pages of the same origin, and says whether it
/// is one (Fetch Metadata).
fn keeps_cookies(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none")
}

/// Writes the cookie; with no time it goes. A form that another site's page posts brings only cookies that say so, which need TLS.
pub(super) fn cookie(auth: &Auth, value: &str, seconds: u32, posts_form: bool) -> String {
    let path = Url::parse(auth.issuer()).map_or_else(|_| "/".to_owned(), |url| url.path().to_owned());
    let site = match (auth.issuer().starts_with("https://"), posts_form) {
        (true, true) => "SameSite=None; Secure",
        (true, false) => "SameSite=Lax; Secure",
        (false, _) => "SameSite=Lax",
    };
    format!("{COOKIE}={value}; Path={path}; Max-Age={seconds}; HttpOnly; {site}")
}
