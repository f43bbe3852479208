//! Rules about a file as a whole: its header, its way back, and whether the runner would take it.

use super::super::header::FIELDS;
use super::super::lex::dollar_body;
use super::super::plan;
use super::super::source::{Files, Migration};
use super::super::split::{self, Sort};
use super::{Finding, Findings, Linted, Place, tenants};

/// Checks one file.
pub(super) fn check(linted: &Linted<'_>, findings: &mut Findings<'_>) {
    if !matches!(linted.place, Place::Up | Place::Down) {
        if matches!(linted.place, Place::Code | Place::Seed) {
            refused(plan::allowed(linted.file).map(|_| ()), findings);
        }
        return;
    }
    for field in FIELDS {
        match linted.header.fields.get(field).map(String::as_str) {
            None | Some("") => {
                findings.add(
                    1,
                    "header-missing",
                    format!("the header lacks {field}"),
                    "Every migration begins with description, author, date, depends and rollback.",
                );
            }
            Some(date) if field == "date" && date.parse::<jiff::civil::Date>().is_err() => {
                findings.add(1, "header-missing", format!("the date {date:?} is not YYYY-MM-DD"), "");
            }
            Some(_) => {}
        }
    }
    refused(plan::plan(linted.file, &linted.header).map(|_| ()), findings);
    hidden_changes(linted, findings);
    if linted.place == Place::Up {
        not_enclosed(linted, findings);
    }
}

/// What the runner would refuse anyway is better known before.
fn refused(result: kernel::Result<()>, findings: &mut Findings<'_>) {
    if let Err(error) = result {
        let line = error.details().and_then(|details| details.get("line")?.as_u64()).and_then(|line| usize::try_from(line).ok());
        findings.add(
            line.unwrap_or(1),
            "migration-plan",
            format!("{}: {}", error.code(), error.message()),
            error.hint().unwrap_or_default(),
        );
    }
}

/// Rows changed inside a `do` block are counted by nobody.
fn hidden_changes(linted: &Linted<'_>, findings: &mut Findings<'_>) {
    for statement in linted.statements.iter().filter(|statement| statement.begins_with(&["do"])) {
        let tokens = statement.tokens();
        let bodies = tokens.iter().filter_map(|token| dollar_body(token));
        for inner in bodies.flat_map(|(body, _)| split::statements(body)) {
            let sort = inner.sort();
            let first_words = inner.tokens().windows(2).any(|pair| {
                matches!(pair, [before, word] if ["begin", "loop", "then", "else"].iter().any(|opening| before.is(opening))
                    && ["update", "delete", "merge"].iter().any(|change| word.is(change)))
            });
            if sort == Sort::ChangesRows || first_words {
                findings.add(
                    statement.line,
                    "hidden-row-change",
                    "rows are changed inside a do block, where nobody counts them",
                    "Write it as a statement with its -- backfill: line.",
                );
                break;
            }
        }
    }
}

fn not_enclosed(linted: &Linted<'_>, findings: &mut Findings<'_>) {
    let text = &linted.file.text;
    for statement in &linted.statements {
        if !statement.begins_with(&["create", "table"]) {
            continue;
        }
        let tokens = statement.tokens();
        let Some(table) = tenants::table_of(&tokens) else { continue };
        let forced = text.contains(&format!("app.enclose('{table}')"))
            || text.contains(&format!("app.protect('{table}'"))
            || text.to_ascii_lowercase().contains("force row level security");
        if !forced {
            findings.add(
                statement.line,
                "table-not-enclosed",
                format!("{table} is made without forced row security"),
                "Add: select app.enclose('schema.table');",
            );
        }
    }
}

/// Returns what is wrong with a migration beside the text of its files: no way back, a dependency that is not there.
pub(super) fn of_migration(migration: &Migration, files: &Files) -> Vec<Finding> {
    let mut findings = Findings { file: &migration.up, found: Vec::new() };
    if migration.down.is_none() {
        let help = "A migration that cannot be taken back says so: -- lint: allow down-missing because ...";
        findings.add(1, "down-missing", "there is no .down.sql", help);
    }
    for (number, line) in migration.up.text.lines().enumerate() {
        let Some(value) = line.strip_prefix("-- depends:") else { continue };
        for version in value.split(',').map(str::trim).filter(|version| !version.is_empty() && *version != "none") {
            let earlier = files.migrations.iter().any(|other| other.version == version && other.version < migration.version);
            if !earlier {
                findings.add(number + 1, "header-missing", format!("depends names {version}, which is no earlier migration"), "");
            }
        }
    }
    findings.found
}
