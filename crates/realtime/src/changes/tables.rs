//! The tables whose changes may be subscribed to, and who reads what of them.
//!
//! Invariant: a column that somebody may not read, or not whole, or that is labelled secret, is not among those that he is told of, whatever
//! he asks for.

use std::collections::HashMap;
use std::sync::Arc;

use kernel::{Cell, ChangedTable, Error, Result};
use serde::Deserialize;

/// The tables at one moment.
#[derive(Debug, Default)]
pub(super) struct Tables(HashMap<(Box<str>, Box<str>), Arc<Table>>);

/// A table.
#[derive(Debug, Deserialize)]
pub(super) struct Table {
    /// Its place among the tables.
    #[serde(skip)]
    pub(super) number: usize,
    pub(super) schema: Box<str>,
    pub(super) name: Box<str>,
    /// Whether old rows are told whole.
    pub(super) is_whole: bool,
    /// The noun of its permissions, where it was declared.
    pub(super) noun: Option<Box<str>>,
    tenant_column: Option<Box<str>>,
    assigned_column: Option<Box<str>>,
    own_column: Option<Box<str>>,
    crew_column: Option<Box<str>>,
    /// Whether rows are also somebody's because of the row that they belong to.
    pub(super) has_parent: bool,
    /// Whether rows are marked as deleted by `deleted_at`.
    pub(super) soft_delete: bool,
    pub(super) columns: Box<[Column]>,
    /// The names of all columns, those that nobody is told of, too.
    names: Vec<Box<str>>,
    reaches: HashMap<Box<str>, Reach>,
}

/// A column.
#[derive(Debug, Deserialize)]
pub(super) struct Column {
    pub(super) name: Box<str>,
    /// The name of its type.
    #[serde(rename = "type")]
    pub(super) type_name: Box<str>,
    pub(super) type_schema: Box<str>,
    /// The name of the type below domains.
    pub(super) base: Box<str>,
    /// What sort of type that is, as `pg_type` has it.
    pub(super) sort: Box<str>,
    /// Of arrays the type of their values.
    pub(super) element: Option<Box<str>>,
    pub(super) is_key: bool,
    /// Whether it is told only to those who read it whole.
    #[serde(default)]
    pub(super) is_masked: bool,
}

/// What a role reads of a table.
#[derive(Debug, Deserialize)]
struct Reach {
    sight: Deciding,
    /// The columns; all where it is not said.
    columns: Option<Vec<Box<str>>>,
}

/// What decides which rows a role sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Deciding {
    /// It sees none.
    None,
    /// It sees all.
    All,
    /// The permissions, as the table was declared.
    Declared,
    /// Policies that only PostgreSQL knows.
    Ask,
}

/// Where the columns of a table stand in rows that are told.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) table: Arc<Table>,
    places: Box<[Option<usize>]>,
    /// Whether there are columns of which nothing is known.
    pub(super) is_news: bool,
}

impl Tables {
    /// Reads the document that `tables.sql` gives.
    pub(super) fn of(document: &str) -> Result<Self> {
        let tables: Vec<Table> = serde_json::from_str(document).map_err(Error::internal)?;
        let numbered = tables.into_iter().enumerate().map(|(number, table)| Table { number, ..table });
        Ok(Self(numbered.map(|table| ((table.schema.clone(), table.name.clone()), Arc::new(table))).collect()))
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns a table.
    pub(super) fn get(&self, schema: &str, name: &str) -> Option<&Arc<Table>> {
        self.0.get(&(Box::from(schema), Box::from(name)))
    }

    /// Returns the tables of a schema, or of all.
    pub(super) fn within<'a>(&'a self, schema: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Table>> {
        self.0.values().filter(move |table| schema.is_none_or(|schema| *table.schema == *schema))
    }

    /// Tells where the columns of a table stand in rows that are told; nothing of a table that may not be subscribed to.
    pub(super) fn layout(&self, told: &ChangedTable) -> Option<Layout> {
        let table = Arc::clone(self.get(&told.schema, &told.name)?);
        let place = |column: &Column| told.columns.iter().position(|told| told.name == column.name);
        let places = table.columns.iter().map(place).collect();
        let is_news = told.columns.iter().any(|column| !table.names.contains(&column.name));
        Some(Layout { table, places, is_news })
    }
}

impl Table {
    /// Returns the number of a column.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| *column.name == *name)
    }

    /// Returns what decides which rows a role sees.
    pub(super) fn deciding(&self, role: &str) -> Deciding {
        self.reaches.get(role).map_or(Deciding::None, |reach| reach.sight)
    }

    /// Tells whether a role reads a column.
    pub(super) fn reads(&self, role: &str, column: &Column) -> bool {
        self.reaches.get(role).is_some_and(|reach| reach.columns.as_ref().is_none_or(|columns| columns.contains(&column.name)))
    }

    pub(super) fn tenant(&self) -> Option<usize> {
        self.column(self.tenant_column.as_deref()?)
    }

    pub(super) fn assigned(&self) -> Option<usize> {
        self.column(self.assigned_column.as_deref()?)
    }

    pub(super) fn own(&self) -> Option<usize> {
        self.column(self.own_column.as_deref()?)
    }

    pub(super) fn crew(&self) -> Option<usize> {
        self.column(self.crew_column.as_deref()?)
    }

    /// Returns the columns of its key.
    pub(super) fn key(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(|(_, column)| column.is_key)
    }
}

impl Layout {
    /// Returns a value of a row, by the number of the table's column. What is not in the row is not told.
    pub(super) fn cell<'a>(&self, row: &'a [Cell], column: usize) -> &'a Cell {
        let cell = self.places.get(column).copied().flatten().and_then(|place| row.get(place));
        cell.unwrap_or(&Cell::Untold)
    }

    /// Returns a value of a row as text; nothing where it is null or not told.
    pub(super) fn text<'a>(&self, row: &'a [Cell], column: usize) -> Option<&'a str> {
        match self.cell(row, column) {
            Cell::Text(text) => Some(text),
            Cell::Null | Cell::Untold => None,
        }
    }
}
