//! One company as an archive: written from one snapshot, brought into another installation whole or not at all.
//!
//! Invariant: an archive counts only with its manifest, which is its last word; and an import ends well only if what is in the database
//! and in the files afterwards sums up to what the manifest says.

mod checking;
mod config;
mod export;
mod files;
mod ids;
mod import;
mod manifest;
mod packing;
mod sums;
mod unpacking;

pub use config::ArchiveConfig;
pub use export::export;
pub use import::{Import, Imported, import};
pub use kernel::Result;
pub use manifest::{FileSum, Header, Manifest, TableSum};

use kernel::{Error, Kind};

/// Refuses an archive.
fn invalid(message: impl Into<String>) -> Error {
    Error::new(Kind::Unprocessable, "company_archive_invalid", message.into())
        .with_hint("Nothing was imported. Copy the archive again, or export the company again.")
}

/// An archive that cannot be written or read where it is.
fn unreadable(doing: &str, path: &std::path::Path, cause: &std::io::Error) -> Error {
    Error::new(Kind::Unprocessable, "company_archive_invalid", format!("{} cannot be {doing}: {cause}", path.display()))
}
