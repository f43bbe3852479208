//! Why a certificate was not ordered, with a code that stays.
//!
//! Invariant: says what the directory said, and no key of ours.

use jiff::{SignedDuration, Timestamp};

use crate::start::FolderError;

/// What ends the type of a problem that waiting solves.
const LIMITED: &str = ":rateLimited";
/// What ends the type of a problem with an account that the directory does not know any more.
const UNKNOWN_ACCOUNT: &str = ":accountDoesNotExist";

/// Why a certificate was not ordered.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// The file of authorities cannot be used.
    #[error("{} holds no authorities that the directory could be checked against (acme_ca_file_invalid): {reason}", file.display())]
    Authorities {
        /// The file.
        file: std::path::PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no folder to keep what is ordered.
    #[error(
        "tls.acme.domains needs a data folder, and this service has none (acme_needs_data_folder); set tls.certificate_file and tls.key_file"
    )]
    NoFolder,
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// What was stored is damaged.
    #[error("what was stored cannot be used (acme_stored_invalid): {0}")]
    Stored(String),
    /// No answer, or one that is none of ACME.
    #[error("the directory does not answer as one (acme_directory_unreachable): {reason}")]
    Unreachable {
        /// What broke.
        reason: String,
        /// When it wants to be asked again.
        retry_at: Option<Timestamp>,
    },
    /// The directory was asked too often.
    #[error("the directory was asked too often (acme_rate_limited): {reason}")]
    Limited {
        /// What it says.
        reason: String,
        /// When it wants to be asked again.
        retry_at: Option<Timestamp>,
    },
    /// The directory refuses.
    #[error("the directory refuses (acme_refused): {0}")]
    Refused(String),
    /// The directory does not know the account any more.
    #[error("the directory does not know the account any more (acme_account_unknown): {0}")]
    Account(String),
    /// The directory looked at the server and did not find what it should.
    #[error(
        "the directory could not validate {domain} (acme_challenge_failed): {reason}; it connects to port 443 of this name, which has to reach this server"
    )]
    Challenge {
        /// The name that it looked at.
        domain: String,
        /// What it says.
        reason: String,
    },
    /// The order was not over in time.
    #[error("the order was not over within tls.acme.order_time_s (acme_order_late)")]
    Late,
    /// What came cannot be served.
    #[error("the certificate that the directory gave cannot be used (acme_certificate_unusable): {0}")]
    Unusable(String),
}

impl AcmeError {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Authorities { .. } => "acme_ca_file_invalid",
            Self::NoFolder => "acme_needs_data_folder",
            Self::Folder(_) => "data_directory_unusable",
            Self::Stored(_) => "acme_stored_invalid",
            Self::Unreachable { .. } => "acme_directory_unreachable",
            Self::Limited { .. } => "acme_rate_limited",
            Self::Refused(_) => "acme_refused",
            Self::Account(_) => "acme_account_unknown",
            Self::Challenge { .. } => "acme_challenge_failed",
            Self::Late => "acme_order_late",
            Self::Unusable(_) => "acme_certificate_unusable",
        }
    }

    /// Returns when the directory wants to be asked again, if it said so.
    pub(super) fn retry_at(&self, now: Timestamp) -> Option<Timestamp> {
        /// An authority that counts by the hour and does not say when it is over.
        const UNTOLD: SignedDuration = SignedDuration::from_hours(1);
        match self {
            Self::Limited { retry_at, .. } => Some(retry_at.unwrap_or_else(|| now.saturating_add(UNTOLD).unwrap_or(now))),
            Self::Unreachable { retry_at, .. } => *retry_at,
            _ => None,
        }
    }

    /// Takes what the library says, with the time that the directory named beside it.
    pub(super) fn of(error: instant_acme::Error, retry_at: Option<Timestamp>) -> Self {
        match error {
            instant_acme::Error::Api(problem) => {
                let (sort, reason) = (problem.r#type.clone().unwrap_or_default(), problem.to_string());
                if sort.ends_with(LIMITED) {
                    Self::Limited { reason, retry_at }
                } else if sort.ends_with(UNKNOWN_ACCOUNT) {
                    Self::Account(reason)
                } else if problem.status.is_some_and(|status| status >= 500) {
                    Self::Unreachable { reason, retry_at }
                } else {
                    Self::Refused(reason)
                }
            }
            instant_acme::Error::Timeout(_) => Self::Late,
            other => Self::Unreachable { reason: with_causes(&other), retry_at },
        }
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}
