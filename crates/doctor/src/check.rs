//! What a check is: a question in SQL, what it needs to be asked, and what it means when the database answers with a row.
//!
//! Invariant: a row of the answer is a finding, with the columns `object` and `evidence`, and where they differ from the check's own
//! `severity`, and where there is a safe one a change `up` and its way back `down`. A row with `skipped` says why nothing can be said.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, or better otherwise.
    Low,
    /// It will hurt.
    Medium,
    /// It hurts, or lets somebody do what he should not.
    High,
    /// Data is open, lost or about to be.
    Critical,
}

impl Severity {
    /// From the least to the worst.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.word() == word)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What a check looks at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Row security and its policies.
    RowSecurity,
    /// Who may reach what.
    Access,
    /// Functions that work with the rights of others, and what else they promise.
    Functions,
    /// Companies that share tables.
    Tenants,
    /// Secrets and personal data.
    Secrets,
    /// What policies cost.
    PolicyCost,
    /// Indexes.
    Indexes,
    /// Tables and their upkeep.
    Tables,
    /// Types, keys and what the model promises.
    Model,
    /// What happens at this moment.
    Activity,
    /// How the server is set.
    Server,
    /// Copies, logs of changes, and backups.
    Safety,
}

impl Group {
    /// In the order of reports.
    pub const ALL: [Self; 12] = [
        Self::RowSecurity,
        Self::Access,
        Self::Functions,
        Self::Tenants,
        Self::Secrets,
        Self::PolicyCost,
        Self::Indexes,
        Self::Tables,
        Self::Model,
        Self::Activity,
        Self::Server,
        Self::Safety,
    ];

    /// Returns its name as it is written in reports and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::RowSecurity => "row_security",
            Self::Access => "access",
            Self::Functions => "functions",
            Self::Tenants => "tenants",
            Self::Secrets => "secrets",
            Self::PolicyCost => "policy_cost",
            Self::Indexes => "indexes",
            Self::Tables => "tables",
            Self::Model => "model",
            Self::Activity => "activity",
            Self::Server => "server",
            Self::Safety => "safety",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What must be there for a check to say anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// The rights of `pg_monitor`: without them the sessions of others look idle, and lags and hidden settings empty.
    Monitor,
    /// The rights of a superuser.
    Superuser,
    /// Figures about the values of every column: `pg_read_all_data`, or a superuser.
    Statistics,
    /// An extension.
    Extension(&'static str),
    /// A version, as its major number.
    Version(u32),
    /// A plain table with these columns that the login may read.
    Table(&'static str),
    /// Roles that callers of an API work as.
    ApiRoles,
    /// A column that tells companies apart.
    Tenants,
    /// A server that is not a copy of another.
    Primary,
}

/// What a change does to whoever works at that time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// Nothing waits, or there is no change to apply.
    #[default]
    None,
    /// Everything waits for a moment, and for the transactions that run.
    Brief,
    /// Everything that writes waits while the table is read.
    Scan,
    /// Nothing waits, and it takes long; it cannot run in a transaction.
    Concurrent,
}

impl Lock {
    /// Returns what it means, as a sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::None => "nothing waits",
            Self::Brief => "the table is locked for a moment; set lock_timeout",
            Self::Scan => "the table is locked while its rows are read",
            Self::Concurrent => "nothing waits, but it takes long and cannot run in a transaction",
        }
    }
}

/// The text of a check.
#[derive(Clone, Copy, Debug)]
pub enum Text {
    /// The same for every version.
    Any(&'static str),
    /// From a major version on, the oldest first.
    From(&'static [(u32, &'static str)]),
}

impl Text {
    /// Returns the text for a major version; none for one that is older than the first.
    pub fn of(&self, major: u32) -> Option<&'static str> {
        match self {
            Self::Any(text) => Some(text),
            Self::From(texts) => texts.iter().rev().find(|(from, _)| *from <= major).map(|(_, text)| *text),
        }
    }
}

/// A question to a database.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its stable name.
    pub code: &'static str,
    /// What it belongs to.
    pub group: Group,
    /// How bad a finding is, unless its row says otherwise.
    pub severity: Severity,
    /// What a finding says of its object.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    /// What applying the change locks.
    pub lock: Lock,
    /// The lints of Supabase's splinter that ask the same.
    pub lints: &'static [&'static str],
    /// What it needs.
    pub needs: &'static [Need],
    /// The statement behind `scope.sql`: a select, perhaps after more expressions of its WITH.
    pub sql: Text,
    /// Counts what was looked at, where a share says more than a number.
    pub of: Option<&'static str>,
}

impl Check {
    /// What most checks have in common.
    pub(crate) const PLAIN: Self = Self {
        code: "",
        group: Group::RowSecurity,
        severity: Severity::Low,
        title: "",
        why: "",
        remedy: "",
        lock: Lock::None,
        lints: &[],
        needs: &[],
        sql: Text::Any(""),
        of: None,
    };
}

#[cfg(test)]
mod tests {
    use super::{Severity, Text};

    #[test]
    fn a_version_gets_the_newest_text_that_it_knows() {
        let text = Text::From(&[(13, "old"), (16, "new")]);
        let chosen: Vec<_> = [12, 13, 15, 16, 18].into_iter().map(|major| text.of(major)).collect();
        assert_eq!(chosen, [None, Some("old"), Some("old"), Some("new"), Some("new")]);
        assert_eq!(Text::Any("same").of(13), Some("same"));
    }

    #[test]
    fn severities_are_ordered_and_have_words() {
        assert!(Severity::Low < Severity::Medium && Severity::High < Severity::Critical);
        assert_eq!(Severity::from_word("high"), Some(Severity::High));
        assert_eq!(Severity::from_word("High"), None);
    }
}
