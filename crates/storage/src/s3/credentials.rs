//! Whom a signed request stands for.
//!
//! Invariant: the signature is verified before anybody is looked up by it, and an unknown key is answered like a wrong secret would be known
//! to no one: with a code that names neither.

use axum::extract::FromRequestParts as _;
use http::request::Parts;
use http::{HeaderValue, header};
use kernel::{AnyCaller, CompanyId, Error, Kind, Principal, RequestContext, Result};
use postgres::Sql;
use uuid::Uuid;

use super::signature::{Shown, SigningKey};
use crate::objects::value;
use crate::{Caller, Storage};

/// Finds out who signed a request.
pub(super) async fn identify(storage: &Storage, shown: &Shown, parts: &Parts) -> Result<(Caller, SigningKey)> {
    let (principal, key) = if shown.access_key == storage.config().s3_project {
        of_session(storage, shown, parts).await?
    } else {
        of_key(storage, shown, parts).await?
    };
    let context = parts.extensions.get::<RequestContext>().cloned().unwrap_or_default();
    Ok((Caller::of(principal.require::<AnyCaller>()?, context), key))
}

/// A key of a company: it stands for its API key.
async fn of_key(storage: &Storage, shown: &Shown, parts: &Parts) -> Result<(Principal, SigningKey)> {
    let id = Uuid::try_parse(&shown.access_key).map_err(|error| unknown().with_source(error))?;
    let mut sql = Sql::new(
        "select s.company_id, s.api_key_id, s.secret, k.key_hash
           from app.s3_keys s join public.api_keys k on k.company_id = s.company_id and k.id = s.api_key_id where s.id = ",
    );
    sql.bind(id).text("::uuid");
    let rows = storage.read(&storage.itself("looks whose a signature is"), sql).await?;
    let row = rows.first().ok_or_else(unknown)?;
    let secret = storage.auth().open_secret(auth::keys::S3_SECRET, id, &value::<String>(row, "secret")?)?;
    let key = shown.verify(parts, secret.expose())?;
    let digest = value::<Option<String>>(row, "key_hash")?.ok_or_else(unknown)?;
    let principal = storage.auth().lend_api_key(CompanyId(value(row, "company_id")?), value(row, "api_key_id")?, &digest, parts).await?;
    Ok((principal, key))
}

/// Signed with the public key, which everybody has: the token beside it says whose it is, and is good or not by itself.
async fn of_session(storage: &Storage, shown: &Shown, parts: &Parts) -> Result<(Principal, SigningKey)> {
    let [token, opaque] = storage.auth().public_key_texts();
    let key = shown.verify(parts, token.expose().as_bytes()).or_else(|_other| shown.verify(parts, opaque.expose().as_bytes()))?;
    let session = shown
        .session_token
        .as_deref()
        .filter(|token| !token.is_empty())
        .ok_or_else(|| Error::new(Kind::Forbidden, "AccessDenied", "Sign with the token of a session beside the public key"))?;
    let (mut as_bearer, ()) = http::Request::new(()).into_parts();
    as_bearer.extensions = parts.extensions.clone();
    let bearer = HeaderValue::try_from(format!("Bearer {session}")).map_err(|error| unknown().with_source(error))?;
    as_bearer.headers.insert(header::AUTHORIZATION, bearer);
    for name in ["apikey", "x-company-id"] {
        if let Some(value) = parts.headers.get(name) {
            as_bearer.headers.insert(name, value.clone());
        }
    }
    let principal = storage.auth().authenticate(&as_bearer).await.map_err(|refusal| {
        Error::new(Kind::Forbidden, "InvalidToken", "The session token is not valid").with_source(refusal.for_data_api())
    })?;
    as_bearer.extensions.insert(principal.clone());
    // As every other caller of this interface is made.
    Caller::from_request_parts(&mut as_bearer, storage).await?;
    Ok((principal, key))
}

fn unknown() -> Error {
    Error::new(Kind::Forbidden, "InvalidAccessKeyId", "The access key is not known here")
}
