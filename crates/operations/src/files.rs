//! Files of companies: kept once, and listed each time that somebody looks.
//!
//! Invariant: a list names only what is kept whole. A file that was kept before and did not change since is not read again; what no list
//! names any more is taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use kernel::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use crate::parts::{self, Part};
use crate::vault::Vault;

const PURPOSE: &str = "files";
/// Bytes of a list when it is opened.
const LIST_BYTES_MAX: usize = 1024 * 1024 * 1024;

/// A file as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    path: String,
    bytes: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    parts: Vec<Part>,
}

/// Lists every file, keeps those that are new, and returns when it began to look and how many there are.
pub(crate) async fn look(vault: &Vault, source: &str, folder: &Path) -> Result<(Timestamp, usize)> {
    let begun = Timestamp::now();
    let before = match lists(vault, source).await?.last() {
        Some((_, name)) => read_list(vault, name).await?,
        None => vec![],
    };
    let mut known: BTreeMap<String, Kept> = before.iter().map(|kept| (kept.path.clone(), kept.clone())).collect();
    let root = folder.to_owned();
    let found = spawn_blocking(move || walk(&root)).await.map_err(Error::internal)?.map_err(|error| failed(folder, &error))?;
    let mut list = Vec::with_capacity(found.len());
    for (number, seen) in found.into_iter().enumerate() {
        let same = known.remove(&seen.path).filter(|kept| kept.bytes == seen.bytes && kept.modified == seen.modified);
        let kept = match same {
            Some(kept) => Some(kept),
            None => keep(vault, &format!("{source}/files/{:015}-{number:07}", begun.as_millisecond()), folder, seen).await?,
        };
        list.extend(kept);
    }
    if list != before || list.is_empty() {
        let name = format!("{source}/lists/{:015}", begun.as_millisecond());
        let text = serde_json::to_vec(&list).map_err(Error::internal)?;
        let packed = zstd::bulk::compress(&text, vault.config.compression_level).map_err(Error::internal)?;
        vault.store.put(&name, vault.key.sealer(PURPOSE)?.seal(&name, packed)?).await?;
    }
    Ok((begun, list.len()))
}

/// Keeps one file; nothing if it went away meanwhile.
async fn keep(vault: &Vault, prefix: &str, folder: &Path, seen: Kept) -> Result<Option<Kept>> {
    let path = folder.join(&seen.path);
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| failed(&path, &error))?,
    };
    let sealer = vault.key.sealer(PURPOSE)?;
    let mut file = file;
    let written = parts::write((&vault.store, &sealer), prefix, vault.shape(), move |to| {
        let mut to = to;
        io::copy(&mut file, &mut to)
    });
    let (parts, bytes) = written.await?;
    Ok(Some(Kept { bytes, parts, ..seen }))
}

/// Puts back what was there at a moment: all that the list before it and the list after it name. What was made and deleted between two
/// looks is not there; what was deleted since the first of them comes back and harms nobody.
pub(crate) async fn restore(vault: &Vault, source: &str, at: Option<Timestamp>, folder: &Path) -> Result<usize> {
    let lists = lists(vault, source).await?;
    let before = lists.iter().rev().find(|(when, _)| at.is_none_or(|at| *when <= at));
    let after = at.and_then(|at| lists.iter().find(|(when, _)| *when > at));
    let mut wanted = BTreeMap::new();
    for (_, name) in before.into_iter().chain(after) {
        wanted.extend(read_list(vault, name).await?.into_iter().map(|kept| (kept.path.clone(), kept)));
    }
    let sealer = vault.key.sealer(PURPOSE)?;
    for kept in wanted.values() {
        let relative = Path::new(&kept.path);
        if !relative.components().all(|step| matches!(step, Component::Normal(_))) {
            return Err(Error::new(Kind::Unprocessable, "backup_damaged", "A list of files names one outside of their folder"));
        }
        let path = folder.join(relative);
        let write = move |from: &mut dyn io::Read| {
            let mut from = from;
            let parent = path.parent().unwrap_or(Path::new("/"));
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            io::copy(&mut from, &mut file)?;
            file.sync_all()
        };
        parts::read((&vault.store, &sealer), &kept.parts, vault.shape(), write).await?;
    }
    Ok(wanted.len())
}

/// Checks the parts of all files that the newest list names. Returns how many files there are.
pub(crate) async fn verify(vault: &Vault, source: &str) -> Result<usize> {
    let Some((_, name)) = lists(vault, source).await?.pop() else { return Ok(0) };
    let list = read_list(vault, &name).await?;
    for part in list.iter().flat_map(|kept| &kept.parts) {
        parts::check(&vault.store, part).await?;
    }
    Ok(list.len())
}

/// Takes lists away that no kept backup and no second of the window needs, and then files that no list names.
pub(crate) async fn forget(vault: &Vault, source: &str, needed: impl Fn(Timestamp) -> bool) -> Result<()> {
    let lists = lists(vault, source).await?;
    let last_before = |at: Timestamp| lists.iter().rev().find(|(when, _)| *when <= at).map(|(_, name)| name.clone());
    let (mut kept, mut gone) = (BTreeSet::new(), vec![]);
    for (index, (when, name)) in lists.iter().enumerate() {
        let until = lists.get(index + 1).map_or(Timestamp::MAX, |(next, _)| *next);
        if index + 1 == lists.len() || needed(*when) || needed(until) {
            kept.insert(name.clone());
            kept.extend(last_before(*when));
        } else {
            gone.push(name.clone());
        }
    }
    let mut named = BTreeSet::new();
    for name in &kept {
        named.extend(read_list(vault, name).await?.into_iter().flat_map(|kept| kept.parts).map(|part| part.name));
    }
    for name in gone {
        vault.store.delete(&name).await?;
    }
    for object in vault.store.list(&format!("{source}/files/")).await? {
        if !named.contains(&object.name) {
            vault.store.delete(&object.name).await?;
        }
    }
    Ok(())
}

/// Returns all lists with their times, the oldest first.
async fn lists(vault: &Vault, source: &str) -> Result<Vec<(Timestamp, String)>> {
    let time = |name: &str| Timestamp::from_millisecond(name.rsplit_once('/')?.1.parse().ok()?).ok();
    let found = vault.store.list(&format!("{source}/lists/")).await?;
    Ok(found.into_iter().filter_map(|object| Some((time(&object.name)?, object.name))).collect())
}

async fn read_list(vault: &Vault, name: &str) -> Result<Vec<Kept>> {
    let packed = vault.key.sealer(PURPOSE)?.open(name, vault.store.get(name).await?)?;
    let text = zstd::bulk::decompress(&packed, LIST_BYTES_MAX).map_err(Error::internal)?;
    serde_json::from_slice(&text).map_err(Error::internal)
}

fn walk(root: &Path) -> io::Result<Vec<Kept>> {
    let (mut found, mut open) = (vec![], vec![PathBuf::new()]);
    while let Some(below) = open.pop() {
        let entries = match fs::read_dir(root.join(&below)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let (path, kind) = (below.join(entry.file_name()), entry.file_type()?);
            if kind.is_dir() {
                open.push(path);
            } else if let (true, Some(path)) = (kind.is_file(), path.to_str()) {
                let meta = match entry.metadata() {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    meta => meta?,
                };
                found.push(Kept { path: path.to_owned(), bytes: meta.len(), modified: (meta.mtime(), meta.mtime_nsec()), parts: vec![] });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::new(Kind::Internal, "backup_failed", format!("{} cannot be kept: {error}", path.display()))
}
