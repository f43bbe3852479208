//! A report as a page: the score, the findings as a table, and what was skipped.

use super::plain;
use crate::diff::Diff;
use crate::report::{Report, Status};

pub(super) fn write(report: &Report, diff: Option<&Diff>) -> String {
    let mut page = String::new();
    let mut line = |text: String| {
        page.push_str(&text);
        page.push('\n');
    };
    let (database, score) = (&report.database, &report.score);
    line(format!("# {}: {} of {}\n", cell(&database.database), score.passed, score.of));
    line(format!(
        "PostgreSQL {} ({}), looked at {} in {} ms.\n",
        cell(&database.version_text),
        database.kind,
        report.made_at.strftime("%Y-%m-%d %H:%M UTC"),
        report.took_ms
    ));
    line("| group | passed | skipped |\n|---|---|---|".to_owned());
    for group in &report.groups {
        let share = if group.score.of == 0 { String::new() } else { format!("{} of {} ", group.score.passed, group.score.of) };
        let skipped = if group.score.skipped == 0 { String::new() } else { format!("{} ", group.score.skipped) };
        line(format!("| {} | {share}| {skipped}|", group.group));
    }
    if report.counted().next().is_some() {
        line("\n## Findings\n\n| severity | object | what | seen | to do |\n|---|---|---|---|---|".to_owned());
        for finding in report.counted() {
            line(format!(
                "| {} | {} | {} (`{}`) | {} | {} |",
                finding.severity,
                cell(&finding.object),
                finding.title,
                finding.code,
                cell(&finding.evidence),
                cell(&finding.remedy)
            ));
        }
    }
    let accepted: Vec<_> = report.findings.iter().filter_map(|finding| Some((finding, finding.accepted.as_ref()?))).collect();
    if !accepted.is_empty() {
        line("\n## Accepted\n\n| object | check | reason | until |\n|---|---|---|---|".to_owned());
        for (finding, accepted) in accepted {
            line(format!("| {} | `{}` | {} | {} |", cell(&finding.object), finding.code, cell(&accepted.reason), accepted.expires));
        }
    }
    if let Some(diff) = diff {
        line(format!(
            "\n## Since the earlier report\n\n{} new, {} gone, {} changed.\n",
            diff.new.len(),
            diff.gone.len(),
            diff.changed.len()
        ));
        for (word, findings) in [("new", &diff.new), ("gone", &diff.gone)] {
            for finding in findings {
                line(format!("- {word}: {} {} (`{}`)", finding.severity, cell(&finding.object), finding.code));
            }
        }
    }
    let skipped: Vec<_> = report.checks.iter().filter(|outcome| outcome.status == Status::Skipped).collect();
    if !skipped.is_empty() {
        line("\n## Skipped\n".to_owned());
        for outcome in skipped {
            line(format!("- `{}`: {}", outcome.code, cell(outcome.why.as_deref().unwrap_or_default())));
        }
    }
    page
}

/// Returns a text that neither ends a cell nor is markup.
fn cell(text: &str) -> String {
    let mut escaped = String::new();
    for char in plain(text).chars() {
        if matches!(char, '|' | '`' | '<' | '[' | ']' | '*' | '\\') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}
