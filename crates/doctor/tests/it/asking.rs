//! Examining a database, and what was found as lines for a message.

use doctor::{DoctorConfig, Report, Status, Wanted, examine, visit_limits};
use postgres::{Config, Visitor};

pub(crate) async fn visit(login: &Config, wanted: &Wanted, config: &DoctorConfig) -> Report {
    let visitor = Visitor::connect(login, None, visit_limits(config)).await.unwrap();
    let report = examine(&visitor, wanted, config).await.unwrap();
    visitor.leave().await;
    for outcome in &report.checks {
        let why = outcome.why.as_deref().unwrap_or_default();
        // A statement that PostgreSQL does not understand is a fault of ours.
        assert!(outcome.status != Status::Skipped || !why.ends_with(')') || why.contains("pg_read_all_data"), "{}: {why}", outcome.code);
    }
    report
}

/// Every finding that counts, as `code object`, for a message.
pub(crate) fn told(report: &Report) -> Vec<String> {
    report.counted().map(|finding| format!("{} {} {}: {}", finding.severity, finding.code, finding.object, finding.evidence)).collect()
}
