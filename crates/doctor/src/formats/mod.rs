//! How a report is written.
//!
//! Invariant: what the database says of itself cannot steer a terminal, end a table's cell or add markup.

mod markdown;
mod sarif;
mod text;

use serde_json::{Value, json};

use crate::diff::Diff;
use crate::report::Report;

/// The forms that there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For people at a terminal, with colours or without.
    Text {
        /// With colours.
        colours: bool,
    },
    /// For programs: the report as it is.
    Json,
    /// For tools that show findings of many checkers.
    Sarif,
    /// For an issue or a page.
    Markdown,
}

/// Writes a report, and its difference to an earlier one where there is one.
pub fn write(report: &Report, diff: Option<&Diff>, format: Format) -> String {
    match format {
        Format::Text { colours } => text::write(report, diff, colours),
        Format::Json => pretty(&as_json(report, diff)),
        Format::Sarif => pretty(&sarif::write(report)),
        Format::Markdown => markdown::write(report, diff),
    }
}

fn as_json(report: &Report, diff: Option<&Diff>) -> Value {
    let mut value = json!(report);
    if let (Some(fields), Some(diff)) = (value.as_object_mut(), diff) {
        fields.insert("diff".to_owned(), json!(diff));
    }
    value
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Returns a text without what steers a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::{Format, write};
    use crate::check::{Group, Lock, Severity};
    use crate::diff::Diff;
    use crate::facts::Facts;
    use crate::report::{FORMAT, Finding, Outcome, Report, Score, Status};

    /// A report of three checks: one found something bad, one something small, one could not be asked.
    pub(crate) fn report() -> Report {
        let outcome = |code: &str, group, status, why: Option<&str>, findings| Outcome {
            code: code.to_owned(),
            group,
            status,
            why: why.map(str::to_owned),
            looked_at: (code == "row_security_off").then_some(4),
            findings,
        };
        let finding = |code: &str, severity, object: &str, lock| {
            let check = crate::checks::find(code).unwrap();
            Finding {
                code: code.to_owned(),
                group: check.group,
                severity,
                object: object.to_owned(),
                title: check.title.to_owned(),
                evidence: "anon may select\ndrop table jobs;".to_owned(),
                remedy: check.remedy.to_owned(),
                lock,
                up: Some(format!("alter table {object} enable row level security;")),
                down: Some(format!("alter table {object} disable row level security;")),
                accepted: None,
            }
        };
        let mut report = Report {
            format: FORMAT,
            made_at: "2027-01-02T03:04:05Z".parse().unwrap(),
            took_ms: 120,
            database: Facts {
                database: "shop".to_owned(),
                version: 150_018,
                version_text: "15.18".to_owned(),
                kind: "postgresql".to_owned(),
                api_roles: vec!["anon".to_owned()],
                tenant_columns: vec!["company_id".to_owned()],
                is_superuser: false,
                is_monitor: false,
                reads_all: false,
                is_copy: false,
                extensions: BTreeMap::new(),
                readable: Vec::new(),
            },
            score: Score::default(),
            groups: Vec::new(),
            checks: vec![
                outcome("row_security_off", Group::RowSecurity, Status::Found, None, 1),
                outcome("policies_ignored", Group::RowSecurity, Status::Passed, None, 0),
                outcome("key_without_index", Group::Indexes, Status::Found, None, 1),
                outcome("transaction_long", Group::Activity, Status::Skipped, Some("the login lacks pg_monitor"), 0),
            ],
            findings: vec![
                finding("row_security_off", Severity::Critical, "public.open", Lock::Brief),
                finding("key_without_index", Severity::Low, "public.jobs", Lock::Concurrent),
            ],
            unmet: vec![],
        };
        report.count();
        report
    }

    #[test]
    fn text_has_the_score_the_findings_and_what_was_skipped() {
        let said = write(&report(), None, Format::Text { colours: false });
        for expected in [
            "shop on PostgreSQL 15.18, score 1 of 3, 1 skipped",
            "row_security  1 of 2",
            "indexes       0 of 1",
            "activity      skipped 1",
            "critical  public.open: callers reach the table, and row security is off (row_security_off)",
            "          anon may select drop table jobs;",
            "low       public.jobs: no index serves a foreign key (key_without_index)",
            "skipped: transaction_long: the login lacks pg_monitor",
        ] {
            assert!(said.contains(expected), "{expected:?} is not in\n{said}");
        }
        assert!(!said.contains('\u{1b}'));
        let coloured = write(&report(), None, Format::Text { colours: true });
        assert!(coloured.contains("\u{1b}[31;1mcritical"), "{coloured:?}");
    }

    #[test]
    fn what_a_name_has_in_it_does_not_steer_a_terminal() {
        let mut steering = report();
        steering.findings[0].object = "public.\u{1b}[2Jopen".to_owned();
        let said = write(&steering, None, Format::Text { colours: false });
        assert!(said.contains("public. [2Jopen"), "{said:?}");
        steering.findings[0].object = "public.\"a|b`<script>\"".to_owned();
        let table = write(&steering, None, Format::Markdown);
        assert!(table.contains(r#"public."a\|b\`\<script>""#), "{table}");
    }

    #[test]
    fn json_comes_back_as_it_was() {
        let before = report();
        let text = write(&before, Some(&Diff::default()), Format::Json);
        let after = Report::from_json(&text).unwrap();
        assert_eq!((after.findings, after.checks, after.score), (before.findings, before.checks, before.score));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["score"], serde_json::json!({"passed": 1, "of": 3, "skipped": 1}));
        assert_eq!(value["diff"]["new"], serde_json::json!([]));
        assert_eq!(value["findings"][0]["severity"], "critical");
        assert_eq!(value["groups"][0], serde_json::json!({"group": "row_security", "passed": 1, "of": 2, "skipped": 0}));
        let refused = Report::from_json(&text.replace("\"format\": 1", "\"format\": 2")).unwrap_err();
        assert_eq!(refused, "it has the form 2, and this program reads 1");
    }

    #[test]
    fn sarif_names_rules_and_results() {
        let value: serde_json::Value = serde_json::from_str(&write(&report(), None, Format::Sarif)).unwrap();
        assert_eq!(value["version"], "2.1.0");
        let run = &value["runs"][0];
        assert_eq!(run["tool"]["driver"]["name"], "thorbis doctor");
        let rules: Vec<_> = run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect();
        assert_eq!(rules, ["row_security_off", "policies_ignored", "key_without_index", "transaction_long"]);
        let result = &run["results"][0];
        assert_eq!((&result["ruleId"], &result["level"]), (&"row_security_off".into(), &"error".into()));
        assert_eq!(result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"], "public.open");
        assert_eq!(run["results"][1]["level"], "note");
        let told = &run["invocations"][0]["toolExecutionNotifications"][0];
        assert_eq!(told["message"]["text"], "transaction_long was skipped: the login lacks pg_monitor");
    }

    #[test]
    fn markdown_is_a_page() {
        let page = write(&report(), None, Format::Markdown);
        for expected in [
            "# shop: 1 of 3",
            "| row_security | 1 of 2 | |",
            "| activity | | 1 |",
            "| critical | public.open | callers reach the table, and row security is off",
        ] {
            assert!(page.contains(expected), "{expected:?} is not in\n{page}");
        }
    }
}
