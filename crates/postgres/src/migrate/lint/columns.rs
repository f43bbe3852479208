//! Rules about the types of columns: money is bigint minor units, time is timestamptz, statuses are text with a check.

use super::super::split::line_at;
use super::{Findings, Linted, Place};

/// Parts of a name that mean money.
const MONEY: [&str; 14] = [
    "amount", "price", "cost", "subtotal", "balance", "revenue", "payment", "deposit", "fee", "salary", "wage", "credit", "debit", "total",
];

/// Types that cannot hold money exactly, or not in minor units.
const NOT_MINOR_UNITS: [&str; 6] = ["numeric", "decimal", "real", "double", "float", "money"];

/// Checks one file.
pub(super) fn check(linted: &Linted<'_>, findings: &mut Findings<'_>) {
    if linted.place != Place::Up {
        return;
    }
    for statement in &linted.statements {
        let tokens = statement.tokens();
        if statement.begins_with(&["create", "type"]) && tokens.iter().any(|token| token.is("enum")) {
            findings.add(
                statement.line,
                "enum-type",
                "an enum is not leakproof to compare and cannot lose a value",
                "Use text with a check.",
            );
        }
        if !(statement.begins_with(&["create", "table"]) || statement.begins_with(&["alter", "table"])) {
            continue;
        }
        for (position, pair) in tokens.windows(2).enumerate() {
            let [name, kind] = pair else { continue };
            let line = statement.line + line_at(&statement.text, kind.start) - 1;
            let column = name.text.to_ascii_lowercase();
            let is_money = MONEY.iter().any(|word| column.split('_').any(|part| part == *word));
            if kind.is("money") || (is_money && NOT_MINOR_UNITS.iter().any(|word| kind.is(word))) {
                findings.add(
                    line,
                    "column-money-type",
                    format!("{column} is {}", kind.text),
                    "Money is bigint in minor units, with a currency.",
                );
            }
            let with_zone = tokens.get(position + 2).is_some_and(|token| token.is("with"))
                || (tokens.get(position + 2).is_some_and(|token| token.is_symbol("("))
                    && tokens.get(position + 5).is_some_and(|token| token.is("with")));
            if kind.is("timestamp") && !with_zone {
                findings.add(line, "column-timestamp-type", format!("{column} is a time without a zone"), "Use timestamptz.");
            }
        }
    }
}
