//! Tells whether files changed, by when and how large they were written.
//!
//! Invariant: the stamp is taken before the content is read, so that a change in between is seen at the next look.

use std::path::Path;
use std::time::SystemTime;

/// How files were at one moment; a missing one too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stamp(Vec<Option<(SystemTime, u64)>>);

impl Stamp {
    /// Looks at the files.
    pub(crate) fn of(files: &[&Path]) -> Self {
        let stamp = |file: &&Path| {
            let data = std::fs::metadata(file).ok()?;
            Some((data.modified().ok()?, data.len()))
        };
        Self(files.iter().map(stamp).collect())
    }
}
