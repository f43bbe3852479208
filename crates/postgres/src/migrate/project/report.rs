//! What bringing a project did, for people to read and for programs to use.

use std::fmt;

use super::super::report::Ran;

/// What `up` of a project did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProjectReport {
    /// The files that were applied.
    pub applied: Vec<Ran>,
    /// The seeds that were run, with the rows their statements gave or changed.
    pub seeded: Vec<(String, u64)>,
    /// Files that were applied once and have another text now.
    pub changed: Vec<String>,
    /// Files that are no migrations by their name.
    pub ignored: Vec<String>,
    /// Statements that were passed over or answered otherwise, with the reason.
    pub notes: Vec<String>,
}

impl fmt::Display for ProjectReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ran in &self.applied {
            writeln!(f, "applied    {ran}")?;
        }
        for (file, rows) in &self.seeded {
            writeln!(f, "seeded     {file} ({rows} rows)")?;
        }
        if self.applied.is_empty() && self.seeded.is_empty() {
            writeln!(f, "nothing to apply")?;
        }
        for file in &self.changed {
            writeln!(f, "changed    {file} differs from what was applied, and is not applied again")?;
        }
        for file in &self.ignored {
            writeln!(f, "ignored    {file} is not named as migrations are")?;
        }
        for note in &self.notes {
            writeln!(f, "note       {note}")?;
        }
        Ok(())
    }
}
