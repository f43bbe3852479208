//! What an import brought, and whether both sides are the same now.

use std::fmt;

/// One table after an import.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Compared {
    /// The table.
    pub table: String,
    /// Rows that this run added or changed.
    pub brought: u64,
    /// Rows there.
    pub rows_there: i64,
    /// Rows here.
    pub rows_here: i64,
    /// Whether counts and checksums agree.
    pub same: bool,
}

/// What `import supabase` did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImportReport {
    /// The tables in the order in which they were brought.
    pub tables: Vec<Compared>,
    /// What was passed over or answered otherwise, with the reason.
    pub notes: Vec<String>,
}

impl ImportReport {
    /// Whether every table has the same rows on both sides.
    pub fn is_same(&self) -> bool {
        self.tables.iter().all(|table| table.same)
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Compared { table, brought, rows_there, rows_here, same } in &self.tables {
            let word = if *same { "same   " } else { "DIFFERS" };
            writeln!(f, "{word}    {table}: {rows_there} rows there, {rows_here} here, {brought} brought now")?;
        }
        for note in &self.notes {
            writeln!(f, "note       {note}")?;
        }
        Ok(())
    }
}
