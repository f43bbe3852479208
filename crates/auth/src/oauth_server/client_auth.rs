//! How a program proves that it is itself: by its secret in the header or in the body, or not at all where it has none.
//!
//! Invariant: a program that has a secret is never believed without it, and one that has none is not believed with one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use kernel::Secret;
use postgres::Tx;
use uuid::Uuid;

use super::clients::Client;
use super::queries;
use super::refusal::Refusal;

/// Returns the program that sent a request.
pub(super) async fn prove(
    tx: &Tx,
    headers: &HeaderMap,
    client_id: Option<&str>,
    client_secret: Option<&Secret<String>>,
) -> Result<Client, Refusal> {
    let given = |text: &&Secret<String>| !text.expose().is_empty();
    let (id, secret) = match basic(headers)? {
        None => (client_id.unwrap_or_default().to_owned(), client_secret.filter(given).cloned()),
        Some(_) if client_secret.is_some_and(|secret| given(&secret)) => {
            return Err(Refusal::invalid_request("A program proves itself in one way at a time"));
        }
        Some((id, _)) if client_id.is_some_and(|other| other != id) => {
            return Err(Refusal::invalid_request("The header and the body name different programs"));
        }
        Some((id, secret)) => (id, Some(secret).filter(|secret| !secret.expose().is_empty())),
    };
    let id: Uuid = id.parse().ok().ok_or_else(Refusal::invalid_client)?;
    let client = queries::find(tx, id).await?.ok_or_else(Refusal::invalid_client)?;
    let proved = match &secret {
        None => client.is_public(),
        Some(secret) => client.is_secret(secret.expose()),
    };
    if proved { Ok(client) } else { Err(Refusal::invalid_client()) }
}

/// Reads id and secret from `Authorization: Basic`. Another scheme is for somebody else: clients of this API send their key so.
fn basic(headers: &HeaderMap) -> Result<Option<(String, Secret<String>)>, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::invalid_request("The header Authorization stands there twice"));
    }
    let Some((scheme, credentials)) = value.to_str().ok().and_then(|value| value.trim().split_once(' ')) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let text = STANDARD.decode(credentials.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (id, secret) = text.as_deref().and_then(|text| text.split_once(':')).ok_or_else(Refusal::invalid_client)?;
    Ok(Some((id.to_owned(), Secret::new(secret.to_owned()))))
}
