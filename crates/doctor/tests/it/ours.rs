//! Our own schema, as every installation has it.

use std::time::Duration;

use doctor::{DoctorConfig, Severity, Wanted};
use testkit::Db;

use crate::asking::{told, visit};
use crate::clinic::{OF_THE_CLUSTER, accept};

/// What one pass over our own schema may take; it takes about two seconds on a machine that has nothing else to do, and many times as long beside
/// other tests.
const PASS: Duration = Duration::from_mins(1);

#[tokio::test]
async fn nothing_above_low_is_found_in_our_own_schema() {
    let db = Db::new().await;
    let mut report = visit(&db.superuser_config(), &Wanted::default(), &DoctorConfig::default()).await;
    accept(&mut report, OF_THE_CLUSTER);
    accept(&mut report, include_str!("../../../../db/doctor.toml"));
    let bad: Vec<String> = told(&report).into_iter().filter(|line| !line.starts_with("low ")).collect();
    assert!(report.worst().is_none_or(|worst| worst == Severity::Low), "{bad:#?}");
    assert_eq!(report.unmet, Vec::<String>::new(), "the baseline accepts what is not there");
    assert!(Duration::from_millis(report.took_ms) < PASS, "{} ms", report.took_ms);
    assert_eq!(report.database.kind, "thorbis");
    assert_eq!(report.database.tenant_columns, ["company_id"]);
    let mut roles = report.database.api_roles.clone();
    roles.sort();
    assert_eq!(roles, ["anon", "authenticated", "guest"]);
}
