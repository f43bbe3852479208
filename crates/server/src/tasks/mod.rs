//! The kinds of background work that a server does.
//!
//! Invariant: a kind is one file; what is not listed here is done by nobody.

mod analyze_tables;
mod batches;
mod clean_up;
mod collect_metrics;
mod company_report;
mod company_reports;
mod expire_trials;
mod http_request;
mod invoice_reminder;
mod invoice_reminders;
mod letters;
mod make_partitions;
mod mark_overdue;
mod notifications;
mod plan_visits;
mod refresh_kpis;
mod refresh_reports;
mod run_sql;
mod send_message;
mod sync_suppliers;
mod system_entries;
mod trial_ended;
mod webhook_delivery;

use messaging::Messaging;
use queue::Kinds;
use storage::{MakePreviews, Storage};
use transfers::Transfers;

use analyze_tables::AnalyzeTables;
use clean_up::CleanUp;
use collect_metrics::CollectMetrics;
use company_report::CompanyReport;
use company_reports::CompanyReports;
use expire_trials::ExpireTrials;
pub(crate) use http_request::HttpRequest;
use invoice_reminder::InvoiceReminder;
use invoice_reminders::InvoiceReminders;
use make_partitions::MakePartitions;
use mark_overdue::MarkOverdueInvoices;
use notifications::{DeliverNotification, NotifyDue, SendDigests};
use plan_visits::PlanVisits;
use refresh_kpis::RefreshKpis;
use refresh_reports::RefreshReports;
pub(crate) use run_sql::RunSql;
pub(crate) use send_message::Desk;
use send_message::{SendEmail, SendSms};
use sync_suppliers::SyncSuppliers;
pub(crate) use system_entries::SYSTEM_ENTRIES;
use trial_ended::TrialEnded;
use webhook_delivery::WebhookDelivery;

/// What does things that SQL asked for.
pub(crate) struct OfSql {
    pub(crate) run_sql: RunSql,
    pub(crate) http_request: HttpRequest,
}

/// Returns all kinds.
pub(crate) fn kinds(desk: Desk, messaging: &Messaging, (transfers, storage): (&Transfers, &Storage), sql: OfSql) -> Kinds {
    transfers::kinds(recurring(Kinds::default()), transfers)
        .with(RefreshReports)
        .with(SendEmail { desk: desk.clone(), messaging: messaging.clone() })
        .with(SendSms(desk.clone()))
        .with(InvoiceReminder(desk.clone()))
        .with(TrialEnded(desk.clone()))
        .with(CompanyReport(desk))
        .with(DeliverNotification(messaging.clone()))
        .with(WebhookDelivery(messaging.clone()))
        .with(NotifyDue(messaging.clone()))
        .with(SendDigests(messaging.clone()))
        .with(MakePreviews(storage.clone()))
        .with(sql.run_sql)
        .with(sql.http_request)
}

/// Adds what only schedules put in.
fn recurring(kinds: Kinds) -> Kinds {
    kinds
        .with(RefreshKpis)
        .with(CollectMetrics)
        .with(CleanUp)
        .with(AnalyzeTables)
        .with(MakePartitions)
        .with(CompanyReports)
        .with(InvoiceReminders)
        .with(MarkOverdueInvoices)
        .with(ExpireTrials)
        .with(PlanVisits)
        .with(SyncSuppliers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_server_has_a_kind() {
        let known = recurring(Kinds::default()).with(RefreshReports).names();
        for entry in SYSTEM_ENTRIES {
            assert!(known.contains(&entry.kind) || entry.kind == <SendDigests as queue::Kind>::NAME, "{}: {}", entry.name, entry.kind);
        }
    }
}
