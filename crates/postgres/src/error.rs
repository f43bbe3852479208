//! What PostgreSQL says, as the one error of the house.
//!
//! Invariant: SQLSTATE `TH` and three digits is ours: the digits are the HTTP status, the constraint field is the stable code. All other
//! states keep their own five letters as the code, and their status is that of the PostgREST dialect.

use std::error::Error as _;

use kernel::{Error, Kind};

use crate::wire::{Fault, Refusal};

/// No connection became free within the limit.
pub const POOL_TIMEOUT: &str = "pool_timeout";
/// PostgreSQL cannot be reached.
pub const DATABASE_UNAVAILABLE: &str = "database_unavailable";

/// Two transactions waited for each other, and this one was ended.
pub const DEADLOCK: &str = "40P01";
/// What this transaction read was changed by another before it could write.
pub const SERIALIZATION_FAILURE: &str = "40001";

/// Whether the transaction was undone because of another one that ran at the same time: sent again it may succeed.
pub fn lost_a_race(error: &Error) -> bool {
    matches!(error.code(), DEADLOCK | SERIALIZATION_FAILURE)
}

/// What a refusal of PostgreSQL is about, by name; said in fields of its own, whatever language its messages are in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct About<'a> {
    /// The schema of the table.
    pub schema: Option<&'a str>,
    /// The table.
    pub table: Option<&'a str>,
    /// The column.
    pub column: Option<&'a str>,
    /// The constraint.
    pub constraint: Option<&'a str>,
}

/// Returns what a refusal of PostgreSQL is about; nothing of an error that is none.
pub fn about(error: &Error) -> Option<About<'_>> {
    let refusal: &Refusal = error.source()?.downcast_ref()?;
    Some(About {
        schema: refusal.schema.as_deref(),
        table: refusal.table.as_deref(),
        column: refusal.column.as_deref(),
        constraint: refusal.constraint.as_deref(),
    })
}

/// Seconds after which a client may come back when PostgreSQL is away.
const RETRY_AFTER_SECONDS: u32 = 1;

/// Turns what went wrong on a connection into our error.
pub(crate) fn from_wire(fault: Fault) -> Error {
    match fault {
        Fault::Refused(refusal) => from_database(&refusal).with_source(*refusal),
        Fault::Broken(cause) => unavailable(cause),
        Fault::Unsayable(cause) => Error::internal(cause),
    }
}

/// PostgreSQL is away, or the connection broke.
pub(crate) fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Unavailable, DATABASE_UNAVAILABLE, "The database cannot be reached")
        .with_retry_after(RETRY_AFTER_SECONDS)
        .with_source(source)
}

/// No connection became free in time.
pub(crate) fn pool_timeout() -> Error {
    Error::new(Kind::Unavailable, POOL_TIMEOUT, "Timed out acquiring connection from connection pool.")
        .with_retry_after(RETRY_AFTER_SECONDS)
}

fn from_database(said: &Refusal) -> Error {
    let state = said.state.as_str();
    let kind = Kind::from_status(status(state, &said.message));
    let code = match (own_status(state), &said.constraint) {
        (Some(_), Some(code)) => code.clone(),
        _ => state.to_owned(),
    };
    let mut error = Error::new(kind, code, said.message.clone());
    // Of a deadlock PostgreSQL tells processes and transactions, which are nobody's business.
    if let Some(detail) = said.detail.as_ref().filter(|_| state != DEADLOCK) {
        error = error.with_details(detail.clone());
    }
    if let Some(hint) = &said.hint {
        error = error.with_hint(hint.clone());
    }
    // It is shutting down, has no room, or another transaction went before: all of that passes.
    let passes = kind == Kind::Unavailable || matches!(state, DEADLOCK | SERIALIZATION_FAILURE);
    if passes { error.with_retry_after(RETRY_AFTER_SECONDS) } else { error }
}

/// Returns the status in `THnnn` and `PTnnn`: that of an error of the server where it is none.
fn own_status(state: &str) -> Option<u16> {
    let digits = state.strip_prefix("TH").or_else(|| state.strip_prefix("PT"))?;
    Some(digits.parse().ok().filter(|status| (200..1000).contains(status)).unwrap_or(500))
}

