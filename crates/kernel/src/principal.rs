//! Who asks.
//!
//! Invariant: a [`Principal`] can be made only with the [`Authority`], which exists once in a process and is handed to the auth
//! layer and to the runners of background work, to nobody else.

use std::sync::Arc;

use crate::{CompanyId, Pass, SessionId, UserId};

/// The right to vouch for somebody. It has no public constructor but [`Authority::establish`], which the lint list allows only
/// where the process starts.
#[derive(Debug)]
pub struct Authority(());

impl Authority {
    /// Makes the process's authority. Called once, in `main`.
    pub fn establish() -> Arc<Self> {
        Arc::new(Self(()))
    }
}

/// How sure we are of a user: by one factor or by two.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum AssuranceLevel {
    /// One factor.
    #[default]
    One,
    /// Two factors.
    Two,
}

/// What sort of caller it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// Holds at most the public key.
    Anonymous,
    /// A person who signed in. `session_id` is absent in tokens that another issuer made.
    User {
        /// The person.
        user_id: UserId,
        /// The sign-in, which must still be live when the transaction opens.
        session_id: Option<SessionId>,
    },
    /// Holds the service key: a program of the operator.
    Service,
    /// Shows a pass of a company's: no user of ours, and of no other company.
    Pass(Pass),
    /// Runs as a role of a database that knows none of our users: a verified token named it, or it is the one for whoever has none.
    Role {
        /// The role, as PostgreSQL has it.
        name: Arc<str>,
        /// Whether it is the role of those without a token.
        is_anonymous: bool,
    },
    /// The server itself, which says why.
    System {
        /// Why the server works without a caller; written to the log.
        reason: &'static str,
    },
}

impl Subject {
    /// Returns the word for its sort.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User { .. } => "user",
            Self::Service => "service",
            Self::Pass(pass) => pass.kind.name(),
            Self::Role { .. } => "role",
            Self::System { .. } => "system",
        }
    }
}

/// Who asks, as the auth layer vouches for it. What a user may do in which company is not known here: the database says that
/// when the transaction opens, so that a right that was taken is gone at the very next request.
#[derive(Clone, Debug)]
pub struct Principal {
    subject: Subject,
    requested_company: Option<CompanyId>,
    claimed_company: Option<CompanyId>,
    assurance: AssuranceLevel,
    claims: Arc<str>,
}

impl Principal {
    /// Vouches for a caller. `claims` is the JSON object of the verified token, without space around it, as SQL will see it in
    /// `request.jwt.claims`.
    pub fn vouch(_: &Authority, subject: Subject, claims: impl Into<Arc<str>>) -> Self {
        Self { subject, requested_company: None, claimed_company: None, assurance: AssuranceLevel::One, claims: claims.into() }
    }

    /// Names the company for this one request, in place of the session's active one.
    #[must_use]
    pub fn in_company(mut self, company: Option<CompanyId>) -> Self {
        self.requested_company = company;
        self
    }

    /// States which company the verified token names.
    #[must_use]
    pub fn with_claimed_company(mut self, company: Option<CompanyId>) -> Self {
        self.claimed_company = company;
        self
    }

    /// States how the user proved who he is.
    #[must_use]
    pub fn with_assurance(mut self, assurance: AssuranceLevel) -> Self {
        self.assurance = assurance;
        self
    }

    /// Returns what sort of caller it is.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// Returns the user, if it is one.
    pub fn user_id(&self) -> Option<UserId> {
        match self.subject {
            Subject::User { user_id, .. } => Some(user_id),
            Subject::Anonymous | Subject::Service | Subject::Pass(_) | Subject::Role { .. } | Subject::System { .. } => None,
        }
    }

    /// Returns the session, if a user came with one.
    pub fn session_id(&self) -> Option<SessionId> {
        match self.subject {
            Subject::User { session_id, .. } => session_id,
            Subject::Anonymous | Subject::Service | Subject::Pass(_) | Subject::Role { .. } | Subject::System { .. } => None,
        }
    }

    /// Returns the company that this request named.
    pub fn requested_company(&self) -> Option<CompanyId> {
        self.requested_company
    }

    /// Returns the company that the verified token names, if it names one: good to count by, not to decide by.
    pub fn claimed_company(&self) -> Option<CompanyId> {
        self.claimed_company
    }

    /// Returns how the user proved who he is.
    pub fn assurance(&self) -> AssuranceLevel {
        self.assurance
    }

    /// Returns the verified claims as a JSON object.
    pub fn claims(&self) -> &Arc<str> {
        &self.claims
    }

    /// Returns the PostgreSQL role that a transaction of this caller runs as.
    pub fn database_role(&self) -> &str {
        match &self.subject {
            Subject::Anonymous => "anon",
            Subject::User { .. } => "authenticated",
            Subject::Service | Subject::System { .. } => "service_role",
            Subject::Pass(pass) => pass.kind.database_role(),
            Subject::Role { name, .. } => name,
        }
    }
}
