//! Every check there is, by what it looks at.
//!
//! Invariant: a code is there once, and never means anything else than it did.

mod access;
mod activity;
mod functions;
mod indexes;
mod model;
mod policy_cost;
mod row_security;
mod safety;
mod secrets;
mod server;
mod tables;
mod tenants;

use crate::check::Check;

/// Returns all checks in the order of reports.
pub fn all() -> impl Iterator<Item = &'static Check> {
    [
        row_security::CHECKS,
        access::CHECKS,
        functions::CHECKS,
        tenants::CHECKS,
        secrets::CHECKS,
        policy_cost::CHECKS,
        indexes::CHECKS,
        tables::CHECKS,
        model::CHECKS,
        activity::CHECKS,
        server::CHECKS,
        safety::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// Returns the check of a code.
pub fn find(code: &str) -> Option<&'static Check> {
    all().find(|check| check.code == code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::all;
    use crate::check::{Group, Text};

    #[test]
    fn codes_are_there_once_and_groups_in_order() {
        let codes: BTreeSet<_> = all().map(|check| check.code).collect();
        assert_eq!(codes.len(), all().count());
        assert!(codes.iter().all(|code| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')));
        let groups: Vec<Group> = all().map(|check| check.group).collect();
        assert!(groups.is_sorted(), "{groups:?}");
    }

    #[test]
    fn a_version_is_not_asked_for_what_it_does_not_know() {
        // The first major version that knows each.
        for (word, since) in [("prosqlbody", 14), ("archive_library", 15), ("security_invoker = on", 15)] {
            for major in 13..=18 {
                let asking: Vec<_> =
                    all().filter(|check| check.sql.of(major).is_some_and(|sql| sql.contains(word))).map(|check| check.code).collect();
                assert_eq!(asking.is_empty(), major < since, "{word} in {major}: {asking:?}");
            }
        }
    }

    #[test]
    fn every_check_says_what_it_means_and_asks_for_every_version() {
        for check in all() {
            for text in [check.title, check.why, check.remedy] {
                assert!(!text.is_empty(), "{}", check.code);
            }
            assert!((13..=18).all(|major| check.sql.of(major).is_some()), "{}", check.code);
            if let Text::From(texts) = check.sql {
                assert!(texts.is_sorted_by_key(|(from, _)| *from), "{}", check.code);
            }
        }
    }
}
