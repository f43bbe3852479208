//! `GET /oauth/authorize`: a program asks somebody, in his browser, whether it may act for him.
//!
//! Invariant: before the program and the address of its answer are known to belong together, nobody is sent anywhere. A program that
//! registered itself gets no mistake told by a redirect: it would make this server send people wherever it likes.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};
use kernel::{Error, Kind, Result};
use postgres::Access;
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use super::authorizations::{self, NewQuestion};
use super::clients::Client;
use super::{OauthServerConfig, SCOPES, queries, redirect_uri, required};
use crate::Auth;
use crate::errors::bad_request;
use crate::input::{Device, Params};

/// The length of SHA-256 in base64url.
const CHALLENGE_BYTES: usize = 43;
const TEXT_BYTES_MAX: usize = 2048;
/// What is asked for when nothing is named.
const DEFAULT_SCOPE: &str = "email";

/// The query of the address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    client_id: String,
    redirect_uri: String,
    response_type: Option<String>,
    response_mode: Option<String>,
    scope: Option<String>,
    state: Option<String>,
    nonce: Option<String>,
    resource: Option<String>,
    prompt: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    request: Option<String>,
    request_uri: Option<String>,
}

/// A mistake, in the words of the standard: its code and a sentence.
type Mistake = (&'static str, &'static str);

/// What was understood of the query.
#[derive(Debug)]
struct Understood<'a> {
    scopes: Vec<String>,
    code_challenge: &'a str,
    asks_again: bool,
}

pub(crate) async fn authorize(State(auth): State<Auth>, device: Device, Params(asked): Params<Asked>) -> Result<Response> {
    let config = required(&auth)?;
    let now = auth.now();
    let unknown = || bad_request("oauth_client_not_found", "invalid client_id");
    let id: Uuid = asked.client_id.parse().map_err(|error: uuid::Error| unknown().with_source(error))?;
    let tx = auth.begin(Access::Write, "a program asks somebody to let it act for him").await?;
    let client = queries::find(&tx, id).await?.ok_or_else(unknown)?;
    if !redirect_uri::is_registered(&client.redirect_uris, &asked.redirect_uri) {
        return Err(bad_request("validation_failed", "invalid redirect_uri"));
    }
    let understood = match asked.understood() {
        Ok(understood) => understood,
        Err(mistake) => return refuse(&auth, &client, &asked, mistake),
    };
    let (id, network) = (Uuid::new_v4(), device.network());
    let new = NewQuestion {
        id,
        client_id: client.id,
        redirect_uri: &asked.redirect_uri,
        scopes: &understood.scopes,
        state: asked.state.as_deref(),
        nonce: asked.nonce.as_deref(),
        resource: asked.resource.as_deref(),
        code_challenge: understood.code_challenge,
        asks_again: understood.asks_again,
        requested_from: network.as_deref(),
    };
    if !authorizations::ask(&tx, &new, config.authorization_seconds, config.authorizations_max, now).await? {
        let error = Error::new(Kind::TooManyRequests, "over_request_rate_limit", "Too many requests of programs are open. Try again later");
        return Err(error.with_retry_after(config.authorization_seconds));
    }
    tx.commit().await?;
    tracing::info!(client_id = %client.id, "a program asks somebody to let it act for him");
    see(&page(&auth, config, id)?)
}

impl Asked {
    fn understood(&self) -> Result<Understood<'_>, Mistake> {
        if self.request.is_some() {
            return Err(("request_not_supported", "Requests as tokens are not taken"));
        }
        if self.request_uri.is_some() {
            return Err(("request_uri_not_supported", "Requests by reference are not taken"));
        }
        if self.response_type.as_deref().is_some_and(|kind| kind != "code") {
            return Err(("unsupported_response_type", "Only response_type=code is supported"));
        }
        if self.response_mode.as_deref().is_some_and(|mode| mode != "query") {
            return Err(("invalid_request", "Only response_mode=query is supported"));
        }
        let code_challenge = self.challenge()?;
        let texts = [&self.state, &self.nonce, &self.resource].into_iter().flatten();
        if texts.into_iter().any(|text| text.len() > TEXT_BYTES_MAX || text.contains(char::is_control)) {
            return Err(("invalid_request", "state, nonce and resource have at most 2048 characters"));
        }
        if self.resource.as_deref().is_some_and(|resource| !is_resource(resource)) {
            return Err(("invalid_target", "resource must be a whole address without a fragment"));
        }
        let mut prompts = self.prompt.as_deref().unwrap_or_default().split_ascii_whitespace();
        if prompts.clone().any(|prompt| prompt == "none") {
            return Err(("interaction_required", "Nobody can be let in without being asked"));
        }
        let asks_again = prompts.any(|prompt| prompt == "consent");
        Ok(Understood { scopes: scopes(self.scope.as_deref().unwrap_or_default())?, code_challenge, asks_again })
    }

    /// Whoever begins a request proves with it later that he did: by a hash, and never by the word itself.
    fn challenge(&self) -> Result<&str, Mistake> {
        let (Some(challenge), Some(method)) = (self.code_challenge.as_deref(), self.code_challenge_method.as_deref()) else {
            return Err(("invalid_request", "PKCE flow requires both code_challenge and code_challenge_method"));
        };
        if !method.eq_ignore_ascii_case("S256") {
            return Err(("invalid_request", "code_challenge_method must be S256"));
        }
        let is_hash =
            challenge.len() == CHALLENGE_BYTES && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if is_hash { Ok(challenge) } else { Err(("invalid_request", "code_challenge must be a SHA-256 in base64url")) }
    }
}

