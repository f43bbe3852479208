//! Backups that restore: copies of a private cluster with its log, files and keys; dumps of a database elsewhere.
//!
//! Invariant: nothing leaves this crate unsealed, and nothing counts as a backup that was not complete.

mod changing;
mod checkpoints;
mod config;
mod copying;
mod drill;
mod dump_drill;
mod dump_keeper;
mod dump_rows;
mod dumping;
mod files;
mod keeper;
mod key;
mod log_pieces;
mod manifest;
mod parts;
mod restore;
mod retention;
mod shipping;
mod store;
mod undumping;
mod vault;
mod verify;

pub use changing::{Moment, name_moment};
pub use checkpoints::{Checkpoint, list as checkpoints};
pub use config::{BackupConfig, S3Config};
pub use copying::create;
pub use drill::{Drill, drill, last_drill};
pub use dump_drill::{can_practise, drill_dump};
pub use dump_keeper::DumpKeeper;
pub use dumping::{Elsewhere, create_dump};
pub use keeper::{Entry, Journal, Keeper, backup_entry, drill_entry};
pub use kernel::Result;
pub use key::RecoveryKey;
pub use manifest::{BackupKind, Catalog, LogRange, Manifest, Unusable, catalog};
pub use parts::Part;
pub use restore::{Restored, Target, Wanted, restore, settle};
pub use shipping::{Shipped, ship};
pub use store::{Object, Store};
pub use undumping::{Undumped, restore_dump};
pub use vault::{Original, Vault};
pub use verify::{Verified, verify};
