//! The examination: each check is asked once, in one transaction that only reads.
//!
//! Invariant: a check that could not be asked is skipped with the reason, and the others go on. Only a lost connection ends it.

use std::time::Instant;

use postgres::{VisitFault, VisitLimits, Visited, VisitedRow, Visitor};

use crate::check::{Check, Severity};
use crate::checks;
use crate::config::DoctorConfig;
use crate::facts::{Asked, Facts};
use crate::report::{FORMAT, Finding, Outcome, Report, Score, Status};

/// What every check begins with.
const SCOPE: &str = include_str!("scope.sql");

/// What is to be examined.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Codes and groups that alone are asked; all where there are none.
    pub only: Vec<String>,
    /// Codes and groups that are not asked.
    pub skip: Vec<String>,
    /// What is told instead of found out.
    pub asked: Asked,
}

impl Wanted {
    /// Returns the first word that is neither a code nor a group.
    pub fn unknown(&self) -> Option<&str> {
        let is_known = |word: &str| checks::all().any(|check| names(word, check));
        self.only.iter().chain(&self.skip).map(String::as_str).find(|word| !is_known(word))
    }

    fn includes(&self, check: &Check) -> bool {
        let among = |words: &[String]| words.iter().any(|word| names(word, check));
        (self.only.is_empty() || among(&self.only)) && !among(&self.skip)
    }
}

fn names(word: &str, check: &Check) -> bool {
    word == check.code || word == check.group.word()
}

/// Returns what a visit may take.
pub fn visit_limits(config: &DoctorConfig) -> VisitLimits {
    let milliseconds = std::time::Duration::from_millis;
    VisitLimits {
        connect: milliseconds(config.connect_ms),
        statement: milliseconds(config.statement_ms),
        lock: milliseconds(config.lock_ms),
        rows_max: config.findings_max,
    }
}

/// Examines the database.
pub async fn examine(visitor: &Visitor, wanted: &Wanted, config: &DoctorConfig) -> Result<Report, VisitFault> {
    let begun = Instant::now();
    let facts = Facts::ask(visitor, &wanted.asked).await?;
    let broken = |cause: serde_json::Error| VisitFault::Other { state: "XX000".to_owned(), message: cause.to_string() };
    visitor.set("doctor.limits", &serde_json::to_string(&config.thresholds).map_err(broken)?).await?;
    let place = serde_json::json!({
        "version": wanted.asked.version.unwrap_or(facts.version), "api_roles": facts.api_roles, "tenant_columns": facts.tenant_columns, "left_out": facts.left_out(),
    });
    visitor.set("doctor.place", &place.to_string()).await?;
    let mut report = Report {
        format: FORMAT,
        made_at: jiff::Timestamp::now(),
        took_ms: 0,
        database: facts,
        score: Score::default(),
        groups: Vec::new(),
        checks: Vec::new(),
        findings: Vec::new(),
        unmet: Vec::new(),
    };
    for check in checks::all().filter(|check| wanted.includes(check)) {
        let (outcome, findings) = one(visitor, check, &report.database).await?;
        report.checks.push(outcome);
        report.findings.extend(findings);
    }
    report.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    report.count();
    Ok(report)
}

/// Asks one check.
async fn one(visitor: &Visitor, check: &Check, facts: &Facts) -> Result<(Outcome, Vec<Finding>), VisitFault> {
    let mut outcome =
        Outcome { code: check.code.to_owned(), group: check.group, status: Status::Passed, why: None, looked_at: None, findings: 0 };
    let skipped = |mut outcome: Outcome, why: String| {
        outcome.status = Status::Skipped;
        outcome.why = Some(why);
        Ok((outcome, Vec::new()))
    };
    if let Some(why) = check.needs.iter().find_map(|need| facts.lacks(*need)) {
        return skipped(outcome, why);
    }
    let Some(sql) = check.sql.of(facts.major()) else { return skipped(outcome, format!("PostgreSQL {} is too old for it", facts.major())) };
    let begun = Instant::now();
    let answer = ask(visitor, check, sql, facts).await;
    tracing::debug!(code = check.code, took_ms = begun.elapsed().as_millis(), "asked");
    let answer = match answer {
        Ok(answer) => answer,
        Err(VisitFault::Gone) => return Err(VisitFault::Gone),
        Err(fault) => return skipped(outcome, fault.to_string()),
    };
    if let Some(why) = answer.rows.iter().find_map(|row| row.text("skipped")) {
        return skipped(outcome, why.to_owned());
    }
    if let Some(of) = check.of {
        // Without the number the findings are as good.
        outcome.looked_at = visitor.ask(&format!("{SCOPE}{of}")).await.ok().and_then(|counted| {
            let row = counted.rows.first()?;
            row.text("count")?.parse().ok()
        });
    }
    outcome.findings = answer.rows.len() + answer.more;
    let findings = answer.rows.iter().map(|row| finding(check, row)).collect();
    Ok((outcome, findings))
}

/// An extension's views stand in a schema that each database chooses.
async fn ask(visitor: &Visitor, check: &Check, sql: &str, facts: &Facts) -> Result<Visited, VisitFault> {
    let schema = check.needs.iter().find_map(|need| match need {
        crate::check::Need::Extension(name) => facts.extensions.get(*name),
        _ => None,
    });
    if schema.is_some() {
        visitor.look_in(schema.map(String::as_str)).await?;
    }
    // Both are texts of this program.
    let answer = visitor.ask(&format!("{SCOPE}{sql}")).await;
    if schema.is_some() {
        visitor.look_in(None).await?;
    }
    answer
}

fn finding(check: &Check, row: &VisitedRow) -> Finding {
    let text = |column: &str| row.text(column).filter(|text| !text.is_empty()).map(str::to_owned);
    Finding {
        code: check.code.to_owned(),
        group: check.group,
        severity: row.text("severity").and_then(Severity::from_word).unwrap_or(check.severity),
        object: text("object").unwrap_or_else(|| "database".to_owned()),
        title: check.title.to_owned(),
        evidence: text("evidence").unwrap_or_default(),
        remedy: check.remedy.to_owned(),
        lock: check.lock,
        up: text("up"),
        down: text("down"),
        accepted: None,
    }
}
