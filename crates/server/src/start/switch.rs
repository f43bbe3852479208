//! A restored data folder takes the place of the one that is there.
//!
//! Invariant: what is to be done is written down before it begins, so that a switch that was cut off is finished by whoever takes the data
//! folder next; what was there before is kept aside, whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{StartError, write_private};

/// What is to be done.
const FILE: &str = "restore.json";
/// What changes its place.
const ENTRIES: &[&str] = &["postgres", "secrets", "keys.json", "files", "audit-anchors.jsonl"];

/// What changes its place when the cluster alone does.
const CLUSTER: &[&str] = &["postgres"];
/// What the folder begins with in which a new major version of PostgreSQL takes over.
pub(crate) const UPGRADE: &str = "upgrade-";

/// A switch that was begun.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    stage: PathBuf,
    aside: PathBuf,
    /// Whether only the cluster changes its place.
    #[serde(default)]
    cluster_alone: bool,
}

/// Puts what is in `stage` in the place of what is there, which goes to `aside`. Both are new folders beside it.
pub(crate) fn switch(data: &Path, stage: &Path, aside: &Path) -> Result<(), StartError> {
    begin(data, &Switch { stage: stage.to_owned(), aside: aside.to_owned(), cluster_alone: false })
}

/// Puts the cluster of `stage` in the place of the one that is there; keys and files stay.
pub(crate) fn switch_cluster(data: &Path, stage: &Path, aside: &Path) -> Result<(), StartError> {
    begin(data, &Switch { stage: stage.to_owned(), aside: aside.to_owned(), cluster_alone: true })
}

fn begin(data: &Path, switch: &Switch) -> Result<(), StartError> {
    write_private(&data.join(FILE), &serde_json::to_string(switch).map_err(kernel::Error::internal)?)?;
    finish(data)
}

/// Leaves a data folder as one that can be worked with: what was begun is finished, and an upgrade of the cluster that was cut off is forgotten.
pub(crate) async fn settle(data: &Path) -> Result<(), StartError> {
    finish(data)?;
    for entry in fs::read_dir(data).map_err(|source| StartError::File { path: data.to_owned(), source })?.flatten() {
        let is_stage =
            entry.file_name().to_str().and_then(|name| name.strip_prefix(UPGRADE)).is_some_and(|rest| rest.parse::<u32>().is_ok());
        if is_stage && entry.path().is_dir() {
            postgres::cluster::forget_stage(data, &entry.path()).await?;
        }
    }
    Ok(())
}

/// Finishes a switch that was begun, if one was.
pub(crate) fn finish(data: &Path) -> Result<(), StartError> {
    let path = data.join(FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(StartError::File { path, source }),
    };
    let Switch { stage, aside, cluster_alone } = serde_json::from_str(&text).map_err(kernel::Error::internal)?;
    let moved = move_all(data, &stage, &aside, if cluster_alone { CLUSTER } else { ENTRIES });
    moved.and_then(|()| fs::remove_file(&path)).map_err(|source| StartError::File { path, source })
}

fn move_all(data: &Path, stage: &Path, aside: &Path, entries: &[&str]) -> io::Result<()> {
    fs::create_dir_all(aside)?;
    for name in entries {
        let (new, here, old) = (stage.join(name), data.join(name), aside.join(name));
        // What is not in the stage any more was moved already; what the stage never had stays aside.
        let is_moved = !new.try_exists()? && old.try_exists()?;
        if !is_moved && here.try_exists()? && !old.try_exists()? {
            fs::rename(&here, &old)?;
        }
        if new.try_exists()? {
            fs::rename(&new, &here)?;
        }
    }
    File::open(data)?.sync_all()?;
    if stage.try_exists()? { fs::remove_dir_all(stage) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn fill(folder: &Path, word: &str) {
        fs::create_dir_all(folder.join("postgres")).unwrap();
        fs::create_dir_all(folder.join("secrets")).unwrap();
        fs::write(folder.join("postgres/word"), word).unwrap();
        fs::write(folder.join("keys.json"), word).unwrap();
    }

    fn word(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap()
    }

    #[test]
    fn a_cluster_alone_leaves_keys_and_passwords_where_they_are() {
        for cut in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            let (data, stage, aside) = (folder.path(), folder.path().join("upgrade-18"), folder.path().join("before-upgrade-15-1"));
            fill(data, "old");
            fill(&stage, "new");
            let text = serde_json::to_string(&Switch { stage: stage.clone(), aside: aside.clone(), cluster_alone: true }).unwrap();
            fs::write(data.join(FILE), text).unwrap();
            fs::create_dir_all(&aside).unwrap();
            for (from, to) in
                [(data.join("postgres"), aside.join("postgres")), (stage.join("postgres"), data.join("postgres"))].iter().take(cut)
            {
                fs::rename(from, to).unwrap();
            }
            finish(data).unwrap();
            assert_eq!((word(data, "postgres/word"), word(data, "keys.json")), ("new".into(), "old".into()), "cut after {cut}");
            assert_eq!(word(&aside, "postgres/word"), "old");
            assert!(!stage.is_dir() && !aside.join("keys.json").is_file() && data.join("secrets").is_dir());
        }
    }

    #[test]
    fn a_switch_that_was_cut_off_anywhere_is_finished() {
        for cut in 0..4 {
            let folder = tempfile::tempdir().unwrap();
            let (data, stage, aside) = (folder.path(), folder.path().join("restore-1"), folder.path().join("before-1"));
            fill(data, "old");
            fill(&stage, "new");
            fs::write(data.join("audit-anchors.jsonl"), "old").unwrap();
            let text = serde_json::to_string(&Switch { stage: stage.clone(), aside: aside.clone(), cluster_alone: false }).unwrap();
            fs::write(data.join(FILE), text).unwrap();
            let steps = [
                (data.join("postgres"), aside.join("postgres")),
                (stage.join("postgres"), data.join("postgres")),
                (data.join("secrets"), aside.join("secrets")),
            ];
            fs::create_dir_all(&aside).unwrap();
            for (from, to) in steps.iter().take(cut) {
                fs::rename(from, to).unwrap();
            }
            finish(data).unwrap();
            finish(data).unwrap();
            assert_eq!((word(data, "postgres/word"), word(data, "keys.json")), ("new".into(), "new".into()), "cut after {cut}");
            assert_eq!((word(&aside, "postgres/word"), word(&aside, "keys.json")), ("old".into(), "old".into()));
            assert_eq!(word(&aside, "audit-anchors.jsonl"), "old");
            assert!(!stage.is_dir() && !data.join(FILE).is_file() && !data.join("audit-anchors.jsonl").is_file());
        }
    }
}
