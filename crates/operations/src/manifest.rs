//! What a backup consists of. A backup whose manifest is not there is none.
//!
//! Invariant: the manifest is written last, and its text is vouched for by the recovery key: what was changed in it, and what was made
//! with another key, is told apart and refused.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kernel::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::key::RecoveryKey;
use crate::parts::Part;
use crate::store::Store;

/// The layout of manifests.
const FORMAT: u32 = 1;
/// The name of a manifest in the folder of its backup.
const FILE: &str = "manifest.json";

/// What a backup is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackupKind {
    /// All files of a private cluster.
    Base,
    /// The rows of a database, as statements.
    Dump,
}

/// A backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The layout of this text.
    pub format: u32,
    /// Its name: when it was begun, and of what it is.
    pub id: String,
    /// What it is of.
    pub kind: BackupKind,
    /// The cluster's number, or the database's name.
    pub source: String,
    /// PostgreSQL's major version.
    pub major: u32,
    /// When it was begun.
    pub started_at: Timestamp,
    /// When it was complete.
    pub finished_at: Timestamp,
    /// Which key sealed it.
    pub key_id: String,
    /// The first and the last piece of the log that it needs.
    pub log: Option<LogRange>,
    /// Its streams of parts.
    pub streams: BTreeMap<String, Vec<Part>>,
    /// Rows of every table, where they were counted.
    #[serde(default)]
    pub rows: BTreeMap<String, i64>,
}

/// Pieces of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogRange {
    /// The first.
    pub first: String,
    /// The last.
    pub last: String,
}

#[derive(Serialize)]
struct Vouched<'a> {
    manifest: &'a RawValue,
    mac: &'a str,
}

#[derive(Deserialize)]
struct Stored<'a> {
    #[serde(borrow)]
    manifest: &'a RawValue,
    mac: String,
}

impl Manifest {
    /// Returns the layout that is written.
    pub(crate) fn format() -> u32 {
        FORMAT
    }

    /// Returns its bytes in the store.
    pub fn bytes(&self) -> u64 {
        self.streams.values().flatten().map(|part| part.bytes).sum()
    }

    /// Returns a stream's parts.
    pub(crate) fn stream(&self, name: &str) -> Result<&[Part]> {
        let missing = || Error::new(Kind::Unprocessable, "backup_incomplete", format!("The backup {} has no {name}", self.id));
        self.streams.get(name).map(Vec::as_slice).ok_or_else(missing)
    }

    /// Returns where the backup's parts are.
    pub(crate) fn folder(source: &str, id: &str) -> String {
        format!("{source}/backups/{id}")
    }

    /// Keeps it: from now on the backup counts.
    pub(crate) async fn keep(&self, store: &Store, key: &RecoveryKey) -> Result<()> {
        let text = serde_json::to_string(self).map_err(Error::internal)?;
        let mac = key.mac(text.as_bytes());
        let raw = RawValue::from_string(text).map_err(Error::internal)?;
        let stored = serde_json::to_vec(&Vouched { manifest: &raw, mac: &mac }).map_err(Error::internal)?;
        store.put(&format!("{}/{FILE}", Self::folder(&self.source, &self.id)), stored).await
    }

    /// Reads a manifest of this key.
    fn read(name: &str, bytes: &[u8], key: &RecoveryKey) -> Result<Self> {
        let damaged = || Error::new(Kind::Unprocessable, "backup_damaged", format!("{name} is damaged"));
        let stored: Stored<'_> = serde_json::from_slice(bytes).map_err(|_quotes_it| damaged())?;
        let text = stored.manifest.get();
        let manifest: Self = serde_json::from_str(text).map_err(|_quotes_it| damaged())?;
        if manifest.key_id != key.id() {
            let message = format!("The backup {} was sealed with the key {}, and this is {}", manifest.id, manifest.key_id, key.id());
            return Err(Error::new(Kind::Unprocessable, "recovery_key_wrong", message));
        }
        if !key.vouches(text.as_bytes(), &stored.mac) || manifest.format != FORMAT {
            return Err(damaged());
        }
        Ok(manifest)
    }
}

/// A backup that cannot be used, and why.
#[derive(Debug)]
pub struct Unusable {
    /// The name of its manifest.
    pub name: String,
    /// Why.
    pub error: Error,
}

/// All backups of a store.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Those that are complete, the oldest first.
    pub backups: Vec<Manifest>,
    /// Those whose manifest is damaged or of another key.
    pub unusable: Vec<Unusable>,
    /// Names of parts that belong to no complete backup, by the folder of the backup that they were to be.
    pub unfinished: BTreeMap<String, Vec<String>>,
}

/// Looks at what there is. `source` narrows it to one cluster or database.
pub async fn catalog(store: &Store, key: &RecoveryKey, source: Option<&str>) -> Result<Catalog> {
    let mut catalog = Catalog::default();
    let mut folders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for object in store.list(&source.map(|source| format!("{source}/backups/")).unwrap_or_default()).await? {
        let mut steps = object.name.split('/');
        if let (Some(source), Some("backups"), Some(id), Some(_)) = (steps.next(), steps.next(), steps.next(), steps.next()) {
            folders.entry(Manifest::folder(source, id)).or_default().push(object.name);
        }
    }
    for (folder, names) in folders {
        let name = format!("{folder}/{FILE}");
        if !names.contains(&name) {
            catalog.unfinished.insert(folder, names);
            continue;
        }
        match Manifest::read(&name, &store.get(&name).await?, key) {
            Ok(manifest) => catalog.backups.push(manifest),
            Err(error) => catalog.unusable.push(Unusable { name, error }),
        }
    }
    catalog.backups.sort_by_key(|manifest| manifest.started_at);
    Ok(catalog)
}

/// Takes a backup away: first its manifest, so that it counts no more whatever happens then.
pub(crate) async fn remove(store: &Store, manifest: &Manifest) -> Result<()> {
    let folder = Manifest::folder(&manifest.source, &manifest.id);
    store.delete(&format!("{folder}/{FILE}")).await?;
    for object in store.list(&format!("{folder}/")).await? {
        store.delete(&object.name).await?;
    }
    Ok(())
}
