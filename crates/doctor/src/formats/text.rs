//! A report for people at a terminal: the score by group, then what was found, the worst first, then what could not be asked.

use super::plain;
use crate::check::Severity;
use crate::diff::Diff;
use crate::report::{Finding, Report, Status};

/// Findings of one check that stand there one by one; the others are counted.
const SHOWN: usize = 10;

pub(super) fn write(report: &Report, diff: Option<&Diff>, colours: bool) -> String {
    let mut page = Page { text: String::new(), colours };
    let (database, score) = (&report.database, &report.score);
    let skipped = if score.skipped == 0 { String::new() } else { format!(", {} skipped", score.skipped) };
    page.line(&format!(
        "{} on PostgreSQL {}, score {} of {}{skipped}, {} ms",
        database.database, database.version_text, score.passed, score.of, report.took_ms
    ));
    page.line(&format!("callers: {}; companies by: {}", listed(&database.api_roles), listed(&database.tenant_columns)));
    page.line("");
    for group in &report.groups {
        let share = if group.score.of == 0 { String::new() } else { format!("{} of {}", group.score.passed, group.score.of) };
        let skipped = if group.score.skipped == 0 { String::new() } else { format!("skipped {}", group.score.skipped) };
        page.line(&format!(
            "{:<13} {}",
            group.group,
            [share, skipped].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
        ));
    }
    findings(&mut page, report);
    for outcome in report.checks.iter().filter(|outcome| outcome.status == Status::Skipped) {
        page.line(&format!("skipped: {}: {}", outcome.code, outcome.why.as_deref().unwrap_or("no reason is known")));
    }
    for unmet in &report.unmet {
        page.line(&format!("the baseline accepts what was not found: {unmet}"));
    }
    if let Some(diff) = diff {
        difference(&mut page, diff);
    }
    page.text
}

fn findings(page: &mut Page, report: &Report) {
    let mut last: Option<(&str, Severity)> = None;
    let mut shown = 0;
    for finding in report.counted() {
        let same = Some((finding.code.as_str(), finding.severity));
        shown = if same == last { shown + 1 } else { 1 };
        if same != last {
            page.line("");
        }
        last = same;
        if shown <= SHOWN {
            page.finding(finding);
        } else if shown == SHOWN + 1 {
            let number = report.counted().filter(|other| same == Some((other.code.as_str(), other.severity))).count();
            page.line(&format!("          … and {} more of {}: --format json names them", number - SHOWN, finding.code));
        }
    }
    let accepted = report.findings.iter().filter(|finding| finding.accepted.is_some()).count();
    page.line("");
    if accepted > 0 {
        page.line(&format!("accepted by the baseline: {accepted}"));
    }
    for outcome in &report.checks {
        let kept = report.findings.iter().filter(|finding| finding.code == outcome.code).count();
        if outcome.findings > kept {
            page.line(&format!("{} found {}, of which {kept} were kept (doctor.findings_max)", outcome.code, outcome.findings));
        }
    }
}

fn difference(page: &mut Page, diff: &Diff) {
    page.line("");
    page.line(&format!("since the earlier report: {} new, {} gone, {} changed", diff.new.len(), diff.gone.len(), diff.changed.len()));
    for (sign, findings) in [("+", &diff.new), ("-", &diff.gone)] {
        for finding in findings {
            page.line(&format!("{sign} {} {}: {}", finding.severity, finding.object, finding.code));
        }
    }
    for changed in &diff.changed {
        page.line(&format!("~ {} {}: {} before, now {}", changed.code, changed.object, changed.from, changed.to));
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none known".to_owned() } else { names.join(", ") }
}

struct Page {
    text: String,
    colours: bool,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(&plain(line));
        self.text.push('\n');
    }

    fn finding(&mut self, finding: &Finding) {
        let severity = format!("{:<9}", finding.severity);
        let severity = if self.colours { format!("\u{1b}[{}m{severity}\u{1b}[0m", colour(finding.severity)) } else { severity };
        let (object, evidence) = (plain(&finding.object), plain(&finding.evidence));
        self.text.extend([format!("{severity} {object}: {} ({})\n", finding.title, finding.code)]);
        self.text.extend([format!("          {evidence}\n")]);
    }
}

fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "31;1",
        Severity::High => "31",
        Severity::Medium => "33",
        Severity::Low => "36",
    }
}
