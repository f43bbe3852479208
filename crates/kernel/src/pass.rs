//! What somebody shows who has no account here: an API key of a company, the session of one of its customers, or a link.
//!
//! Invariant: a pass says which row it is of and proves that with a digest; what it opens stands in that row alone, which the database
//! reads when the transaction opens, so that a pass that was taken back opens nothing from then on.

use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use crate::CompanyId;

/// What sort of pass it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PassKind {
    /// A program that works for a company, with what the key lists.
    ApiKey,
    /// A customer of a company in its portal, who sees what is his.
    Portal,
    /// Whoever has a link: one row, for one purpose.
    Link,
}

impl PassKind {
    /// Returns the word for it, in SQL and as `member_role`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Portal => "portal",
            Self::Link => "link",
        }
    }

    /// Returns the PostgreSQL role that it runs as.
    pub fn database_role(self) -> &'static str {
        match self {
            Self::ApiKey => "authenticated",
            Self::Portal | Self::Link => "guest",
        }
    }
}

/// A pass that was shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pass {
    /// What sort it is.
    pub kind: PassKind,
    /// The company that gave it.
    pub company_id: CompanyId,
    /// Its row.
    pub id: Uuid,
    /// The digest of its text, in hexadecimal.
    pub digest: Arc<str>,
    /// Where it was shown from.
    pub address: Option<IpAddr>,
}
