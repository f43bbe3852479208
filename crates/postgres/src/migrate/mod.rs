//! Brings a database to what the files of `db/` say, and back: migrations, code, permissions, seeds, and the checks around
//! them. The connection is the migrator's login, never the server's.
//!
//! Invariant: a file that fails leaves nothing behind, and nothing runs over a book that disagrees with the source.

mod apply;
mod backfill;
pub mod company;
mod error;
mod expand;
mod fingerprint;
mod grants;
mod guard;
mod header;
mod history;
mod lex;
mod lint;
mod new;
mod options;
mod permissions;
mod plan;
mod project;
mod prove;
mod report;
mod reset;
mod run;
pub mod scale;
mod seed;
mod session;
mod source;
mod split;
mod status;

pub use error::{
    ARGUMENT, CHECKSUM, COMPANY_ACCOUNT, COMPANY_ARCHIVE, COMPANY_EXISTS, CONNECT, CONTROL, DOWN_MISSING, FAILED, HEADER, LOCKED, MISSING,
    NAME, NOT_FORCED, NOT_RERUNNABLE, NOT_REVERSIBLE, OUT_OF_ORDER, OWNER_POLICY, PERMISSIONS, PROJECT_DUMP, PROJECT_EXTENSION,
    PROJECT_LOGIN, PROJECT_NAME, PROJECT_SOURCE, ROWS, SCALE_IN_USE, SCALE_INVALID, SCALE_NOT_EMPTY, SCALE_WRONG, SERVER_LOGIN, SOURCE,
    UNDECLARED,
};
pub use fingerprint::Fingerprint;
pub use history::{Applied, Disagreement};
pub use lint::{Finding, lint};
pub use new::{Change, NewMigration, new};
pub use options::{Back, Options};
pub use permissions::{Cell, parse as parse_permissions};
pub use project::{Bring, Compared, ImportReport, Origin, Project, ProjectReport};
pub use report::{DownReport, ProofReport, Ran, SeedReport, Status, Unfinished, UpReport};
pub use seed::Seeds;
pub use session::{Migrator, Notice};
pub use source::Source;
