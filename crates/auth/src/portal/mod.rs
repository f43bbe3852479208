//! The portal of a company: its customers sign in by a link in a mail and see what is theirs.
//!
//! Invariant: a customer is no user. His session is a row that names company and customer, and what it opens the database reads from
//! there at every request; it ends when he, the portal of his or the company does. Whoever asks for a link learns nothing of who is a
//! customer: the answer is the same, the work is the same, and so are the limits.

mod config;
mod links;
mod queries;
mod sessions;

pub use config::PortalConfig;
use kernel::{Error, Kind, Result};
pub(crate) use links::{invite, otp};
pub(crate) use sessions::{follow, logout, session, verify};

use crate::Auth;

fn require_portal(auth: &Auth) -> Result<()> {
    if auth.config().portal.enabled {
        return Ok(());
    }
    Err(Error::new(Kind::Unprocessable, "portal_disabled", "This server has no portal for customers"))
}
