//! What is otherwise than in an earlier report.
//!
//! Invariant: a finding is the same as another one by its code and object. What was not asked in both runs is in no difference.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::check::Severity;
use crate::report::{Finding, Report, Status};

/// The difference between two reports.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Diff {
    /// What was not there before.
    pub new: Vec<Finding>,
    /// What is gone.
    pub gone: Vec<Finding>,
    /// What is better or worse than before.
    pub changed: Vec<Changed>,
}

/// A finding whose severity is another one now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Changed {
    /// The check.
    pub code: String,
    /// Of what.
    pub object: String,
    /// What it was.
    pub from: Severity,
    /// What it is.
    pub to: Severity,
}

impl Diff {
    /// Compares a report with an earlier one.
    pub fn between(earlier: &Report, later: &Report) -> Self {
        let was_asked =
            |report: &Report, code: &str| report.checks.iter().any(|outcome| outcome.code == code && outcome.status != Status::Skipped);
        let (before, now) = (by_name(earlier), by_name(later));
        let mut diff = Self::default();
        for (name, finding) in &now {
            match before.get(name) {
                None if was_asked(earlier, name.0) => diff.new.push((*finding).clone()),
                Some(old) if old.severity != finding.severity => diff.changed.push(Changed {
                    code: finding.code.clone(),
                    object: finding.object.clone(),
                    from: old.severity,
                    to: finding.severity,
                }),
                None | Some(_) => {}
            }
        }
        let is_gone = |name: &(&str, &str)| !now.contains_key(name) && was_asked(later, name.0);
        diff.gone = before.iter().filter(|(name, _)| is_gone(name)).map(|(_, finding)| (*finding).clone()).collect();
        diff
    }
}

fn by_name(report: &Report) -> BTreeMap<(&str, &str), &Finding> {
    report.findings.iter().map(|finding| ((finding.code.as_str(), finding.object.as_str()), finding)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Changed, Diff};
    use crate::check::Severity;
    use crate::formats::tests::report;
    use crate::report::Status;

    #[test]
    fn what_came_went_and_changed_is_told() {
        let earlier = report();
        let mut later = report();
        later.findings.remove(0);
        later.findings[0].severity = Severity::High;
        let mut new = later.findings[0].clone();
        new.object = "public.new".to_owned();
        later.findings.push(new);
        let diff = Diff::between(&earlier, &later);
        let objects = |findings: &[crate::report::Finding]| findings.iter().map(|finding| finding.object.clone()).collect::<Vec<_>>();
        assert_eq!(objects(&diff.new), ["public.new"]);
        assert_eq!(objects(&diff.gone), ["public.open"]);
        let code = "key_without_index".to_owned();
        assert_eq!(diff.changed, [Changed { code, object: "public.jobs".to_owned(), from: Severity::Low, to: Severity::High }]);
        assert_eq!(Diff::between(&earlier, &earlier), Diff::default());
    }

    #[test]
    fn what_was_not_asked_is_neither_new_nor_gone() {
        let mut blind = report();
        blind.findings.clear();
        for outcome in &mut blind.checks {
            outcome.status = Status::Skipped;
        }
        assert_eq!(Diff::between(&blind, &report()), Diff::default());
        assert_eq!(Diff::between(&report(), &blind), Diff::default());
    }
}
