//! What changed in the database, as it is told to whoever keeps something that was read from it.
//!
//! Invariant: between [`FeedEvent::Opened`] and [`FeedEvent::Gap`] a listener hears of every transaction that changed a table of the feed.
//! After a gap nothing that it holds may be believed; what it reads anew counts from the floor of the next opening on.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use crate::CompanyId;

/// Somebody in this process who is told what changed. It is told in order, and must not keep the teller waiting.
pub trait ChangeListener: Send + Sync + 'static {
    /// Hears what happened.
    fn hear(&self, event: &FeedEvent);
}

/// What a listener is told.
#[derive(Clone, Debug)]
pub enum FeedEvent {
    /// From here on every change is told.
    Opened {
        /// What is read in a snapshot that has everything below this transaction counts; what is read in an older one may lack a change
        /// that is never told.
        floor: u64,
        /// The tables whose changes are told, as schema and name.
        tables: Arc<HashSet<(Box<str>, Box<str>)>>,
        /// Behind which place everything is told.
        place: Place,
        /// Which history of the database places are of: another one after a restore, a failover or a start of PostgreSQL, since what
        /// comes then may stand at places that had been other transactions' before.
        history: Arc<str>,
    },
    /// A transaction that was committed.
    Committed(Arc<ChangedRows>),
    /// Everything that was committed before this moment has been told.
    Beat(Instant),
    /// Changes were lost: what a listener holds is to be dropped.
    Gap(GapCause),
}

/// Why changes were lost.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum GapCause {
    /// The connection ended, or could not be made.
    Disconnected,
    /// The list of tables changed.
    TablesChanged,
    /// A transaction changed more than is kept in memory.
    TooLarge,
    /// A table was emptied as a whole.
    Truncated,
    /// The listener did not keep up.
    Overrun,
}

/// Where a transaction stands in the order of all changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// Where in PostgreSQL's log it ended.
    Log(u64),
    /// Among what became visible between two looks at the outbox.
    Outbox {
        /// The snapshot of the look before, as PostgreSQL writes it.
        before: Arc<str>,
        /// The snapshot of the look that found it.
        after: Arc<str>,
    },
}

/// The rows that one transaction changed, in its order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangedRows {
    /// The transaction.
    pub xid: u64,
    /// Where it stands in the order of all changes, which is the same on every server.
    pub place: Place,
    /// When it was committed, in microseconds since 1970; unknown where changes are polled.
    pub committed_at: Option<i64>,
    /// The rows.
    pub changes: Vec<Change>,
}

/// One row that changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The table; of a partition, the table that it is part of.
    pub table: Arc<ChangedTable>,
    /// What became of the row.
    pub kind: ChangeKind,
    /// Whose it is, where the table says so.
    pub company_id: Option<CompanyId>,
    /// How it is; none of a row that is gone. In the order of the table's columns.
    pub new: Option<Box<[Cell]>>,
    /// How it was, as far as it is told: its key of a row that is gone or has another key, all of it in tables that demand that.
    pub old: Option<Box<[Cell]>>,
}

/// What became of a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ChangeKind {
    /// It is new.
    Insert,
    /// It is another.
    Update,
    /// It is gone.
    Delete,
}

/// A table as its changes are told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangedTable {
    /// Its schema.
    pub schema: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// Its columns.
    pub columns: Box<[ChangedColumn]>,
}

/// A column of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangedColumn {
    /// Its name.
    pub name: Box<str>,
    /// Whether it is part of what tells the rows apart.
    pub is_key: bool,
}

/// A value of a row.
#[derive(Clone, PartialEq, Eq)]
pub enum Cell {
    /// SQL's null.
    Null,
    /// It is not told: it did not change and is large, or is not part of an old key.
    Untold,
    /// The value as PostgreSQL writes it.
    Text(Box<str>),
}

impl Change {
    /// Returns a value of the row as it is, or as it was where it is gone. Nothing where it is null or not told.
    pub fn value(&self, column: &str) -> Option<&str> {
        let row = self.new.as_ref().or(self.old.as_ref())?;
        self.table.cell(row, column)
    }

    /// Returns a value of the row as it was. Nothing where it is null or not told.
    pub fn old_value(&self, column: &str) -> Option<&str> {
        self.table.cell(self.old.as_ref()?, column)
    }

    /// Returns what tells the row apart: names and values.
    pub fn key(&self) -> impl Iterator<Item = (&str, &str)> {
        self.table.columns.iter().filter(|column| column.is_key).filter_map(|column| Some((&*column.name, self.value(&column.name)?)))
    }
}

impl ChangedTable {
    /// Returns a value of a row of this table. Nothing where it is null or not told.
    pub fn cell<'a>(&self, row: &'a [Cell], column: &str) -> Option<&'a str> {
        let position = self.columns.iter().position(|known| &*known.name == column)?;
        match row.get(position)? {
            Cell::Text(text) => Some(text),
            Cell::Null | Cell::Untold => None,
        }
    }

    /// Returns the company of a row, as far as the row says it. A company itself is its own.
    pub fn company_of(&self, row: &[Cell]) -> Option<CompanyId> {
        let column = if (&*self.schema, &*self.name) == ("public", "companies") { "id" } else { "company_id" };
        self.cell(row, column)?.parse().ok()
    }
}

impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the value: it is somebody's.
        f.write_str(match self {
            Self::Null => "Null",
            Self::Untold => "Untold",
            Self::Text(_) => "Text",
        })
    }
}

impl GapCause {
    /// Returns its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::TablesChanged => "tables_changed",
            Self::TooLarge => "too_large",
            Self::Truncated => "truncated",
            Self::Overrun => "overrun",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> Arc<ChangedTable> {
        let column = |name: &str, is_key| ChangedColumn { name: name.into(), is_key };
        let columns = Box::from([column("company_id", true), column("id", true), column("notes", false)]);
        Arc::new(ChangedTable { schema: "public".into(), name: name.into(), columns })
    }

    fn row(cells: [Option<&str>; 3]) -> Box<[Cell]> {
        cells.into_iter().map(|cell| cell.map_or(Cell::Null, |text| Cell::Text(text.into()))).collect()
    }

    #[test]
    fn a_row_that_is_gone_is_known_by_what_it_was() {
        let (company, id) = ("01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000009");
        let old = Some(row([Some(company), Some(id), None]));
        let change = Change { table: table("customers"), kind: ChangeKind::Delete, company_id: None, new: None, old };
        assert_eq!(change.key().collect::<Vec<_>>(), [("company_id", company), ("id", id)]);
        assert_eq!((change.value("notes"), change.old_value("id"), change.value("nothing")), (None, Some(id), None));
        assert!(!format!("{change:?}").contains(id), "values are nobody's business");
    }

    #[test]
    fn a_company_is_its_own() {
        let (company, id) = ("01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000009");
        let cells = row([Some(company), Some(id), None]);
        assert_eq!(table("customers").company_of(&cells).unwrap().to_string(), company);
        assert_eq!(table("companies").company_of(&cells).unwrap().to_string(), id);
    }
}
