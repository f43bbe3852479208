//! Price book, vendors, purchase orders and stock.

use serde_json::Value;

use crate::attempt::Outcome;
use crate::expectation::{Standing, Verb};
use crate::matrix::Expected;

/// Returns the rule that refuses to add, change or delete a row that is within reach.
pub(super) fn refusal(_who: &Standing, table: &str, verb: Verb, row: &Value) -> Option<Expected> {
    let is = |column: &str, values: &[&str]| values.iter().any(|value| row[column] == *value);
    let rule = |holds: bool, code| holds.then_some(Expected::Rule(code));
    let key = |holds: bool| holds.then_some(Expected::Refused(Outcome::Key));
    match (table, verb) {
        // The tree is taken down from its leaves, and a leaf with items stays.
        ("public.price_book_categories", Verb::Delete) if is("name", &["Heating"]) => rule(true, "category_has_subcategories"),
        ("public.price_book_categories", Verb::Delete) => rule(is("name", &["Furnaces"]), "category_has_items"),
        // The ledger names it.
        ("public.inventory_locations", Verb::Delete) => key(is("name", &["Warehouse"])),
        _ => None,
    }
}

/// Returns the rule that speaks before any wall: what is asked for is refused whatever row it stands in.
pub(super) fn refusal_before_walls(_who: &Standing, _table: &str, _row: &Value) -> Option<Expected> {
    None
}

/// Returns the rule that speaks before the key when a column of a row within reach is pointed elsewhere.
pub(super) fn refusal_to_point(who: &Standing, table: &str, column: &str, _row: &Value) -> Option<Expected> {
    match (table, column, who) {
        ("public.inventory", "price_book_item_id", _) => Some(Expected::Rule("stock_item_fixed")),
        // Who approved is stamped: what a member writes there is not looked at.
        ("public.purchase_orders", "approved_by", Standing::Member { .. }) => Some(Expected::Passed),
        _ => None,
    }
}
