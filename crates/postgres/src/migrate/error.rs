//! The errors of migrations: each with a stable code, the place, and what to do.
//!
//! Invariant: what PostgreSQL said (SQLSTATE, message, detail) is kept; no connection string and no password gets in here.

use kernel::{Error, Kind};
use serde_json::json;
use tokio_postgres::error::{DbError, ErrorPosition};

use super::split::{Statement, line_at};

/// A statement of a file failed.
pub const FAILED: &str = "migration_failed";
/// Another migrator holds the lock.
pub const LOCKED: &str = "migration_locked";
/// An applied file differs from the one that was applied.
pub const CHECKSUM: &str = "migration_changed";
/// An applied version is not in the source.
pub const MISSING: &str = "migration_missing";
/// A file is older than one already applied.
pub const OUT_OF_ORDER: &str = "migration_out_of_order";
/// A file's name is not `YYYYMMDDHHMMSS_verb_name.up.sql` or `.down.sql`, or stands twice.
pub const NAME: &str = "migration_name";
/// A header line is wrong.
pub const HEADER: &str = "migration_header";
/// There is no file to go back with.
pub const DOWN_MISSING: &str = "down_missing";
/// The rows changed are not the rows announced.
pub const ROWS: &str = "backfill_rows_mismatch";
/// A statement changes rows and the file does not say how many.
pub const UNDECLARED: &str = "backfill_undeclared";
/// A forced table lacks the owner's policy.
pub const OWNER_POLICY: &str = "owner_policy_missing";
/// A file leaves a table without forced row security.
pub const NOT_FORCED: &str = "row_security_not_forced";
/// A file ends its transaction or changes the role.
pub const CONTROL: &str = "statement_not_allowed";
/// A file outside a transaction holds a statement that could not be run again.
pub const NOT_RERUNNABLE: &str = "statement_not_rerunnable";
/// `permissions.toml` is wrong.
pub const PERMISSIONS: &str = "permissions_invalid";
/// The server login is not there.
pub const SERVER_LOGIN: &str = "server_login_missing";
/// The source cannot be read or written.
pub const SOURCE: &str = "migration_source";
/// The database cannot be reached.
pub const CONNECT: &str = "migrator_connection";
/// The proof of the downs failed.
pub const NOT_REVERSIBLE: &str = "migration_not_reversible";
/// What was asked for is not possible.
pub const ARGUMENT: &str = "migration_argument";
/// A scale seed was asked for where there are companies already.
pub const SCALE_NOT_EMPTY: &str = "scale_not_empty";
/// Somebody else is connected while a scale seed would switch rules off.
pub const SCALE_IN_USE: &str = "scale_in_use";
/// The scale is not a number that makes sense.
pub const SCALE_INVALID: &str = "scale_invalid";
/// The rows of a scale seed do not hold what their triggers promise.
pub const SCALE_WRONG: &str = "scale_rows_wrong";
/// A folder holds no project.
pub const PROJECT_SOURCE: &str = "project_source";
/// The login that runs a project's files is not let in.
pub const PROJECT_LOGIN: &str = "project_login_refused";
/// A project makes something by a name of ours.
pub const PROJECT_NAME: &str = "project_name_taken";
/// The schema of a project elsewhere cannot be read.
pub const PROJECT_DUMP: &str = "project_dump_failed";
/// A project needs an extension that is not there.
pub const PROJECT_EXTENSION: &str = "project_extension_missing";

/// A company, or its slug, is there already.
pub const COMPANY_EXISTS: &str = "company_archive_exists";
/// An archive is not whole, not what was exported, or not of this schema.
pub const COMPANY_ARCHIVE: &str = "company_archive_invalid";
/// An account here claims the address of a member without proof.
pub const COMPANY_ACCOUNT: &str = "company_archive_account";

/// Makes an error with what to do about it.
pub(super) fn refused(code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::new(Kind::Conflict, code, message.into()).with_hint(hint)
}

/// Makes an error for a wrong header line.
pub(super) fn header(file: &str, line: usize, why: &str) -> Error {
    Error::new(Kind::Unprocessable, HEADER, format!("{file}:{line}: {why}")).with_details(json!({ "file": file, "line": line }))
}

/// Makes an error at a statement of a file.
pub(super) fn at(code: &'static str, file: &str, line: usize, why: &str) -> Error {
    Error::new(Kind::Conflict, code, format!("{file}:{line}: {why}")).with_details(json!({ "file": file, "line": line }))
}

/// Makes an error for something that is wrong in the source itself.
pub(super) fn source(message: impl Into<String>) -> Error {
    Error::new(Kind::Unprocessable, SOURCE, message.into())
}

/// Makes an error from a failed statement: file, line (where PostgreSQL points to, else of the statement), SQLSTATE, message.
pub(super) fn statement(file: &str, statement: &Statement, cause: tokio_postgres::Error) -> Error {
    let Some(db) = cause.as_db_error() else { return connection(cause) };
    let line = match db.position() {
        Some(ErrorPosition::Original(position)) => statement.line + line_of_character(&statement.text, *position) - 1,
        _ => statement.line,
    };
    let place = db.where_().map(|context| format!("\n{context}")).unwrap_or_default();
    let detail = db.detail().map(|detail| format!("\n{detail}")).unwrap_or_default();
    let message = format!("{file}:{line}: {} {}{detail}{place}", db.code().code(), db.message());
    let details = json!({ "file": file, "line": line, "sqlstate": db.code().code(), "constraint": db.constraint(),
        "statement": shortened(&statement.text) });
    with_hint(Error::new(Kind::Conflict, FAILED, message).with_details(details), db).with_source(cause)
}

/// Makes an error from a failed statement of the runner's own.
pub(super) fn query(cause: tokio_postgres::Error) -> Error {
    let Some(db) = cause.as_db_error() else { return connection(cause) };
    let message = format!("{} {}", db.code().code(), db.message());
    let details = json!({ "sqlstate": db.code().code(), "constraint": db.constraint() });
    with_hint(Error::new(Kind::Conflict, FAILED, message).with_details(details), db).with_source(cause)
}

/// Makes an error from a connection that could not be made or broke.
pub(super) fn connection(cause: tokio_postgres::Error) -> Error {
    let message = match cause.as_db_error() {
        Some(db) => format!("PostgreSQL refused the migrator's login: {} {}", db.code().code(), db.message()),
        None => format!("The migrator's connection to PostgreSQL failed: {cause}"),
    };
    Error::new(Kind::Unavailable, CONNECT, message)
        .with_hint("Is the database running, and are host, user and password right?")
        .with_source(cause)
}

/// Returns the SQLSTATE that an error carries.
pub(super) fn sqlstate(error: &Error) -> Option<&str> {
    error.details()?.get("sqlstate")?.as_str()
}

/// Whether trying again may help: a lock was not had in time, a deadlock, two migrators of one cluster at the same row.
pub(super) fn may_retry(error: &Error) -> bool {
    let concurrently = sqlstate(error) == Some("XX000") && error.message().contains("concurrently updated");
    concurrently || matches!(sqlstate(error), Some("55P03" | "40P01" | "40001"))
}

fn with_hint(error: Error, db: &DbError) -> Error {
    match db.hint() {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// PostgreSQL counts characters from 1.
fn line_of_character(text: &str, position: u32) -> usize {
    let characters = usize::try_from(position).unwrap_or(usize::MAX).saturating_sub(1);
    let byte = text.char_indices().nth(characters).map_or(text.len(), |(byte, _)| byte);
    line_at(text, byte)
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(200).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
