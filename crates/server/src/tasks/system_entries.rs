//! table: what the server has done again and again by itself. An operator changes times with `thorbis cron`, and what he said stays.

use queue::cron::SystemEntry;

const fn entry(name: &'static str, schedule: &'static str, kind: &'static str, missed: &'static str) -> SystemEntry {
    SystemEntry { name, schedule, time_zone: "UTC", kind, payload: "{}", missed }
}

const fn report(name: &'static str, schedule: &'static str, payload: &'static str) -> SystemEntry {
    SystemEntry { name, schedule, time_zone: "UTC", kind: "company_reports", payload, missed: "one" }
}

/// All of them.
pub(crate) const SYSTEM_ENTRIES: &[SystemEntry] = &[
    entry("refresh-kpis", "*/5 * * * *", "refresh_kpis", "skip"),
    entry("refresh-reporting-views", "0 2 * * *", "refresh_reports", "one"),
    entry("collect-metrics", "0 */6 * * *", "collect_metrics", "skip"),
    entry("cleanup", "0 2 * * 0", "clean_up", "one"),
    entry("analyze-tables", "0 3 * * 0", "analyze_tables", "one"),
    entry("create-monthly-partitions", "0 0 1 * *", "make_partitions", "one"),
    report("daily-customer-report", "0 8 * * *", r#"{"report": "customers"}"#),
    report("weekly-performance", "0 7 * * 1", r#"{"report": "performance"}"#),
    report("monthly-billing", "0 0 1 * *", r#"{"report": "billing"}"#),
    entry("invoice-reminders", "0 * * * *", "invoice_reminders", "skip"),
    entry("overdue-invoices", "10 * * * *", "mark_overdue_invoices", "one"),
    entry("trial-expiry", "20 * * * *", "expire_trials", "one"),
    entry("plan-visits", "30 * * * *", "plan_visits", "one"),
    entry("supplier-syncs", "15 * * * *", "sync_suppliers", "skip"),
    entry("digests", "*/15 * * * *", "send_digests", "skip"),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use queue::cron::{Expression, Missed};

    use super::*;

    #[test]
    fn every_entry_can_be_read() {
        for entry in SYSTEM_ENTRIES {
            Expression::parse(entry.schedule).unwrap();
            Missed::parse(entry.missed).unwrap();
            assert!(serde_json::from_str::<serde_json::Value>(entry.payload).unwrap().is_object(), "{}", entry.name);
            assert_eq!(SYSTEM_ENTRIES.iter().filter(|other| other.name == entry.name).count(), 1, "{}", entry.name);
        }
    }
}
