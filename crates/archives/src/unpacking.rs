//! Reading an archive, entry by entry, each in pieces.
//!
//! Invariant: a file that is no archive, is cut or was changed ends with an error, and no entry is a path to anywhere: entries are names
//! that are looked up.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use kernel::{Error, Result};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::invalid;

/// Bytes of a piece.
const PIECE: usize = 1 << 20;
/// Pieces that wait to be taken.
const WAITING: usize = 4;

/// What comes out of an archive.
pub(crate) enum Part {
    /// An entry begins: its name and how many bytes it has.
    Entry(String, u64),
    /// The next of its bytes.
    Piece(Bytes),
}

/// An archive that is being read.
pub(crate) struct Unpacker {
    parts: mpsc::Receiver<Part>,
    reader: Option<JoinHandle<io::Result<()>>>,
}

impl Unpacker {
    /// Opens an archive.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|cause| crate::unreadable("read", path, &cause))?;
        let (sender, parts) = mpsc::channel(WAITING);
        Ok(Self { parts, reader: Some(spawn_blocking(move || read(file, &sender))) })
    }

    /// Returns the next part; none at the end of a whole archive.
    pub(crate) async fn next(&mut self) -> Result<Option<Part>> {
        if let Some(part) = self.parts.recv().await {
            return Ok(Some(part));
        }
        let Some(reader) = self.reader.take() else { return Ok(None) };
        let ended = reader.await.map_err(Error::internal)?;
        ended.map(|()| None).map_err(|cause| invalid(format!("The archive is cut or damaged: {cause}")))
    }

    /// Returns the bytes of the entry that began, of which there are at most so many.
    pub(crate) async fn whole(&mut self, name: &str, bytes: u64, bytes_max: u64) -> Result<Vec<u8>> {
        if bytes > bytes_max {
            return Err(invalid(format!("{name} has {bytes} bytes; {bytes_max} are allowed")));
        }
        let size = usize::try_from(bytes).map_err(Error::internal)?;
        let mut content = Vec::new();
        while content.len() < size {
            match self.next().await? {
                Some(Part::Piece(piece)) => content.extend_from_slice(&piece),
                Some(Part::Entry(..)) | None => return Err(invalid(format!("{name} is cut"))),
            }
        }
        Ok(content)
    }
}

fn read(file: File, sender: &mpsc::Sender<Part>) -> io::Result<()> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(file)?);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = String::from_utf8(entry.path_bytes().into_owned()).map_err(io::Error::other)?;
        let mut left = entry.size();
        if sender.blocking_send(Part::Entry(name, left)).is_err() {
            return Ok(());
        }
        while left > 0 {
            let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
            entry.read_exact(&mut piece)?;
            left = left.saturating_sub(u64::try_from(piece.len()).map_err(io::Error::other)?);
            if sender.blocking_send(Part::Piece(Bytes::from(piece))).is_err() {
                return Ok(());
            }
        }
    }
    // To the last byte, behind which the checksum of everything stands.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map(drop)
}
