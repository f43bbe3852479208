//! Spans of transactions and statements, for whoever gathers traces.
//!
//! Invariant: what is told of a statement is its sort and how it ended: no text, no name, no value. Where nobody gathers, a span is none.

use kernel::Error;
use kernel::trace::TARGET;
use tracing::Span;
use tracing::field::Empty;

use crate::tx::Access;

/// What PostgreSQL is called in traces.
const SYSTEM: &str = "postgresql";
/// The sorts that are told apart.
const OPERATIONS: &[&str] = &["select", "insert", "update", "delete", "merge", "with", "call", "explain", "savepoint", "set"];

/// Begins the span of a transaction of several statements.
pub(crate) fn transaction(access: Access) -> Span {
    tracing::info_span!(target: TARGET, "transaction", system = SYSTEM, access = access.name(), code = Empty)
}

/// Begins the span of a statement that is a transaction of its own.
pub(crate) fn alone(access: Access) -> Span {
    tracing::info_span!(target: TARGET, "statement", system = SYSTEM, access = access.name(), operation = Empty, code = Empty)
}

/// Begins the span of a statement of a transaction.
pub(crate) fn within(transaction: &Span, text: &str) -> Span {
    tracing::info_span!(target: TARGET, parent: transaction, "statement", system = SYSTEM, operation = operation(text), code = Empty)
}

/// Notes what sort of statement it is.
pub(crate) fn note_operation(span: &Span, text: &str) {
    if !span.is_disabled() {
        span.record("operation", operation(text));
    }
}

/// Notes why it failed.
pub(crate) fn note_error(span: &Span, error: &Error) {
    span.record("code", error.code());
}

fn operation(text: &str) -> &'static str {
    let word = text.trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    OPERATIONS.iter().find(|known| known.eq_ignore_ascii_case(word)).copied().unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_statement_its_sort_is_told() {
        for (text, expected) in [
            ("select 1", "select"),
            ("\n  WITH x as (select 1) select * from x", "with"),
            ("savepoint thorbis_attempt", "savepoint"),
            ("selected", "other"),
            ("", "other"),
            ("'secret'", "other"),
        ] {
            assert_eq!(operation(text), expected, "{text}");
        }
    }
}
