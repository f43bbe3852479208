//! Second factors: authenticator apps, security keys, telephones, mailboxes, and recovery codes for when one is lost.
//!
//! Invariant: a session becomes `aal2` only in the transaction that took a proof for good: a time step, a signature and a recovery code
//! are good once, and tries are counted before a code is compared. Whoever has a factor adds or removes one only from such a session.

mod challenge;
mod code;
mod enroll;
pub(crate) mod queries;
mod recovery;
mod security_key;
mod totp;

pub(crate) use challenge::{challenge, verify};
pub(crate) use enroll::{check_name, enroll, name_taken, unenroll};
use kernel::{Error, Kind, Result};
use postgres::Tx;
pub(crate) use recovery::{generate, regenerate, remove, status, verify as verify_recovery_code};
use uuid::Uuid;

use crate::Auth;
use crate::errors::{bad_request, session_not_found};
use crate::input::Caller;
use crate::sessions::queries::{Standing, standing};
use crate::sessions::{self, Lifetime};

/// Locks the caller's session and account, so that two requests of one user never both do what is good once. Nobody in particular has none.
async fn locked(tx: &Tx, auth: &Auth, caller: Caller) -> Result<Standing> {
    let standing = standing(tx, caller, Lifetime::of(auth)).await?.ok_or_else(session_not_found)?;
    if standing.is_anonymous {
        let message = "Anonymous user not allowed to perform these actions";
        return Err(Error::new(Kind::Forbidden, "no_authorization", message));
    }
    Ok(standing)
}

/// Reads the id of a factor in a path.
pub(crate) fn factor_id(text: &str) -> Result<Uuid> {
    let invalid = || Error::new(Kind::NotFound, "validation_failed", "factor_id must be an UUID");
    text.parse().map_err(|error: uuid::Error| invalid().with_source(error))
}

/// Refuses a code that nobody typed: it is no try.
fn check_typed(code: &str) -> Result<()> {
    if code.is_empty() { Err(bad_request("validation_failed", "Code needs to be non-empty")) } else { Ok(()) }
}

pub(crate) fn factor_not_found() -> Error {
    Error::new(Kind::NotFound, "mfa_factor_not_found", "Factor not found")
}

/// Raises the session after a factor was proved, and ends the user's sessions that nobody proved one for.
async fn raise(tx: Tx, auth: &Auth, caller: Caller, factor: Uuid, method: &'static str) -> Result<serde_json::Value> {
    let lifetime = Lifetime::of(auth);
    sessions::queries::raise(&tx, caller, factor, method, lifetime).await?;
    sessions::queries::revoke_unproved(&tx, caller.user_id, lifetime.now).await?;
    let answer = sessions::read(auth, &tx, caller.session()?, method).await?.answer(auth)?;
    tx.commit().await?;
    metrics::counter!("auth_factors_proved_total", "method" => method).increment(1);
    tracing::info!(user_id = %caller.user_id, factor_id = %factor, method, "proved a second factor");
    Ok(answer)
}
