//! The newest digest of each company's audit, appended to a file in the data folder: whoever can rewrite the database wholly cannot
//! rewrite this, and whoever copies it elsewhere has proof of every day before.
//!
//! Invariant: the file is only ever appended to. A line is the digest of a batch as it was read from the database.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use kernel::{Error, Result};
use postgres::Sql;
use serde::{Deserialize, Serialize};

use crate::backend::Backend;

/// Its name in the data folder.
pub(crate) const FILE: &str = "audit-anchors.jsonl";

/// One line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Anchor {
    pub(crate) at: jiff::Timestamp,
    pub(crate) company_id: String,
    pub(crate) number: i64,
    pub(crate) digest: String,
}

/// The file, and what stands in it already.
pub(super) struct Anchors {
    file: PathBuf,
    known: HashMap<String, i64>,
}

impl Anchors {
    pub(super) fn open(file: PathBuf) -> Self {
        let mut known = HashMap::new();
        match read(&file) {
            Ok(anchors) => known.extend(anchors.into_iter().map(|anchor| (anchor.company_id, anchor.number))),
            Err(error) => tracing::warn!(%error, file = %file.display(), "the anchors cannot be read; all are written anew"),
        }
        Self { file, known }
    }

    /// Writes the digests that are new.
    pub(super) async fn pass(&mut self, backend: &Backend) -> Result<()> {
        let tx = backend.begin_own("anchors the audit").await?;
        let heads = tx
            .query(Sql::new(
                "select distinct on (b.company_id) b.company_id::text as company_id, b.number, encode(b.digest, 'hex') as digest
                   from app.audit_batches b order by b.company_id, b.number desc",
            ))
            .await?;
        tx.rollback().await?;
        let at = jiff::Timestamp::now();
        let mut lines = String::new();
        for head in &heads {
            let text = |column: &str| head.try_get::<_, String>(column).map_err(Error::internal);
            let anchor = Anchor {
                at,
                company_id: text("company_id")?,
                number: head.try_get("number").map_err(Error::internal)?,
                digest: text("digest")?,
            };
            let before = self.known.get(&anchor.company_id).copied().unwrap_or_default();
            if anchor.number < before {
                let (company_id, number) = (&anchor.company_id, anchor.number);
                tracing::error!(
                    company_id,
                    number,
                    anchored = before,
                    "the end of this company's audit is gone: thorbis audit verify tells more"
                );
            }
            if anchor.number > before {
                lines.push_str(&serde_json::to_string(&anchor).map_err(Error::internal)?);
                lines.push('\n');
                self.known.insert(anchor.company_id, anchor.number);
            }
        }
        append(&self.file, &lines).map_err(Error::internal)
    }
}

fn append(file: &Path, lines: &str) -> std::io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(file)?;
    file.write_all(lines.as_bytes())?;
    file.sync_data()
}

/// Reads all anchors; a file that is not there has none.
pub(crate) fn read(file: &Path) -> std::io::Result<Vec<Anchor>> {
    let opened = match std::fs::File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut anchors = Vec::new();
    for line in BufReader::new(opened).lines() {
        // The last line of a server that was killed may be cut off.
        if let Ok(anchor) = serde_json::from_str(&line?) {
            anchors.push(anchor);
        }
    }
    Ok(anchors)
}
