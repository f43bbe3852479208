//! Which table's column a view's column is, read from the view's rule.
//!
//! Invariant: only the outermost list of columns counts, never one of a query inside; what is computed comes from nowhere. A rule that
//! cannot be read gives nothing.

use std::collections::HashMap;

use serde::Deserialize;

/// How many views may stand on each other.
const VIEWS_MAX: usize = 32;

/// A column by the numbers that PostgreSQL gives relations and columns.
pub(super) type Place = (u32, i16);

/// A view and the tree of its rule, as `pg_rewrite` keeps it.
#[derive(Debug, Deserialize)]
pub(super) struct View {
    oid: u32,
    rule: String,
}

/// Where the columns of all views come from, one step down.
#[derive(Debug, Default)]
pub(super) struct Lineage(HashMap<Place, Place>);

impl Lineage {
    pub(super) fn of(views: &[View]) -> Self {
        let origins = views.iter().flat_map(|view| origins(&view.rule).into_iter().map(|(number, origin)| ((view.oid, number), origin)));
        Self(origins.collect())
    }

    /// Returns the column of a table that this one is, through all views between.
    pub(super) fn origin(&self, column: Place) -> Option<Place> {
        let mut place = *self.0.get(&column)?;
        for _ in 0..VIEWS_MAX {
            match self.0.get(&place) {
                Some(below) => place = *below,
                None => return Some(place),
            }
        }
        None
    }
}

/// Reads the entries of the outermost column list that are plain columns: number, and where it comes from.
fn origins(rule: &str) -> Vec<(i16, Place)> {
    /// Braces around an entry: its own and the query's.
    const ENTRY_DEPTH: usize = 2;
    let (mut depth, mut entry, mut found) = (0_usize, String::new(), Vec::new());
    let mut characters = rule.chars();
    while let Some(c) = characters.next() {
        match c {
            '{' => {
                depth = depth.saturating_add(1);
                if depth == ENTRY_DEPTH {
                    entry.clear();
                }
            }
            '}' => {
                if depth == ENTRY_DEPTH {
                    found.extend(plain_column(&entry));
                }
                depth = depth.saturating_sub(1);
            }
            // In a name; which character it is does not matter.
            '\\' => {
                characters.next();
                entry.push('_');
            }
            other if depth == ENTRY_DEPTH => entry.push(other),
            _ => {}
        }
    }
    found
}

/// Reads `TARGETENTRY :expr :resno 1 :resname a :ressortgroupref 0 :resorigtbl 7 :resorigcol 2 :resjunk false`.
fn plain_column(entry: &str) -> Option<(i16, Place)> {
    let words: Vec<&str> = entry.split_whitespace().collect();
    let [
        "TARGETENTRY",
        ..,
        ":resno",
        number,
        ":resname",
        _,
        ":ressortgroupref",
        _,
        ":resorigtbl",
        table,
        ":resorigcol",
        column,
        ":resjunk",
        "false",
    ] = words.as_slice()
    else {
        return None;
    };
    let table = table.parse().ok().filter(|table| *table != 0)?;
    Some((number.parse().ok()?, (table, column.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rule in the form of PostgreSQL's: a plain column with an odd name, one of a query inside, a computed one, another plain one.
    const RULE: &str = r"({QUERY :commandType 1 :rtable ({RANGETBLENTRY :eref {ALIAS :colnames (a\ \{b\} c)} :subquery {QUERY :targetList
        ({TARGETENTRY :expr {VAR :varno 1} :resno 1 :resname x :ressortgroupref 0 :resorigtbl 99 :resorigcol 9 :resjunk false})}}) :targetList
        ({TARGETENTRY :expr {VAR :varno 3 :location 54} :resno 1 :resname a\ \{b\}\ c :ressortgroupref 0 :resorigtbl 7 :resorigcol 2 :resjunk false}
        {TARGETENTRY :expr {SUBLINK :subselect {QUERY :targetList ({TARGETENTRY :expr {VAR :varno 1} :resno 1 :resname y :ressortgroupref 0
        :resorigtbl 98 :resorigcol 8 :resjunk false})}} :resno 2 :resname n :ressortgroupref 0 :resorigtbl 0 :resorigcol 0 :resjunk false}
        {TARGETENTRY :expr {VAR :varno 3} :resno 3 :resname :resno :ressortgroupref 1 :resorigtbl 7 :resorigcol 5 :resjunk false}
        {TARGETENTRY :expr {VAR :varno 3} :resno 4 :resname <> :ressortgroupref 1 :resorigtbl 7 :resorigcol 6 :resjunk true}) :override 0})";

    #[test]
    fn only_plain_columns_of_the_outermost_query_come_from_somewhere() {
        assert_eq!(origins(RULE), [(1, (7, 2)), (3, (7, 5))]);
    }

    #[test]
    fn what_cannot_be_read_gives_nothing() {
        for text in ["", "}}}", "{{{", "({QUERY {TARGETENTRY :resno 1}})", r"\"] {
            assert_eq!(origins(text), [], "{text}");
        }
    }

    #[test]
    fn views_on_views_lead_to_the_table() {
        let view = |oid, from: u32| View {
            oid,
            rule: format!(
                "({{QUERY :targetList ({{TARGETENTRY :expr {{VAR}} :resno 1 :resname a :ressortgroupref 0 :resorigtbl {from} :resorigcol 1 :resjunk false}})}})"
            ),
        };
        let lineage = Lineage::of(&[view(3, 2), view(2, 1), view(8, 9), view(9, 8)]);
        assert_eq!((lineage.origin((3, 1)), lineage.origin((2, 1))), (Some((1, 1)), Some((1, 1))));
        assert_eq!((lineage.origin((1, 1)), lineage.origin((3, 2))), (None, None));
        assert_eq!(lineage.origin((8, 1)), None, "a circle, which there cannot be, has no end");
    }
}
