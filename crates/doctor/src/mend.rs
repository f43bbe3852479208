//! Changes that mend findings, as files of migrations; nobody applies them but who has read them.
//!
//! Invariant: a change is written only together with its way back. What cannot run in a transaction says so in its header.

use jiff::Timestamp;
use std::collections::BTreeMap;

use crate::check::Lock;
use crate::checks;
use crate::report::{Finding, Report};

/// One file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// Returns the files that mend what counts and can be mended by SQL: two for each check, up and down.
pub fn changes(report: &Report, now: Timestamp) -> Vec<Change> {
    let mut by_check: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in report.counted().filter(|finding| finding.up.is_some() && finding.down.is_some()) {
        by_check.entry(&finding.code).or_default().push(finding);
    }
    let mut files = Vec::new();
    let ours = report.database.kind == "thorbis";
    let worst = |findings: &[&Finding]| std::cmp::Reverse(findings.iter().map(|finding| finding.severity).max());
    let mut ordered: Vec<_> = by_check.into_iter().collect();
    ordered.sort_by_key(|(_, findings)| worst(findings));
    let mut at = now;
    for (code, findings) in ordered {
        let version = at.strftime("%Y%m%d%H%M%S").to_string();
        at = at.checked_add(jiff::SignedDuration::from_secs(1)).unwrap_or(at);
        for (direction, is_up) in [("up", true), ("down", false)] {
            let name = format!("{version}_mend_{code}.{direction}.sql");
            files.push(Change { name, text: text(code, &findings, now, Direction { is_up, ours }) });
        }
    }
    files
}

#[derive(Clone, Copy)]
struct Direction {
    is_up: bool,
    ours: bool,
}

fn text(code: &str, findings: &[&Finding], now: Timestamp, direction: Direction) -> String {
    let mut text = String::new();
    let title = checks::find(code).map_or(code, |check| check.title);
    let lock = findings.first().map(|finding| finding.lock).unwrap_or_default();
    let mut head = |line: String| {
        text.extend([format!("-- {line}\n")]);
    };
    if direction.ours {
        head(format!("description: mend {code}: {title}"));
        head("author: thorbis doctor".to_owned());
        head(format!("date: {}", now.strftime("%Y-%m-%d")));
        head("depends: none".to_owned());
        head(format!("rollback: {code} is there again"));
    } else {
        head(format!("{code}: {title}{}", if direction.is_up { "" } else { "; the way back" }));
    }
    head(format!("it locks: {}", lock.sentence()));
    if lock == Lock::Concurrent {
        head("transaction: none".to_owned());
    }
    let mut written: Vec<&str> = Vec::new();
    let ordered: Vec<&&Finding> = if direction.is_up { findings.iter().collect() } else { findings.iter().rev().collect() };
    for finding in ordered {
        let sql = if direction.is_up { &finding.up } else { &finding.down };
        let Some(sql) = sql.as_deref() else { continue };
        if written.contains(&sql) {
            continue;
        }
        written.push(sql);
        text.extend([format!("\n-- {}: {}\n{sql}\n", one_line(&finding.object), one_line(&finding.evidence))]);
    }
    text
}

/// What is said of an object cannot end its comment.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::changes;
    use crate::formats::tests::report;

    #[test]
    fn each_check_gets_a_way_and_a_way_back_the_worst_first() {
        let now = "2027-01-02T03:04:05Z".parse().unwrap();
        let files = changes(&report(), now);
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "20270102030405_mend_row_security_off.up.sql",
                "20270102030405_mend_row_security_off.down.sql",
                "20270102030406_mend_key_without_index.up.sql",
                "20270102030406_mend_key_without_index.down.sql",
            ]
        );
        let up = "-- row_security_off: callers reach the table, and row security is off\n-- it locks: the table is locked for a moment; \
                  set lock_timeout\n\n-- public.open: anon may select drop table jobs;\nalter table public.open enable row level security;\n";
        assert_eq!(files[0].text, up);
        assert!(files[2].text.contains("-- transaction: none\n"), "{}", files[2].text);
        let mut of_ours = report();
        of_ours.database.kind = "thorbis".to_owned();
        let ours = &changes(&of_ours, now)[1].text;
        assert!(ours.starts_with("-- description: mend row_security_off: "), "{ours}");
        assert!(ours.contains("\n-- date: 2027-01-02\n-- depends: none\n-- rollback: row_security_off is there again\n"), "{ours}");
    }
}
