//! The tables whose changes are told: their columns, what tells their rows apart, and what nobody is told.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use kernel::{Cell, ChangedColumn, ChangedTable, Error, Result};

use crate::row::Row;

/// Schema and name of a table.
type Name = (Box<str>, Box<str>);

/// The tables of the feed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Tables {
    by_name: HashMap<Name, Arc<Columns>>,
    by_number: HashMap<u32, Arc<Columns>>,
}

/// What is known of a table's columns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Columns {
    schema: String,
    name: String,
    all: Vec<String>,
    key: Vec<String>,
    hidden: Vec<String>,
    computed: Vec<String>,
}

impl Tables {
    /// Takes the tables with their numbers.
    pub(super) fn new(tables: impl IntoIterator<Item = (u32, Columns)>) -> Self {
        let mut found = Self::default();
        for (number, columns) in tables {
            let columns = Arc::new(columns);
            found.by_name.insert((columns.schema.as_str().into(), columns.name.as_str().into()), Arc::clone(&columns));
            found.by_number.insert(number, columns);
        }
        found
    }

    /// Reads them from the rows of `app.feed_columns()`.
    pub(super) fn of(rows: &[Row]) -> Result<Self> {
        let read = |row: &Row| {
            let text = |name: &str| row.try_get::<_, String>(name).map_err(Error::internal);
            let list = |name: &str| serde_json::from_str(&text(name)?).map_err(Error::internal);
            let number: i64 = row.try_get("relation").map_err(Error::internal)?;
            let columns = Columns {
                schema: text("schema")?,
                name: text("name")?,
                all: list("columns")?,
                key: list("key")?,
                hidden: list("hidden")?,
                computed: list("computed")?,
            };
            Ok((u32::try_from(number).map_err(Error::internal)?, columns))
        };
        Ok(Self::new(rows.iter().map(read).collect::<Result<Vec<_>>>()?))
    }

    /// Returns what is known of a table.
    pub(super) fn named(&self, schema: &str, name: &str) -> Option<&Columns> {
        // A map that is asked for borrowed pairs would need a type of its own; tables are described once.
        self.by_name.get(&(schema.into(), name.into())).map(Arc::as_ref)
    }

    /// Returns what is known of a table by its number.
    pub(super) fn numbered(&self, number: u32) -> Option<&Columns> {
        self.by_number.get(&number).map(Arc::as_ref)
    }

    /// Returns their names.
    pub(super) fn names(&self) -> Arc<HashSet<Name>> {
        Arc::new(self.by_name.keys().cloned().collect())
    }
}

impl Columns {
    #[cfg(test)]
    pub(super) fn of_test(schema: &str, name: &str, all: &[&str], key: &[&str], hidden: &[&str]) -> Self {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self { schema: schema.to_owned(), name: name.to_owned(), all: list(all), key: list(key), hidden: list(hidden), computed: vec![] }
    }

    /// Tells whether a column is part of the key.
    pub(super) fn is_key(&self, column: &str) -> bool {
        self.key.iter().any(|known| known == column)
    }

    /// Tells whether nobody is told of a column.
    pub(super) fn is_hidden(&self, column: &str) -> bool {
        self.hidden.iter().any(|known| known == column)
    }

    /// Returns the table as its changes are told.
    pub(super) fn table(&self) -> ChangedTable {
        let columns = self.told().map(|(name, _)| ChangedColumn { name: name.as_str().into(), is_key: self.is_key(name) });
        ChangedTable { schema: self.schema.as_str().into(), name: self.name.as_str().into(), columns: columns.collect() }
    }

    /// Takes from a whole row what is told of it; nothing where the row has other columns.
    pub(super) fn cells(&self, mut row: Vec<Cell>) -> Option<Box<[Cell]>> {
        if row.len() != self.all.len() {
            return None;
        }
        let told = self.told().map(|(name, position)| match row.get_mut(position) {
            Some(cell) if !self.is_hidden(name) => std::mem::replace(cell, Cell::Untold),
            _ => Cell::Untold,
        });
        Some(told.collect())
    }

    fn told(&self) -> impl Iterator<Item = (&String, usize)> {
        self.all.iter().enumerate().filter(|(_, name)| !self.computed.contains(name)).map(|(position, name)| (name, position))
    }
}
