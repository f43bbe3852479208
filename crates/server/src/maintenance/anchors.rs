//! The newest digest of each company's audit, appended to a file in the data folder: whoever can rewrite the database wholly cannot
//! rewrite this, and whoever copies it elsewhere has proof of every day before.
//!
//! Invariant: the file is only ever appended to, also behind a line that was cut off. A line is the digest of a batch as it was read from
//! the database; one is known only when it stands in the file.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use kernel::{Error, Result};
use postgres::Sql;
use serde::{Deserialize, Serialize};

use super::{Maintenance, Outcome};

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
            Ok(kept) => known.extend(kept.anchors.into_iter().map(|anchor| (anchor.company_id, anchor.number))),
            Err(error) => tracing::warn!(%error, file = %file.display(), "the anchors cannot be read; all are written anew"),
        }
        Self { file, known }
    }

    /// Writes the digests that are new.
    pub(super) async fn pass(&mut self, maintenance: &Maintenance) -> Result<Outcome> {
        let tx = maintenance.bounded("anchors the audit").await?;
        // From one company's last batch to that of the next one, each by the key.
        let heads = tx
            .query(Sql::new(
                "with recursive heads as (
                   (select b.company_id, b.number, b.digest from app.audit_batches b order by b.company_id desc, b.number desc limit 1)
                   union all
                   select n.* from heads h cross join lateral (
                     select b.company_id, b.number, b.digest from app.audit_batches b
                      where b.company_id < h.company_id order by b.company_id desc, b.number desc limit 1) n
                 )
                 select h.company_id::text as company_id, h.number, encode(h.digest, 'hex') as digest from heads h",
            ))
            .await?;
        tx.rollback().await?;
        let at = jiff::Timestamp::now();
        let mut new = Vec::new();
        for head in &heads {
            let text = |column: &str| head.try_get::<_, String>(column).map_err(Error::internal);
            new.push(Anchor {
                at,
                company_id: text("company_id")?,
                number: head.try_get("number").map_err(Error::internal)?,
                digest: text("digest")?,
            });
        }
        self.add(new).map_err(Error::internal)?;
        Ok(Outcome::Done)
    }

    /// Appends what is not known yet. What could not be written is not known, and is written by the next pass.
    fn add(&mut self, mut heads: Vec<Anchor>) -> std::io::Result<()> {
        heads.retain(|head| {
            let before = self.known.get(&head.company_id).copied().unwrap_or_default();
            if head.number < before {
                let (company_id, number) = (&head.company_id, head.number);
                tracing::error!(
                    company_id,
                    number,
                    anchored = before,
                    "the end of this company's audit is gone: thorbis audit verify tells more"
                );
            }
            head.number > before
        });
        append(&self.file, &heads)?;
        self.known.extend(heads.into_iter().map(|head| (head.company_id, head.number)));
        Ok(())
    }
}

fn append(file: &Path, anchors: &[Anchor]) -> std::io::Result<()> {
    if anchors.is_empty() {
        return Ok(());
    }
    let mut file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(file)?;
    let mut lines = String::new();
    if ends_torn(&mut file)? {
        lines.push('\n');
    }
    for anchor in anchors {
        lines.push_str(&serde_json::to_string(anchor)?);
        lines.push('\n');
    }
    file.write_all(lines.as_bytes())?;
    file.sync_data()
}

/// Tells whether the last line was cut off by the end of whoever wrote it.
fn ends_torn(file: &mut File) -> std::io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// What stands in the file.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Whether there is a file.
    pub(crate) is_there: bool,
    pub(crate) anchors: Vec<Anchor>,
    /// Lines, counted from 1, that are no anchors and no beginnings of one, as a server that was killed leaves.
    pub(crate) garbled: Vec<u64>,
}

/// Reads all anchors.
pub(crate) fn read(file: &Path) -> std::io::Result<Kept> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Kept::default()),
        Err(error) => return Err(error),
    };
    let mut kept = Kept { is_there: true, ..Kept::default() };
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        match serde_json::from_slice(line) {
            Ok(anchor) => kept.anchors.push(anchor),
            Err(error) if error.is_eof() => {}
            Err(_) => kept.garbled.push(number),
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn anchor(number: i64) -> Anchor {
        Anchor { at: jiff::Timestamp::UNIX_EPOCH, company_id: "c".to_owned(), number, digest: "ab".to_owned() }
    }

    fn numbers(kept: &Kept) -> Vec<i64> {
        kept.anchors.iter().map(|anchor| anchor.number).collect()
    }

    #[test]
    fn a_line_that_was_cut_off_takes_no_other_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        append(&file, &[anchor(1), anchor(2)]).unwrap();
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() - 9]).unwrap();
        let mut anchors = Anchors::open(file.clone());
        anchors.add(vec![anchor(3)]).unwrap();
        anchors.add(vec![anchor(3)]).unwrap();
        let kept = read(&file).unwrap();
        assert_eq!((numbers(&kept), kept.garbled.len()), (vec![1, 3], 0));
    }

    #[test]
    fn what_could_not_be_written_is_written_later() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("not there yet").join(FILE);
        let mut anchors = Anchors::open(file.clone());
        anchors.add(vec![anchor(7)]).unwrap_err();
        std::fs::create_dir(file.parent().unwrap()).unwrap();
        anchors.add(vec![anchor(7)]).unwrap();
        assert_eq!(numbers(&read(&file).unwrap()), [7]);
    }

    #[test]
    fn no_file_and_lines_that_are_no_anchors_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        assert!(!read(&file).unwrap().is_there);
        std::fs::write(&file, b"{\"number\":1}\n\xff\xfe\nnot an anchor\n\n{\"at\":\"2026").unwrap();
        let kept = read(&file).unwrap();
        assert!(kept.is_there && kept.anchors.is_empty());
        assert_eq!(kept.garbled, [1, 2, 3]);
    }
}
