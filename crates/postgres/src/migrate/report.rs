//! What a run did and how things stand, for people to read and for programs to use.

use std::fmt;
use std::time::Duration;

use super::history::{Applied, Disagreement};
use super::session::Notice;

/// One file that was run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ran {
    /// The version.
    pub version: String,
    /// The name.
    pub name: String,
    /// How long it took.
    pub duration: Duration,
    /// How often it was tried, for want of a lock.
    pub tries: u32,
    /// How many rows its backfills changed.
    pub rows: u64,
}

/// What `up` did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UpReport {
    /// The migrations that were applied.
    pub applied: Vec<Ran>,
    /// A backfill that was stopped on the way and goes on at the next `up`.
    pub unfinished: Option<Ran>,
    /// Whether functions, triggers, policies and views were replaced.
    pub code_replaced: bool,
    /// How many cells of the permission matrix changed.
    pub permissions_changed: u64,
    /// Tables made elsewhere on which row security was now forced.
    pub enclosed: Vec<String>,
    /// Rights that are missing, and what does not work without them.
    pub degraded: Vec<Notice>,
    /// Objects that were changed by hand since the last run: `+`, `-` or `~` and the object.
    pub schema_drift: Vec<String>,
    /// The checksum of the schema afterwards.
    pub fingerprint: String,
}

impl UpReport {
    /// Whether no migration, no code and no guard of a table was needed.
    pub(super) fn changed_nothing(&self) -> bool {
        self.applied.is_empty() && self.unfinished.is_none() && !self.code_replaced && self.enclosed.is_empty()
    }
}

/// What `down` did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DownReport {
    /// The migrations that were taken back, newest first.
    pub reverted: Vec<Ran>,
}

/// A backfill that is not at its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unfinished {
    /// The version of its migration.
    pub version: String,
    /// The table.
    pub table: String,
    /// Rows changed so far.
    pub rows_done: i64,
}

/// How the database stands to the source.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// What is applied, oldest first.
    pub applied: Vec<Applied>,
    /// What `up` would apply: version and name.
    pub pending: Vec<(String, String)>,
    /// Where the book and the source disagree. `up` refuses while there is any.
    pub disagreements: Vec<Disagreement>,
    /// Whether the code in the database is that of the source.
    pub code_current: bool,
    /// Objects that were changed by hand since the last `up`: `+`, `-` or `~` and the object.
    pub schema_drift: Vec<String>,
    /// Backfills on their way.
    pub unfinished: Vec<Unfinished>,
    /// Indexes that a failed concurrent build left behind.
    pub invalid_indexes: Vec<String>,
    /// Tables on which row security is not forced.
    pub unforced: Vec<String>,
}

impl Status {
    /// Whether nothing is pending and nothing differs.
    pub fn is_current(&self) -> bool {
        self.pending.is_empty()
            && self.disagreements.is_empty()
            && self.code_current
            && self.schema_drift.is_empty()
            && self.unfinished.is_empty()
            && self.invalid_indexes.is_empty()
            && self.unforced.is_empty()
    }
}

/// What `seed` did: file and rows that its statements gave or changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SeedReport {
    /// The files in their order.
    pub files: Vec<(String, u64)>,
}

/// What the proof of up, down and up again found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProofReport {
    /// The versions whose way back leads exactly to what was before.
    pub reversible: Vec<String>,
    /// How many objects the schema has.
    pub objects: usize,
    /// The checksum of the schema, the same both times.
    pub fingerprint: String,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{} ({} ms", self.version, self.name, self.duration.as_millis())?;
        if self.rows > 0 {
            write!(f, ", {} rows", self.rows)?;
        }
        if self.tries > 1 {
            write!(f, ", {} tries", self.tries)?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for more in [&self.detail, &self.hint].into_iter().flatten() {
            write!(f, "; {more}")?;
        }
        Ok(())
    }
}

impl fmt::Display for UpReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ran in &self.applied {
            writeln!(f, "applied    {ran}")?;
        }
        if let Some(ran) = &self.unfinished {
            writeln!(f, "stopped in {ran}; the next up goes on there")?;
        }
        if self.applied.is_empty() && self.unfinished.is_none() {
            writeln!(f, "nothing to apply")?;
        }
        if self.code_replaced {
            writeln!(f, "code       replaced")?;
        }
        if self.permissions_changed > 0 {
            writeln!(f, "permissions {} changed", self.permissions_changed)?;
        }
        for table in &self.enclosed {
            writeln!(f, "row security forced on {table}")?;
        }
        for object in &self.schema_drift {
            writeln!(f, "drift      {object}")?;
        }
        for notice in &self.degraded {
            writeln!(f, "degraded   {notice}")?;
        }
        Ok(())
    }
}

impl fmt::Display for DownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ran in &self.reverted {
            writeln!(f, "taken back {ran}")?;
        }
        if self.reverted.is_empty() {
            writeln!(f, "nothing to take back")?;
        }
        Ok(())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.applied {
            writeln!(f, "applied  {}_{}  {}  {} ms", row.version, row.name, row.applied_at, row.duration_ms)?;
        }
        for (version, name) in &self.pending {
            writeln!(f, "pending  {version}_{name}")?;
        }
        for found in &self.disagreements {
            writeln!(f, "wrong    {found}")?;
        }
        if !self.code_current {
            writeln!(f, "code     differs from the source; up replaces it")?;
        }
        for object in &self.schema_drift {
            writeln!(f, "drift    {object}")?;
        }
        for backfill in &self.unfinished {
            writeln!(f, "backfill {} of {} stopped after {} rows; up goes on there", backfill.version, backfill.table, backfill.rows_done)?;
        }
        for index in &self.invalid_indexes {
            writeln!(f, "invalid  {index}")?;
        }
        for table in &self.unforced {
            writeln!(f, "unforced {table}: row security is not forced")?;
        }
        if self.is_current() {
            writeln!(f, "current")?;
        }
        Ok(())
    }
}

impl fmt::Display for SeedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (file, rows) in &self.files {
            writeln!(f, "seeded {file} ({rows} rows)")?;
        }
        Ok(())
    }
}

impl fmt::Display for ProofReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for version in &self.reversible {
            writeln!(f, "up, down, up {version}: the same")?;
        }
        writeln!(f, "all up, all down, all up: the same {} objects, {}", self.objects, self.fingerprint)
    }
}
