//! Passkeys: keys on people's devices that sign them in without a password.
//!
//! Invariant: a passkey stands for the one account whose id it was made for and which its row names; a request for a signature is used
//! up by whatever comes for an answer. A session that a passkey opened is `aal1`: whoever has a second factor proves it as after a
//! password, and adds or removes passkeys only then.

mod manage;
mod queries;
mod register;
mod sign_in;

use kernel::{Error, Kind, Result};
pub(crate) use manage::{delete, list, rename};
use postgres::Tx;
pub(crate) use queries::{list as list_of, remove};
pub(crate) use register::{options as registration_options, verify as register};
use serde::Deserialize;
use serde_json::Value;
pub(crate) use sign_in::{options as sign_in_options, verify as sign_in};
use uuid::Uuid;

use self::queries::Owner;
use crate::Auth;
use crate::errors::{bad_request, session_not_found};
use crate::input::Caller;
use crate::sessions::Lifetime;
use crate::sessions::queries::standing;
use crate::webauthn::{Fault, Site};

/// What a device answered, and to what.
#[derive(Deserialize)]
pub(crate) struct Answer {
    #[serde(default)]
    challenge_id: String,
    #[serde(default, alias = "credential_response")]
    credential: Option<Value>,
}

/// Tells whether there are passkeys here.
pub(crate) fn are_enabled(auth: &Auth) -> bool {
    auth.config().webauthn.passkeys_enabled && auth.webauthn().is_some()
}

/// Returns whom passkeys are made for.
fn site(auth: &Auth) -> Result<&Site> {
    let disabled = || Error::new(Kind::NotFound, "passkey_disabled", "Passkeys are disabled");
    auth.webauthn().filter(|_| auth.config().webauthn.passkeys_enabled).ok_or_else(disabled)
}

/// Locks the caller's session and account, and refuses who has to prove a second factor first.
async fn locked(tx: &Tx, auth: &Auth, caller: Caller) -> Result<(Owner, String)> {
    let standing = standing(tx, caller, Lifetime::of(auth)).await?.ok_or_else(session_not_found)?;
    let owner = queries::owner(tx, caller.user_id).await?.ok_or_else(session_not_found)?;
    if owner.has_factor && !standing.proved {
        let message = "AAL2 session is required to manage passkeys when MFA is enabled";
        return Err(Error::new(Kind::Forbidden, "insufficient_aal", message));
    }
    Ok((owner, standing.account))
}

/// Uses up what was asked, of this user or of nobody.
async fn used(tx: &Tx, auth: &Auth, caller: Option<Caller>, id: &str) -> Result<Used> {
    if id.is_empty() {
        return Err(bad_request("validation_failed", "challenge_id is required"));
    }
    let invalid = |error: uuid::Error| bad_request("validation_failed", "challenge_id must be a valid UUID").with_source(error);
    let id: Uuid = id.parse().map_err(invalid)?;
    queries::answered(tx, id, caller.map(|caller| caller.user_id), auth.now()).await
}

/// What was asked.
enum Used {
    Ceremony(Value),
    Unknown,
    Expired,
}

impl Used {
    fn ceremony(self) -> Result<Value> {
        match self {
            Self::Ceremony(kept) => Ok(kept),
            Self::Unknown => Err(bad_request("webauthn_challenge_not_found", "Challenge not found or already used")),
            Self::Expired => Err(bad_request("webauthn_challenge_expired", "Challenge has expired")),
        }
    }
}

fn failed(fault: Fault) -> Error {
    bad_request("webauthn_verification_failed", "Credential verification failed").with_source(fault)
}

fn unreadable(error: serde_json::Error) -> Error {
    bad_request("webauthn_verification_failed", "Invalid credential response").with_source(error)
}

/// Says that there is no such passkey of this account.
pub(crate) fn not_found() -> Error {
    Error::new(Kind::NotFound, "validation_failed", "Passkey not found")
}

/// Reads the id of a passkey in a path.
pub(crate) fn passkey_id(text: &str) -> Result<Uuid> {
    text.parse().map_err(|error: uuid::Error| not_found().with_source(error))
}
