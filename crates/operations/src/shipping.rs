//! Pieces of the log on their way from the folder where PostgreSQL puts them into the store.
//!
//! Invariant: a piece leaves the folder only when the store has it, and never over another of the same name. What cannot be kept waits, as
//! long as there is room for it; what is given up then is told, and no restore goes over the hole that it leaves.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use kernel::{Error, Kind, Result};
use tokio::task::spawn_blocking;

use crate::log_pieces;
use crate::vault::{Vault, lock};

/// What seals the log.
pub(crate) const PURPOSE: &str = "log";
/// Held while pieces are on their way.
const LOCK: &str = "log.lock";
/// A piece is never longer than that when it is opened.
const PIECE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How the folder was left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shipped {
    /// Pieces that were kept.
    pub pieces: usize,
    /// Pieces that were given up.
    pub lost: usize,
    /// How old the oldest is that still waits.
    pub lag: Duration,
}

struct Waiting {
    name: String,
    path: PathBuf,
    bytes: u64,
    since: SystemTime,
}

/// Returns a piece's name in the store.
pub(crate) fn object(source: &str, piece: &str) -> String {
    format!("{source}/log/{piece}")
}

/// Keeps every piece that waits. Returns how it went; the lag is told although the store cannot be reached.
pub async fn ship(vault: &Vault, source: &str, data: &Path) -> (Shipped, Result<()>) {
    let mut shipped = Shipped::default();
    let outcome = ship_all(vault, source, data, &mut shipped).await;
    match waiting(data).await {
        Ok(left) => {
            shipped.lag = left.iter().filter_map(|piece| piece.since.elapsed().ok()).max().unwrap_or_default();
            (shipped, outcome)
        }
        Err(error) => (shipped, outcome.and(Err(error))),
    }
}

async fn ship_all(vault: &Vault, source: &str, data: &Path, shipped: &mut Shipped) -> Result<()> {
    let Some(_lock) = lock(data, LOCK)? else { return Ok(()) };
    let mut pieces = waiting(data).await?;
    pieces.sort_by(|one, other| one.name.cmp(&other.name));
    let mut fault = None;
    let mut left = vec![];
    for piece in pieces {
        if fault.is_none() {
            match keep(vault, source, &piece).await {
                Ok(()) => {
                    shipped.pieces += 1;
                    continue;
                }
                Err(error) => fault = Some(error),
            }
        }
        left.push(piece);
    }
    let mut bytes: u64 = left.iter().map(|piece| piece.bytes).sum();
    for piece in &left {
        if bytes <= vault.config.waiting_bytes_max {
            break;
        }
        tracing::error!(piece = piece.name, "a piece of the log is given up, for there is no more room to wait for the store of backups");
        fs::remove_file(&piece.path).map_err(|error| failed(&piece.path, &error))?;
        bytes -= piece.bytes;
        shipped.lost += 1;
    }
    fault.map_or(Ok(()), Err)
}

async fn keep(vault: &Vault, source: &str, piece: &Waiting) -> Result<()> {
    let name = object(source, &piece.name);
    let path = piece.path.clone();
    let plain = spawn_blocking(move || fs::read(path)).await.map_err(Error::internal)?;
    let plain = plain.map_err(|error| failed(&piece.path, &error))?;
    match fetch(vault, source, &piece.name).await? {
        Some(kept) if kept == plain => {}
        Some(_) => {
            let message = format!("{name} in {} is of another server with the same history", vault.store.place());
            return Err(Error::new(Kind::Conflict, "log_diverged", message)
                .with_hint("two servers were restored from one backup: give this one a folder or a prefix of its own"));
        }
        None => {
            let level = vault.config.compression_level;
            let packed = spawn_blocking(move || zstd::bulk::compress(&plain, level)).await.map_err(Error::internal)?;
            let packed = packed.map_err(|error| failed(&piece.path, &error))?;
            vault.store.put(&name, vault.key.sealer(PURPOSE)?.seal(&name, packed)?).await?;
        }
    }
    fs::remove_file(&piece.path).map_err(|error| failed(&piece.path, &error))
}

/// Returns a piece of the store as PostgreSQL made it.
pub(crate) async fn fetch(vault: &Vault, source: &str, piece: &str) -> Result<Option<Vec<u8>>> {
    let name = object(source, piece);
    let Some(sealed) = vault.store.find(&name).await? else { return Ok(None) };
    let packed = vault.key.sealer(PURPOSE)?.open(&name, sealed)?;
    let plain = spawn_blocking(move || zstd::bulk::decompress(&packed, PIECE_BYTES_MAX)).await.map_err(Error::internal)?;
    plain.map(Some).map_err(|error| Error::new(Kind::Unprocessable, "backup_damaged", format!("{name} is damaged: {error}")))
}

async fn waiting(data: &Path) -> Result<Vec<Waiting>> {
    let folder = postgres::cluster::folders(data).archive;
    spawn_blocking(move || {
        let mut found = vec![];
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            entries => entries.map_err(|error| failed(&folder, &error))?,
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // What PostgreSQL is still writing begins with a dot.
            if !log_pieces::is_of_log(&name) || name.starts_with('.') {
                continue;
            }
            let meta = entry.metadata().map_err(|error| failed(&entry.path(), &error))?;
            let since = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            found.push(Waiting { name, path: entry.path(), bytes: meta.len(), since });
        }
        Ok(found)
    })
    .await
    .map_err(Error::internal)?
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::new(Kind::Internal, "backup_failed", format!("{} cannot be kept: {error}", path.display()))
}
