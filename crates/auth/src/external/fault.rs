//! What can go wrong between a provider and us.
//!
//! Invariant: nothing of a token, a code or a secret stands in what is logged or answered.

/// What went wrong.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The provider did not do what it should: for the log.
    #[error("the provider: {0}")]
    Provider(String),
    /// An ID token is not good: why.
    #[error("the ID token: {0}")]
    Token(&'static str),
}

impl Fault {
    /// Notes a failure of another library.
    pub(crate) fn broken(error: &dyn std::fmt::Display) -> Self {
        Self::Provider(error.to_string())
    }
}