/// table: SQLSTATE to HTTP status, as the data API's dialect has it.
fn status(state: &str, message: &str) -> u16 {
    if let Some(status) = own_status(state) {
        return status;
    }
    match state {
        "21000" if message.ends_with("requires a WHERE clause") => 400,
        "22023" if message.starts_with("role ") && message.ends_with("does not exist") => 401,
        "23503" | "23505" => 409,
        "25006" => 405,
        // Without XML the function that makes it is not there: that form of an answer is not to be had.
        "42883" if message.starts_with("function xmlagg(") => 406,
        "42883" | "42P01" => 404,
        "42P17" | "53400" | "57014" => 500,
        "42501" => 403,
        "57P01" | "57P02" | "57P03" => 503,
        "P0001" => 400,
        _ => match state.get(..2) {
            Some("08" | "53") => 503,
            Some("0L" | "0P" | "28") => 403,
            Some("09" | "21" | "25" | "2D" | "38" | "39" | "3B" | "40" | "54" | "55" | "57" | "58" | "F0" | "HV" | "P0" | "XX") => 500,
            _ => 400,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{About, DEADLOCK, about, from_wire, lost_a_race, status};
    use crate::wire::{Fault, Refusal};
    use kernel::{Error, Kind};

    #[test]
    fn a_refusal_says_what_it_is_about_in_any_language() {
        let text = |text: &str| Some(text.to_owned());
        let refusal = Refusal {
            state: "23502".to_owned(),
            message: "NULL-Wert in Spalte »label« von Relation »seats« verletzt Not-Null-Constraint".to_owned(),
            schema: text("public"),
            table: text("seats"),
            column: text("label"),
            ..Refusal::default()
        };
        let error = from_wire(Fault::Refused(Box::new(refusal)));
        let expected = About { schema: Some("public"), table: Some("seats"), column: Some("label"), constraint: None };
        assert_eq!(about(&error), Some(expected));
        assert_eq!(about(&Error::new(Kind::BadRequest, "23502", "of our own")), None);
    }

    #[test]
    fn a_lost_race_keeps_what_postgresql_says_but_for_who_waited_and_says_that_it_passes() {
        let (message, detail) = ("deadlock detected", "Process 1 waits for ShareLock on transaction 2.");
        let refusal =
            Refusal { state: DEADLOCK.to_owned(), message: message.to_owned(), detail: Some(detail.to_owned()), ..Refusal::default() };
        let error = from_wire(Fault::Refused(Box::new(refusal)));
        assert!(lost_a_race(&error) && !lost_a_race(&Error::new(Kind::Internal, "40002", "")));
        assert_eq!((error.status().as_u16(), error.code(), error.retry_after_seconds()), (500, "40P01", Some(1)));
        assert_eq!(
            (error.message(), error.details(), error.hint()),
            (message, None, None),
            "whose processes they were is nobody's business"
        );
    }

    #[test]
    fn states_have_the_statuses_of_the_dialect() {
        for (state, expected) in [
            ("TH403", 403),
            ("TH422", 422),
            ("PT402", 402),
            // What is no status is an error of whoever wrote it.
            ("PT40A", 500),
            ("PT042", 500),
            ("PT799", 799),
            ("55000", 500),
            ("08006", 503),
            ("23505", 409),
            ("23503", 409),
            ("23502", 400),
            ("23514", 400),
            ("25006", 405),
            ("25P02", 500),
            ("28P01", 403),
            ("42501", 403),
            ("42P01", 404),
            ("42703", 400),
            ("42883", 404),
            ("42P17", 500),
            ("53300", 503),
            ("53400", 500),
            ("57P01", 503),
            ("57014", 500),
            ("P0001", 400),
            ("P0002", 500),
            ("XX000", 500),
            ("22P02", 400),
            ("40001", 500),
            ("2F005", 400),
            ("0L000", 403),
            ("22023", 400),
        ] {
            assert_eq!(status(state, ""), expected, "{state}");
        }
        assert_eq!(status("42883", "function xmlagg(json) does not exist"), 406);
        assert_eq!(status("22023", "role \"nobody\" does not exist"), 401);
        assert_eq!(status("21000", "UPDATE requires a WHERE clause"), 400);
        assert_eq!(status("21000", "more than one row"), 500);
    }
}
