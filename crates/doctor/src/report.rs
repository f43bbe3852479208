//! What came out: each check with its outcome, each finding with its evidence, and the score.
//!
//! Invariant: written as JSON it is what it was, and a reader of an earlier version's report refuses it rather than misreads it. A
//! check that could not be asked never counts as passed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::check::{Group, Lock, Severity};
use crate::facts::Facts;

/// The version of the JSON.
pub const FORMAT: u32 = 1;

/// Everything that one examination found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The version of this form.
    pub format: u32,
    /// When.
    pub made_at: Timestamp,
    /// Milliseconds that it took.
    pub took_ms: u64,
    /// Where.
    pub database: Facts,
    /// How many checks passed of those that could be asked.
    pub score: Score,
    /// The same by group.
    pub groups: Vec<GroupScore>,
    /// Each check.
    pub checks: Vec<Outcome>,
    /// Each finding, the worst first.
    pub findings: Vec<Finding>,
    /// Lines of the baseline that met nothing: mended, renamed, or misspelt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<String>,
}

/// So many of so many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Score {
    /// That are as they should be.
    pub passed: usize,
    /// That were looked at.
    pub of: usize,
    /// That could not be asked.
    pub skipped: usize,
}

/// The score of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GroupScore {
    /// Which.
    pub group: Group,
    /// Its score.
    #[serde(flatten)]
    pub score: Score,
}

/// What became of a check.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Which.
    pub code: String,
    /// What it belongs to.
    pub group: Group,
    /// What became of it.
    pub status: Status,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How many objects were looked at, where that is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<u64>,
    /// How many findings there are, also those that are not shown.
    pub findings: usize,
}

/// What can become of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing was found, or nothing that was not accepted.
    Passed,
    /// Something was found.
    Found,
    /// It could not be asked.
    Skipped,
}

/// Something that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// The check that found it.
    pub code: String,
    /// What it belongs to.
    pub group: Group,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about; the same from run to run.
    pub object: String,
    /// What is wrong.
    pub title: String,
    /// What was seen.
    pub evidence: String,
    /// What to do.
    pub remedy: String,
    /// What the change locks.
    pub lock: Lock,
    /// A change that mends it, as SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up: Option<String>,
    /// Its way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<String>,
    /// Why it is accepted, and until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
}

/// Why a finding does not count.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Accepted {
    /// Why.
    pub reason: String,
    /// The last day on which it does not count.
    pub expires: jiff::civil::Date,
}

impl Report {
    /// Returns what counts: findings that nobody accepted.
    pub fn counted(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.accepted.is_none())
    }

    /// Returns the worst that counts.
    pub fn worst(&self) -> Option<Severity> {
        self.counted().map(|finding| finding.severity).max()
    }

    /// Reads a report that was written as JSON.
    pub fn from_json(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Form {
            format: u32,
        }
        let Form { format } = serde_json::from_str(text).map_err(|cause| cause.to_string())?;
        if format != FORMAT {
            return Err(format!("it has the form {format}, and this program reads {FORMAT}"));
        }
        serde_json::from_str(text).map_err(|cause| cause.to_string())
    }

    /// Counts again, after findings were accepted.
    pub(crate) fn count(&mut self) {
        for outcome in &mut self.checks {
            if outcome.status == Status::Skipped {
                continue;
            }
            let mut shown = self.findings.iter().filter(|finding| finding.code == outcome.code).peekable();
            let is_good = outcome.findings == 0 || (shown.peek().is_some() && shown.all(|finding| finding.accepted.is_some()));
            outcome.status = if is_good { Status::Passed } else { Status::Found };
        }
        let score = |outcomes: &mut dyn Iterator<Item = &Outcome>| {
            outcomes.fold(Score::default(), |score, outcome| match outcome.status {
                Status::Passed => Score { passed: score.passed + 1, of: score.of + 1, ..score },
                Status::Found => Score { of: score.of + 1, ..score },
                Status::Skipped => Score { skipped: score.skipped + 1, ..score },
            })
        };
        self.score = score(&mut self.checks.iter());
        self.groups = Group::ALL
            .into_iter()
            .map(|group| GroupScore { group, score: score(&mut self.checks.iter().filter(|outcome| outcome.group == group)) })
            .filter(|group| group.score != Score::default())
            .collect();
        self.findings.sort_by(|one, other| {
            let rank = |finding: &Finding| (finding.accepted.is_some(), std::cmp::Reverse(finding.severity), finding.group);
            rank(one).cmp(&rank(other)).then_with(|| (&one.code, &one.object).cmp(&(&other.code, &other.object)))
        });
    }
}