/// Reads what is asked for. A refresh token is given by what a program was registered for, so `offline_access` adds nothing.
fn scopes(text: &str) -> Result<Vec<String>, Mistake> {
    let mut scopes: Vec<String> = text.split_ascii_whitespace().filter(|scope| *scope != "offline_access").map(str::to_owned).collect();
    if scopes.iter().any(|scope| !SCOPES.contains(&scope.as_str())) {
        return Err(("invalid_scope", "The scopes are openid, profile, email and phone"));
    }
    scopes.sort();
    scopes.dedup();
    if scopes.is_empty() {
        scopes.push(DEFAULT_SCOPE.to_owned());
    }
    Ok(scopes)
}

fn is_resource(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.has_host() && url.fragment().is_none())
}

fn refuse(auth: &Auth, client: &Client, asked: &Asked, (error, description): Mistake) -> Result<Response> {
    if client.registration == "dynamic" {
        return Err(bad_request("validation_failed", description));
    }
    let state = asked.state.as_deref().filter(|state| state.len() <= TEXT_BYTES_MAX);
    let answer = [("error", Some(error)), ("error_description", Some(description)), ("state", state), ("iss", Some(auth.issuer()))];
    see(&redirect_uri::answered(&asked.redirect_uri, &answer).ok_or_else(|| Error::internal("a registered address is none"))?)
}

/// Returns the page of the site on which somebody is asked.
fn page(auth: &Auth, config: &OauthServerConfig, id: Uuid) -> Result<Url> {
    let mut page = auth.site().join(&config.consent_page).map_err(Error::internal)?;
    page.query_pairs_mut().append_pair("authorization_id", &id.to_string());
    Ok(page)
}

fn see(url: &Url) -> Result<Response> {
    let location = HeaderValue::try_from(url.as_str()).map_err(Error::internal)?;
    let headers = [(LOCATION, location), (REFERRER_POLICY, HeaderValue::from_static("no-referrer"))];
    Ok((StatusCode::FOUND, headers).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        // The challenge of RFC 7636, appendix B.
        Asked {
            code_challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned()),
            code_challenge_method: Some("S256".to_owned()),
            ..Asked::default()
        }
    }

    #[test]
    fn scopes_are_known_each_once_and_never_none() {
        let read = |text: &str| scopes(text).map(|scopes| scopes.join(" ")).map_err(|(error, _)| error);
        assert_eq!(read("profile openid  openid offline_access"), Ok("openid profile".to_owned()));
        assert_eq!(read(""), Ok("email".to_owned()));
        assert_eq!(read("offline_access"), Ok("email".to_owned()));
        assert_eq!(read("openid admin"), Err("invalid_scope"));
    }

    #[test]
    fn every_mistake_has_its_word() {
        assert!(asked().understood().is_ok());
        assert!(Asked { prompt: Some("consent".to_owned()), ..asked() }.understood().unwrap().asks_again);
        let text = |text: &str| Some(text.to_owned());
        for (wrong, error) in [
            (Asked { code_challenge: None, ..asked() }, "invalid_request"),
            (Asked { code_challenge_method: None, ..asked() }, "invalid_request"),
            (Asked { code_challenge_method: text("plain"), ..asked() }, "invalid_request"),
            (Asked { code_challenge: text("short"), ..asked() }, "invalid_request"),
            (Asked { code_challenge: text(&"=".repeat(43)), ..asked() }, "invalid_request"),
            (Asked { response_type: text("token"), ..asked() }, "unsupported_response_type"),
            (Asked { response_mode: text("fragment"), ..asked() }, "invalid_request"),
            (Asked { request: text("x"), ..asked() }, "request_not_supported"),
            (Asked { request_uri: text("x"), ..asked() }, "request_uri_not_supported"),
            (Asked { prompt: text("none"), ..asked() }, "interaction_required"),
            (Asked { scope: text("root"), ..asked() }, "invalid_scope"),
            (Asked { state: text("a\0b"), ..asked() }, "invalid_request"),
            (Asked { nonce: text(&"x".repeat(2049)), ..asked() }, "invalid_request"),
            (Asked { resource: text("https://mcp.example.com/#x"), ..asked() }, "invalid_target"),
            (Asked { resource: text("mcp"), ..asked() }, "invalid_target"),
        ] {
            assert_eq!(wrong.understood().err().map(|(error, _)| error), Some(error), "{wrong:?}");
        }
    }
}
