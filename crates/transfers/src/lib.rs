//! Work over many rows: exports, imports and taking them back, changes, letters to many, reports, what suppliers offer,
//! what is known of a person and erasing him. Each is a task; what it reads and makes as a
//! file goes through the port [`kernel::Blobs`].
//!
//! Invariant: a task does what whoever put it in may do, asked anew in each of its transactions; however many rows there are, a bounded number
//! is in memory; what is written of them is written once, whatever dies in between.

pub mod config;

mod bulk;
mod exports;
mod failing;
mod files;
mod imports;
mod links;
mod privacy;
mod reports;
mod state;
mod suppliers;

pub use bulk::{BulkEmail, BulkUpdate};
pub use config::TransfersConfig;
pub use exports::{DataExport, router as exports_router};
pub use imports::{DataImport, UndoImport, router as imports_router};
pub use privacy::{ErasePerson, router as privacy_router};
pub use reports::GenerateReport;
pub use state::{Transfers, TransfersOptions};
pub use suppliers::{SyncIntegration, router as suppliers_router};

/// Adds the kinds of this crate.
pub fn kinds(kinds: queue::Kinds, transfers: &Transfers) -> queue::Kinds {
    kinds
        .with(DataExport(transfers.clone()))
        .with(DataImport(transfers.clone()))
        .with(UndoImport(transfers.clone()))
        .with(BulkUpdate(transfers.clone()))
        .with(BulkEmail(transfers.clone()))
        .with(GenerateReport(transfers.clone()))
        .with(SyncIntegration(transfers.clone()))
        .with(ErasePerson(transfers.clone()))
}
