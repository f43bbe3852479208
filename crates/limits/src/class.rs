//! Classes of requests. Each has its own buckets.

use std::fmt;
use std::str::FromStr;

/// What sort of request it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// Somebody reads.
    Read,
    /// Somebody writes, or calls a function.
    Write,
    /// Somebody without a token asks, or one whose token is not good.
    Public,
    /// Somebody tries to get in, or to have others let in: sign-in, links and codes, passwords, invitations, links to pay by.
    Strict,
    /// An agent is set to work.
    AiAgentExecution,
    /// A report is made.
    ReportGeneration,
    /// Rows are looked for that are near a vector.
    VectorSearch,
    /// Rows leave as a file.
    Export,
    /// A program of the operator asks, with the service key.
    Service,
}

impl Class {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::Write,
        Self::Public,
        Self::Strict,
        Self::AiAgentExecution,
        Self::ReportGeneration,
        Self::VectorSearch,
        Self::Export,
        Self::Service,
    ];

    /// Returns the word that names it in settings, rules, headers and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Public => "public",
            Self::Strict => "strict",
            Self::AiAgentExecution => "ai_agent_execution",
            Self::ReportGeneration => "report_generation",
            Self::VectorSearch => "vector_search",
            Self::Export => "export",
            Self::Service => "service",
        }
    }

    /// Tells whether it is something that is done beside reading or writing, and is counted beside it.
    pub const fn is_operation(self) -> bool {
        matches!(self, Self::AiAgentExecution | Self::ReportGeneration | Self::VectorSearch | Self::Export)
    }

    /// Returns its place in [`Self::ALL`].
    pub(crate) fn number(self) -> usize {
        Self::ALL.iter().position(|class| *class == self).unwrap_or_default()
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Class {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|class| class.name() == text).ok_or(())
    }
}
