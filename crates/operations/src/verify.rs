//! Whether what was kept is what was kept: sums of every part, and every piece of the log that a backup needs.

use kernel::{Error, Kind, Result};

use crate::manifest::{BackupKind, Manifest};
use crate::vault::Vault;
use crate::{dumping, files, log_pieces, parts, shipping};

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Parts of the backup.
    pub parts: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Pieces of the log, from the copy's first to the last that was kept.
    pub pieces: usize,
    /// Files of companies.
    pub files: usize,
}

/// Reads everything that a restore of this backup to the newest moment would read, and checks it.
pub async fn verify(vault: &Vault, manifest: &Manifest) -> Result<Verified> {
    let mut verified = Verified::default();
    for part in manifest.streams.values().flatten() {
        parts::check(&vault.store, part).await?;
        verified.parts += 1;
        verified.bytes += part.bytes;
    }
    if let (BackupKind::Base, Some(log)) = (manifest.kind, &manifest.log) {
        let at = |name: &str| log_pieces::place(name).unwrap_or_default();
        let mut next = at(&log.first);
        let mut pieces: Vec<String> = vec![];
        for object in vault.store.list(&format!("{}/log/", manifest.source)).await? {
            let name = object.name.rsplit_once('/').map_or("", |(_, name)| name);
            if log_pieces::place(name).is_some_and(|place| place >= next) {
                pieces.push(name.to_owned());
            }
        }
        pieces.sort_by_key(|name| log_pieces::place(name));
        for piece in &pieces {
            // After a restore two timelines have a piece of one place.
            let place = at(piece);
            if place > next {
                return Err(hole(next));
            }
            shipping::fetch(vault, &manifest.source, piece).await?.ok_or_else(|| hole(place))?;
            next = place + 1;
            verified.pieces += 1;
        }
        if next <= at(&log.last) {
            return Err(hole(next));
        }
        verified.files = files::verify(vault, &manifest.source).await?;
    }
    if manifest.kind == BackupKind::Dump {
        dumping::recount(vault, manifest).await?;
        verified.files = files::verify(vault, &manifest.source).await?;
    }
    Ok(verified)
}

fn hole(place: u64) -> Error {
    Error::new(
        Kind::NotFound,
        "log_gap",
        format!("The log has a hole at piece {place}: nothing behind it can be restored from this backup"),
    )
}
