//! A report in the Static Analysis Results Interchange Format 2.1.0, which code hosts show beside changes.

use serde_json::{Value, json};

use crate::check::Severity;
use crate::checks;
use crate::report::{Finding, Report, Status};

pub(super) fn write(report: &Report) -> Value {
    let rules: Vec<Value> = report
        .checks
        .iter()
        .filter_map(|outcome| checks::find(&outcome.code))
        .map(|check| {
            json!({
                "id": check.code,
                "shortDescription": {"text": check.title},
                "fullDescription": {"text": check.why},
                "help": {"text": check.remedy},
                "defaultConfiguration": {"level": level(check.severity)},
                "properties": {"group": check.group.word(), "tags": check.lints, "security-severity": score(check.severity)},
            })
        })
        .collect();
    let results: Vec<Value> = report.findings.iter().map(result).collect();
    let skipped = report.checks.iter().filter(|outcome| outcome.status == Status::Skipped);
    let told: Vec<Value> = skipped
        .map(|outcome| {
            let why = outcome.why.as_deref().unwrap_or_default();
            json!({
                "level": "note",
                "message": {"text": format!("{} was skipped: {why}", outcome.code)},
                "associatedRule": {"id": outcome.code},
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "thorbis doctor", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "invocations": [{
                "executionSuccessful": true,
                "endTimeUtc": report.made_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                "toolExecutionNotifications": told,
            }],
            "results": results,
        }],
    })
}

fn result(finding: &Finding) -> Value {
    let mut result = json!({
        "ruleId": finding.code,
        "level": level(finding.severity),
        "message": {"text": format!("{}: {} ({}). {}", finding.object, finding.title, finding.evidence, finding.remedy)},
        "locations": [{"logicalLocations": [{"fullyQualifiedName": finding.object, "kind": "resource"}]}],
        "partialFingerprints": {"object/v1": format!("{} {}", finding.code, finding.object)},
        "properties": {"severity": finding.severity, "group": finding.group.word(), "lock": finding.lock, "up": finding.up, "down": finding.down},
    });
    if let (Some(fields), Some(accepted)) = (result.as_object_mut(), &finding.accepted) {
        let justification = format!("{} (until {})", accepted.reason, accepted.expires);
        fields.insert("suppressions".to_owned(), json!([{"kind": "external", "justification": justification}]));
    }
    result
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

/// What code hosts sort by.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.0",
        Severity::Low => "2.0",
    }
}
