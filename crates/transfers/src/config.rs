//! What can be set about exports, imports and other work over many rows.
//!
//! Invariant: every limit of this crate has its name here; a unit stands last in the name.

use serde::{Deserialize, Serialize};

/// The settings of work over many rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransfersConfig {
    /// Days that the link to a file is good for; then the file is taken away.
    pub link_days: u32,
    /// Rows of one export.
    pub export_rows_max: u64,
    /// Bytes of one export.
    pub export_bytes_max: u64,
    /// Milliseconds in which the rows of an export are counted, so that its progress is known; after them what the planner expects counts, as with 0.
    pub export_count_time_ms: u64,
    /// Seconds in which the rows of an export are read.
    pub export_time_s: u64,
    /// Exports of one company at the same time; the next ones wait.
    pub exports_running_max: u32,
    /// Bytes of a file that is imported.
    pub import_bytes_max: u64,
    /// Seconds that sending such a file may take.
    pub upload_time_s: u64,
    /// Lines of a file that is imported.
    pub import_rows_max: u64,
    /// Bytes of one line.
    pub import_line_bytes_max: usize,
    /// Columns of a file.
    pub import_columns_max: usize,
    /// Lines that are written at once.
    pub import_batch_rows: usize,
    /// Wrong lines after which an import gives up.
    pub import_errors_max: u64,
    /// Imports of one company at the same time; the next ones wait.
    pub imports_running_max: u32,
    /// Seconds that one statement of an import or of a change of many rows may run.
    pub statement_time_s: u64,
    /// Days that the file of an import is kept, and what is needed to undo it.
    pub imports_kept_days: u32,
    /// Rows that one task changes.
    pub bulk_rows_max: usize,
    /// Rows that are changed at once.
    pub bulk_batch_rows: usize,
    /// Customers that one task writes to.
    pub bulk_mails_max: usize,
    /// Rows of a report.
    pub report_rows_max: u32,
    /// Files that are taken away in one go when their time is over.
    pub clean_rows_max: u32,
    /// Pages of a supplier's catalogue.
    pub supplier_pages_max: u32,
    /// Bytes of one of them.
    pub supplier_page_bytes_max: usize,
    /// Rows of one table that the export of a person has.
    pub person_rows_max: u32,
    /// Bytes of a person's files that come with his export; the others he gets by links.
    pub person_files_bytes_max: u64,
    /// Rows of the audit that erasing a person looks through at once.
    pub erasure_audit_rows: u32,
    /// How long ago, in minutes, somebody may have signed in who has his own account erased.
    pub erasure_sign_in_minutes: u32,
    /// Whether suppliers may be at private addresses, and without TLS: for development and tests.
    pub supplier_private_addresses_allowed: bool,
}

impl Default for TransfersConfig {
    fn default() -> Self {
        Self {
            link_days: 7,
            export_rows_max: 10_000_000,
            export_bytes_max: 5_000_000_000,
            export_count_time_ms: 2000,
            export_time_s: 3600,
            exports_running_max: 2,
            import_bytes_max: 1_000_000_000,
            upload_time_s: 3600,
            import_rows_max: 5_000_000,
            import_line_bytes_max: 1_048_576,
            import_columns_max: 200,
            import_batch_rows: 500,
            import_errors_max: 10_000,
            imports_running_max: 1,
            statement_time_s: 300,
            imports_kept_days: 30,
            bulk_rows_max: 100_000,
            bulk_batch_rows: 500,
            bulk_mails_max: 10_000,
            report_rows_max: 10_000,
            clean_rows_max: 100,
            supplier_pages_max: 1000,
            supplier_page_bytes_max: 10_000_000,
            person_rows_max: 10_000,
            person_files_bytes_max: 1_000_000_000,
            erasure_audit_rows: 20_000,
            erasure_sign_in_minutes: 10,
            supplier_private_addresses_allowed: false,
        }
    }
}

impl TransfersConfig {
    /// Returns the settings that are impossible, each with what is allowed.
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        const DAY_S: u64 = 86_400;
        const TERABYTE: u64 = 1_000_000_000_000;
        [
            (!(1..=365).contains(&self.link_days), "link_days", "1 to 365"),
            (!(1..=1_000_000_000).contains(&self.export_rows_max), "export_rows_max", "1 to 1000000000"),
            (!(1..=TERABYTE).contains(&self.export_bytes_max), "export_bytes_max", "1 to 1000000000000"),
            (self.export_count_time_ms > 60_000, "export_count_time_ms", "0 to 60000"),
            (!(1..=DAY_S).contains(&self.export_time_s), "export_time_s", "1 to 86400"),
            (!(1..=1000).contains(&self.exports_running_max), "exports_running_max", "1 to 1000"),
            (!(1..=TERABYTE).contains(&self.import_bytes_max), "import_bytes_max", "1 to 1000000000000"),
            (!(1..=DAY_S).contains(&self.upload_time_s), "upload_time_s", "1 to 86400"),
            (!(1..=1_000_000_000).contains(&self.import_rows_max), "import_rows_max", "1 to 1000000000"),
            (!(100..=16_777_216).contains(&self.import_line_bytes_max), "import_line_bytes_max", "100 to 16777216"),
            (!(1..=1600).contains(&self.import_columns_max), "import_columns_max", "1 to 1600"),
            (!(1..=5000).contains(&self.import_batch_rows), "import_batch_rows", "1 to 5000"),
            (!(1..=100_000).contains(&self.import_errors_max), "import_errors_max", "1 to 100000"),
            (!(1..=1000).contains(&self.imports_running_max), "imports_running_max", "1 to 1000"),
            (!(1..=DAY_S).contains(&self.statement_time_s), "statement_time_s", "1 to 86400"),
            (!(1..=3650).contains(&self.imports_kept_days), "imports_kept_days", "1 to 3650"),
            (!(1..=10_000_000).contains(&self.bulk_rows_max), "bulk_rows_max", "1 to 10000000"),
            (!(1..=5000).contains(&self.bulk_batch_rows), "bulk_batch_rows", "1 to 5000"),
            (!(1..=1_000_000).contains(&self.bulk_mails_max), "bulk_mails_max", "1 to 1000000"),
            (!(1..=1_000_000).contains(&self.report_rows_max), "report_rows_max", "1 to 1000000"),
            (!(1..=10_000).contains(&self.clean_rows_max), "clean_rows_max", "1 to 10000"),
            (!(1..=100_000).contains(&self.supplier_pages_max), "supplier_pages_max", "1 to 100000"),
            (!(1..=100_000).contains(&self.person_rows_max), "person_rows_max", "1 to 100000"),
            (self.person_files_bytes_max > 3_000_000_000, "person_files_bytes_max", "0 to 3000000000"),
            (!(100..=100_000).contains(&self.erasure_audit_rows), "erasure_audit_rows", "100 to 100000"),
            (!(1..=1440).contains(&self.erasure_sign_in_minutes), "erasure_sign_in_minutes", "1 to 1440"),
            (!(1000..=100_000_000).contains(&self.supplier_page_bytes_max), "supplier_page_bytes_max", "1000 to 100000000"),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_possible() {
        assert_eq!(TransfersConfig::default().faults(), []);
        let config = TransfersConfig { import_batch_rows: 0, link_days: 366, ..TransfersConfig::default() };
        assert_eq!(config.faults().into_iter().map(|(key, _)| key).collect::<Vec<_>>(), ["link_days", "import_batch_rows"]);
    }
}
