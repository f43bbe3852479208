//! What one caller may reach of what a catalog says is there.
//!
//! Invariant: PostgreSQL itself was asked, in the caller's own transaction; nothing is remembered.

use std::collections::HashSet;

use kernel::{Error, Result};
use serde::Deserialize;

use super::{Function, Relation};
use crate::Sql;

const REACH: &str = include_str!("reach.sql");

/// Which relations and functions a role has any right to.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Reach {
    relations: HashSet<u32>,
    functions: HashSet<u32>,
}

impl Reach {
    /// Makes the question, to be asked in the caller's transaction; it answers one row with one text.
    pub fn question(schema: &str) -> Sql {
        let mut sql = Sql::default();
        let mut rest = REACH;
        while let Some((before, after)) = rest.split_once("$1") {
            sql.text(before).bind(schema);
            rest = after;
        }
        sql.text(rest);
        sql
    }

    /// Reads the answer.
    pub fn answer(document: &str) -> Result<Self> {
        serde_json::from_str(document).map_err(Error::internal)
    }

    /// Tells whether there is any right to it.
    pub fn relation(&self, relation: &Relation) -> bool {
        self.relations.contains(&relation.oid)
    }

    /// Tells whether it may be called.
    pub fn function(&self, function: &Function) -> bool {
        self.functions.contains(&function.oid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_a_bound_value() {
        let (text, values) = Reach::question("odd'; --").render();
        assert!(text.contains("$1::text") && text.contains("$2::text") && !text.contains("odd"));
        assert_eq!(values.len(), 2);
    }
}
