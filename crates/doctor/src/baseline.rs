//! What is accepted: findings that do not count for a while, each with the reason and a last day.
//!
//! Invariant: an accepted finding counts again on the day after its last one, and a line that meets nothing is named.

use jiff::civil::Date;
use serde::Deserialize;

use crate::checks;
use crate::report::{Accepted, Report, Status};

/// A baseline, read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    #[serde(default)]
    accept: Vec<Accept>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Accept {
    code: String,
    object: String,
    reason: String,
    expires: String,
}

/// Why a baseline cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BaselineFault {
    /// It is not what it should be.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// There is no such check.
    #[error("there is no check {0}")]
    Code(String),
    /// It says no reason.
    #[error("{0} is accepted without a reason")]
    Reason(String),
    /// It is no day.
    #[error("{object} expires on {expires:?}, which is no day such as 2027-03-31")]
    Expires {
        /// Of what.
        object: String,
        /// What it says.
        expires: String,
    },
}

impl Baseline {
    /// Reads a baseline in TOML.
    pub fn parse(text: &str) -> Result<Self, BaselineFault> {
        let this: Self = toml::from_str(text).map_err(|cause| BaselineFault::Unreadable(cause.message().to_owned()))?;
        for accept in &this.accept {
            if checks::find(&accept.code).is_none() {
                return Err(BaselineFault::Code(accept.code.clone()));
            }
            if accept.reason.trim().is_empty() {
                return Err(BaselineFault::Reason(accept.object.clone()));
            }
            accept.day()?;
        }
        Ok(this)
    }

    /// Marks what is accepted on a day, and says which lines met nothing.
    pub fn apply(&self, report: &mut Report, today: Date) -> Result<(), BaselineFault> {
        for accept in &self.accept {
            let expires = accept.day()?;
            let mut has_met = false;
            for finding in report.findings.iter_mut().filter(|finding| accept.meets(&finding.code, &finding.object)) {
                has_met = true;
                if today <= expires {
                    finding.accepted = Some(Accepted { reason: accept.reason.clone(), expires });
                }
            }
            let was_asked = report.checks.iter().any(|outcome| outcome.code == accept.code && outcome.status != Status::Skipped);
            if !has_met && was_asked {
                report.unmet.push(format!("{} {}", accept.code, accept.object));
            }
        }
        report.count();
        Ok(())
    }
}

impl Accept {
    /// A star at the end stands for whatever follows.
    fn meets(&self, code: &str, object: &str) -> bool {
        self.code == code && self.object.strip_suffix('*').map_or(self.object == object, |begin| object.starts_with(begin))
    }

    fn day(&self) -> Result<Date, BaselineFault> {
        self.expires
            .parse()
            .map_err(|_no_day: jiff::Error| BaselineFault::Expires { object: self.object.clone(), expires: self.expires.clone() })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{Baseline, BaselineFault};
    use crate::check::Severity;
    use crate::formats::tests::report;

    const GOOD: &str = r#"
        [[accept]]
        code = "row_security_off"
        object = "public.open"
        reason = "a list of countries"
        expires = "2027-03-31"

        [[accept]]
        code = "key_without_index"
        object = "public.old_*"
        reason = "goes with the next release"
        expires = "2027-03-31"
    "#;

    #[test]
    fn what_is_accepted_does_not_count_until_its_day_is_over() {
        let baseline = Baseline::parse(GOOD).unwrap();
        let mut on_the_day = report();
        baseline.apply(&mut on_the_day, date(2027, 3, 31)).unwrap();
        assert_eq!(on_the_day.worst(), Some(Severity::Low));
        assert_eq!(on_the_day.score.passed, report().score.passed + 1);
        assert_eq!(on_the_day.unmet, ["key_without_index public.old_*"]);
        let mut after = report();
        baseline.apply(&mut after, date(2027, 4, 1)).unwrap();
        assert_eq!(after.worst(), Some(Severity::Critical));
        assert_eq!(after.score, report().score);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let line = |code: &str, reason: &str, expires: &str| {
            format!("[[accept]]\ncode = \"{code}\"\nobject = \"o\"\nreason = \"{reason}\"\nexpires = \"{expires}\"\n")
        };
        let fault = |text: &str| Baseline::parse(text).unwrap_err();
        assert_eq!(fault(&line("rls_off", "why", "2027-01-01")), BaselineFault::Code("rls_off".to_owned()));
        assert_eq!(fault(&line("row_security_off", " ", "2027-01-01")), BaselineFault::Reason("o".to_owned()));
        assert!(matches!(fault(&line("row_security_off", "why", "soon")), BaselineFault::Expires { .. }));
        assert!(matches!(fault("[[accept]]\ncode = \"row_security_off\"\n"), BaselineFault::Unreadable(_)));
        assert!(matches!(fault("[[accepted]]\n"), BaselineFault::Unreadable(_)));
    }
}
