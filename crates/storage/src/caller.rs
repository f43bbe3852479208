//! Who asks for files, and what SQL may know of his request.

use axum::extract::FromRequestParts;
use http::request::Parts;
use kernel::{AnyCaller, Can, Error, Grant, RequestContext};
use uuid::Uuid;

/// Whoever asks. The policies decide what he reaches, so that no more is demanded of him than to be known.
#[derive(Clone, Debug)]
pub struct Caller {
    grant: Grant,
    context: RequestContext,
    owner: Option<Uuid>,
}

impl Caller {
    /// Makes a caller of a grant.
    pub fn of(grant: Grant, context: RequestContext) -> Self {
        let owner = grant.principal().user_id().map(|user| user.0);
        Self { grant, context, owner }
    }

    /// Writes objects as somebody's, who had a link signed.
    #[must_use]
    pub fn for_owner(mut self, owner: Option<Uuid>) -> Self {
        self.owner = owner;
        self
    }

    /// Returns what he was granted.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Returns what SQL may know of the request.
    pub fn context(&self) -> &RequestContext {
        &self.context
    }

    /// Returns whose an object is that he uploads.
    pub fn owner(&self) -> Option<Uuid> {
        self.owner
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let grant = Can::<AnyCaller>::from_request_parts(parts, state).await?.into_grant();
        Ok(Self::of(grant, parts.extensions.get::<RequestContext>().cloned().unwrap_or_default()))
    }
}
