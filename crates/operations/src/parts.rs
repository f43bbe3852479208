//! Long streams as sealed parts of a bounded size.
//!
//! Invariant: at most three parts are in memory, whatever the stream is long; a part is kept before the next but one is made.

use std::io::{self, Read, Write};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use kernel::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::config::BackupConfig;
use crate::key::{Sealer, sha256};
use crate::store::Store;

/// One sealed part, as the manifest lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name in the store.
    pub name: String,
    /// Its bytes there.
    pub bytes: u64,
    /// The SHA-256 of these.
    pub sha256: String,
}

/// How parts are made and read.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) part_bytes: usize,
    pub(crate) level: i32,
    pub(crate) reads_at_once: usize,
}

impl Shape {
    pub(crate) fn of(config: &BackupConfig) -> Self {
        Self { part_bytes: config.part_bytes, level: config.compression_level, reads_at_once: config.reads_at_once }
    }
}

/// Compresses, cuts and seals what `produce` writes, and keeps it under names that begin so.
pub(crate) async fn write<T: Send + 'static>(
    (store, sealer): (&Store, &Sealer),
    prefix: &str,
    shape: Shape,
    produce: impl FnOnce(&mut dyn Write) -> io::Result<T> + Send + 'static,
) -> Result<(Vec<Part>, T)> {
    let (sender, mut pieces) = mpsc::channel(1);
    let cutter = Cutter { piece: Vec::new(), size: shape.part_bytes, sender };
    let producer = spawn_blocking(move || {
        let mut compressed = zstd::Encoder::new(cutter, shape.level)?;
        let made = produce(&mut compressed)?;
        compressed.finish()?.end()?;
        io::Result::Ok(made)
    });
    let mut parts = vec![];
    while let Some(piece) = pieces.recv().await {
        let name = format!("{prefix}.{:06}", parts.len());
        let bytes = sealer.seal(&name, piece)?;
        parts.push(Part { bytes: size(bytes.len()), sha256: sha256(&bytes), name: name.clone() });
        store.put(&name, bytes).await?;
    }
    let made = producer.await.map_err(Error::internal)?;
    Ok((parts, made.map_err(|error| failed("written", &error))?))
}

/// Gives what the parts hold to `consume`, checked and opened.
pub(crate) async fn read<T: Send + 'static>(
    (store, sealer): (&Store, &Sealer),
    parts: &[Part],
    shape: Shape,
    consume: impl FnOnce(&mut dyn Read) -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, pieces) = mpsc::channel::<Vec<u8>>(1);
    let consumer = spawn_blocking(move || {
        let mut plain = zstd::Decoder::new(Pieces { pieces, piece: io::Cursor::new(Vec::new()) })?;
        consume(&mut plain)
    });
    // Boxed one by one: closures over borrowed parts are not general enough for a task.
    let mut opening: Vec<BoxFuture<'_, Result<Vec<u8>>>> = Vec::with_capacity(parts.len());
    for part in parts {
        opening.push(open(store, sealer, part).boxed());
    }
    let given = stream::iter(opening)
        .buffered(shape.reads_at_once)
        .try_for_each(|piece| async {
            // Whoever reads may have enough: what he says then counts.
            let _gone = sender.send(piece).await.is_err();
            Ok(())
        })
        .await;
    drop(sender);
    let outcome = consumer.await.map_err(Error::internal)?;
    given?;
    outcome.map_err(|error| failed("read", &error))
}

/// Reads a part whose sum is right, and opens it.
async fn open(store: &Store, sealer: &Sealer, part: &Part) -> Result<Vec<u8>> {
    sealer.open(&part.name, check(store, part).await?)
}

/// Reads a part whose sum is right.
pub(crate) async fn check(store: &Store, part: &Part) -> Result<Vec<u8>> {
    let bytes = store.get(&part.name).await?;
    if size(bytes.len()) != part.bytes || sha256(&bytes) != part.sha256 {
        return Err(Error::new(Kind::Unprocessable, "backup_damaged", format!("{} is not what was kept: its checksum differs", part.name)));
    }
    Ok(bytes)
}

fn failed(doing: &str, error: &io::Error) -> Error {
    Error::new(Kind::Internal, "backup_failed", format!("A backup cannot be {doing}: {error}"))
}

fn size(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Hands over pieces of one size.
struct Cutter {
    piece: Vec<u8>,
    size: usize,
    sender: mpsc::Sender<Vec<u8>>,
}

impl Cutter {
    fn hand_over(&mut self) -> io::Result<()> {
        let piece = std::mem::take(&mut self.piece);
        self.sender.blocking_send(piece).map_err(|_gone| io::Error::other("the store takes no more"))
    }

    fn end(mut self) -> io::Result<()> {
        if self.piece.is_empty() { Ok(()) } else { self.hand_over() }
    }
}

impl Write for Cutter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.size.saturating_sub(self.piece.len()).min(bytes.len());
        self.piece.extend_from_slice(bytes.get(..room).unwrap_or_default());
        if self.piece.len() >= self.size {
            self.hand_over()?;
        }
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads pieces one after the other.
struct Pieces {
    pieces: mpsc::Receiver<Vec<u8>>,
    piece: io::Cursor<Vec<u8>>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.piece.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = io::Cursor::new(piece),
                None => return Ok(0),
            }
        }
    }
}
