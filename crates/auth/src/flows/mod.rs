//! Sign-ins that end with a code, which the application that began them exchanges for a session (PKCE, RFC 7636).
//!
//! Invariant: a code is good once and for whoever has the verifier of its challenge. The database has only hashes of codes; a code that
//! was presented is gone, also when the verifier was wrong.

mod challenge;
mod grant;
pub(crate) mod queries;
pub(crate) mod trips;

pub(crate) use challenge::{Challenge, Method, s256};
pub(crate) use grant::by_code;
