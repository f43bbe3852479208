//! Named recovery points, kept beside the backups: whoever has lost the database cannot look them up in it.

use jiff::Timestamp;
use kernel::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

use crate::vault::Vault;

const PURPOSE: &str = "checkpoints";

/// A moment with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Its name.
    pub name: String,
    /// Where the log was.
    pub position: String,
    /// When.
    pub created_at: Timestamp,
}

/// Keeps a point. Of two of one name the later counts.
pub(crate) async fn keep(vault: &Vault, source: &str, point: &Checkpoint) -> Result<()> {
    let name = format!("{source}/checkpoints/{:015}", point.created_at.as_millisecond());
    let text = serde_json::to_vec(point).map_err(Error::internal)?;
    vault.store.put(&name, vault.key.sealer(PURPOSE)?.seal(&name, text)?).await
}

/// Returns all points of a cluster, or of all of them, the oldest first.
pub async fn list(vault: &Vault, source: Option<&str>) -> Result<Vec<Checkpoint>> {
    let sealer = vault.key.sealer(PURPOSE)?;
    let mut points: Vec<Checkpoint> = vec![];
    for object in vault.store.list(&source.map(|source| format!("{source}/checkpoints/")).unwrap_or_default()).await? {
        if object.name.split('/').nth(1) == Some("checkpoints") {
            let text = sealer.open(&object.name, vault.store.get(&object.name).await?)?;
            points.push(serde_json::from_slice(&text).map_err(Error::internal)?);
        }
    }
    points.sort_by_key(|point| point.created_at);
    Ok(points)
}

/// Finds a point by its name.
pub(crate) async fn find(vault: &Vault, source: Option<&str>, name: &str) -> Result<Checkpoint> {
    let found = list(vault, source).await?.into_iter().rev().find(|point| point.name == name);
    found.ok_or_else(|| Error::new(Kind::NotFound, "checkpoint_not_found", format!("There is no recovery point named {name} in the store")))
}
