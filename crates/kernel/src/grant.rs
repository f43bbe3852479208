//! A principal together with what it asks to be allowed.
//!
//! Invariant: a [`Grant`] comes only from [`Principal::require`] (or, for work without a caller, [`Grant::system`]). What can be
//! decided without the database is decided here; a member's permission travels as a demand that the opening statement of the
//! transaction checks, so that there is no moment between the check and the work.

use std::marker::PhantomData;

use axum_core::extract::FromRequestParts;
use http::request::Parts;

use crate::{Authority, CompanyId, Error, Kind, Principal, Result, Subject};

/// What a handler demands of its caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Demand {
    /// Anybody, also with the public key alone: the database's policies decide.
    Anybody,
    /// A signed-in user (or the service key); a pass signs nobody in.
    SignedIn,
    /// The service key.
    Service,
    /// A member of the active company, or a pass of it, who holds this permission in some scope (or the service key).
    Permission(&'static str),
}

/// A capability as a type, so that a handler's signature states it: `who: Can<SignedIn>`.
pub trait Capability: Send + Sync + 'static {
    /// What is demanded.
    const DEMAND: Demand;
}

/// The capability that everybody has.
#[derive(Debug)]
pub struct AnyCaller;
/// The capability of signed-in users.
#[derive(Debug)]
pub struct SignedIn;
/// The capability of the service key.
#[derive(Debug)]
pub struct ServiceOnly;

impl Capability for AnyCaller {
    const DEMAND: Demand = Demand::Anybody;
}
impl Capability for SignedIn {
    const DEMAND: Demand = Demand::SignedIn;
}
impl Capability for ServiceOnly {
    const DEMAND: Demand = Demand::Service;
}

/// A principal whose demand was checked as far as that goes without the database. The only key to a transaction.
#[derive(Clone, Debug)]
pub struct Grant {
    principal: Principal,
    permission: Option<&'static str>,
    company_required: bool,
}

impl Principal {
    /// Turns the principal into a grant, or says why not: 401 for the anonymous, 403 for users without the right.
    pub fn require<C: Capability>(self) -> Result<Grant> {
        let permission = match (C::DEMAND, self.subject()) {
            (Demand::Anybody, _) | (_, Subject::Service | Subject::System { .. }) | (Demand::SignedIn, Subject::User { .. }) => None,
            (Demand::Permission(name), Subject::User { .. } | Subject::Pass(_)) => Some(name),
            (Demand::Service, Subject::User { .. } | Subject::Pass(_)) => {
                return Err(Error::new(Kind::Forbidden, "service_key_required", "This needs the service key"));
            }
            (Demand::SignedIn | Demand::Service | Demand::Permission(_), Subject::Anonymous | Subject::Role { .. })
            | (Demand::SignedIn, Subject::Pass(_)) => {
                return Err(Error::new(Kind::Unauthenticated, "not_signed_in", "Sign in first"));
            }
        };
        Ok(Grant { company_required: permission.is_some(), principal: self, permission })
    }
}

impl Grant {
    /// Grants the server itself what a service key has. The reason is logged with every statement that fails.
    pub fn system(authority: &Authority, company: Option<CompanyId>, reason: &'static str) -> Self {
        let principal = Principal::vouch(authority, Subject::System { reason }, "{}").in_company(company);
        Self { principal, permission: None, company_required: false }
    }

    /// Refuses the transaction with `company_required` where no company is active: for writes into a company's tables.
    #[must_use]
    pub fn needing_company(mut self) -> Self {
        self.company_required = true;
        self
    }

    /// Returns who asks.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Returns the permission that the opening statement must find with the member.
    pub fn permission(&self) -> Option<&'static str> {
        self.permission
    }

    /// Tells whether the opening statement must refuse a user without an active company.
    pub fn company_required(&self) -> bool {
        self.company_required && !matches!(self.principal.subject(), Subject::Service | Subject::Role { .. } | Subject::System { .. })
    }
}

/// The extractor form of a grant. Fails closed: a route that the auth layer does not cover answers 401.
#[derive(Debug)]
pub struct Can<C> {
    grant: Grant,
    capability: PhantomData<fn() -> C>,
}

impl<C> Can<C> {
    /// Returns the grant.
    pub fn into_grant(self) -> Grant {
        self.grant
    }

    /// Returns the grant by reference.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }
}

impl<S: Send + Sync, C: Capability> FromRequestParts<S> for Can<C> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let principal = parts.extensions.get::<Principal>().cloned();
        let principal = principal.ok_or_else(|| Error::new(Kind::Unauthenticated, "not_signed_in", "Sign in first"))?;
        Ok(Self { grant: principal.require::<C>()?, capability: PhantomData })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests are where a process starts")]
    use super::*;
    use crate::{PassKind, UserId};

    struct ReadJobs;
    impl Capability for ReadJobs {
        const DEMAND: Demand = Demand::Permission("jobs:read");
    }

    fn somebody(subject: Subject) -> Principal {
        Principal::vouch(&Authority::establish(), subject, "{}")
    }

    fn user() -> Principal {
        somebody(Subject::User { user_id: UserId::new_v7(), session_id: None })
    }

    #[test]
    fn the_anonymous_get_only_what_anybody_gets() {
        assert!(somebody(Subject::Anonymous).require::<AnyCaller>().is_ok());
        for refused in [
            somebody(Subject::Anonymous).require::<SignedIn>(),
            somebody(Subject::Anonymous).require::<ServiceOnly>(),
            somebody(Subject::Anonymous).require::<ReadJobs>(),
            somebody(Subject::Role { name: "author".into(), is_anonymous: false }).require::<SignedIn>(),
        ] {
            assert_eq!(refused.unwrap_err().status(), 401);
        }
    }

    #[test]
    fn a_users_permission_is_left_to_the_database() {
        let grant = user().require::<ReadJobs>().unwrap();
        assert_eq!(grant.permission(), Some("jobs:read"));
        assert!(grant.company_required());
        assert_eq!(user().require::<ServiceOnly>().unwrap_err().status(), 403);
    }

    #[test]
    fn a_pass_signs_nobody_in_and_has_its_permission_looked_up() {
        let pass = |kind| {
            let (company_id, id) = (CompanyId(uuid::Uuid::now_v7()), uuid::Uuid::now_v7());
            somebody(Subject::Pass(crate::Pass { kind, company_id, id, digest: "d".into(), address: None }))
        };
        let key = || pass(PassKind::ApiKey);
        assert_eq!((key().user_id(), key().database_role()), (None, "authenticated"));
        assert_eq!(key().require::<ReadJobs>().unwrap().permission(), Some("jobs:read"));
        assert_eq!(key().require::<SignedIn>().unwrap_err().status(), 401);
        assert_eq!(key().require::<ServiceOnly>().unwrap_err().status(), 403);
    }

    #[test]
    fn the_service_key_needs_neither_company_nor_permission() {
        let grant = somebody(Subject::Service).require::<ReadJobs>().unwrap().needing_company();
        assert_eq!(grant.permission(), None);
        assert!(!grant.company_required());
    }

    #[tokio::test]
    async fn a_route_without_the_auth_layer_fails_closed() {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        let refused = Can::<AnyCaller>::from_request_parts(&mut parts, &()).await;
        assert_eq!(refused.unwrap_err().status(), 401);
    }
}
