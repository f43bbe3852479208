//! Writing an archive: entries one after the other, compressed, into a file that has its name only when it is whole.
//!
//! Invariant: nothing but a whole archive ever stands under the name that was asked for, and only its owner may read it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};
use kernel::{Error, Result};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::unreadable;

/// Pieces of a file that wait to be written.
const WAITING: usize = 4;

/// An entry whose bytes come.
struct Entry {
    name: String,
    bytes: u64,
    pieces: mpsc::Receiver<Bytes>,
}

/// An archive that is being written.
pub(crate) struct Packer {
    path: PathBuf,
    partial: PathBuf,
    entries: Option<mpsc::Sender<Entry>>,
    writer: Option<JoinHandle<io::Result<()>>>,
}

impl Packer {
    /// Begins an archive. A file of that name is never replaced.
    pub(crate) fn create(path: &Path, level: i32) -> Result<Self> {
        if path.try_exists().unwrap_or(true) {
            return Err(unreadable("written", path, &io::ErrorKind::AlreadyExists.into()));
        }
        // A name of its own: of two exports to one file each writes its own, and nobody has prepared it for others to read.
        let mut partial = path.as_os_str().to_owned();
        partial.push(format!(".{}.partial", uuid::Uuid::new_v4().simple()));
        let partial = PathBuf::from(partial);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial);
        let file = file.map_err(|cause| unreadable("written", &partial, &cause))?;
        let (entries, waiting) = mpsc::channel(1);
        let writer = spawn_blocking(move || write(file, level, waiting));
        Ok(Self { path: path.to_owned(), partial, entries: Some(entries), writer: Some(writer) })
    }

    /// Writes an entry.
    pub(crate) async fn put(&mut self, name: &str, content: Bytes) -> Result<()> {
        let bytes = u64::try_from(content.len()).map_err(Error::internal)?;
        let pieces = self.begin(name, bytes).await?;
        // If nobody reads it any more, the end says why.
        let _gone = pieces.send(content).await.is_err();
        Ok(())
    }

    /// Begins an entry of so many bytes, which then come.
    pub(crate) async fn begin(&mut self, name: &str, bytes: u64) -> Result<mpsc::Sender<Bytes>> {
        let (sender, pieces) = mpsc::channel(WAITING);
        let entry = Entry { name: name.to_owned(), bytes, pieces };
        let is_taken = match &self.entries {
            Some(entries) => entries.send(entry).await.is_ok(),
            None => false,
        };
        if is_taken {
            return Ok(sender);
        }
        self.entries = None;
        self.ended().await?;
        Err(Error::internal("the archive took no more entries"))
    }

    /// Ends the archive and gives it its name.
    pub(crate) async fn finish(mut self) -> Result<u64> {
        self.entries = None;
        self.ended().await?;
        let failed = |cause: io::Error| unreadable("written", &self.path, &cause);
        let bytes = fs::metadata(&self.partial).map_err(failed)?.len();
        // Not renamed over a file that came meanwhile.
        fs::hard_link(&self.partial, &self.path).map_err(failed)?;
        Ok(bytes)
    }

    async fn ended(&mut self) -> Result<()> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        writer.await.map_err(Error::internal)?.map_err(|cause| unreadable("written", &self.path, &cause))
    }
}

impl Drop for Packer {
    fn drop(&mut self) {
        // What is left of it is in nobody's way.
        let _removed = fs::remove_file(&self.partial).is_ok();
    }
}

fn write(file: File, level: i32, mut entries: mpsc::Receiver<Entry>) -> io::Result<()> {
    let mut packed = zstd::Encoder::new(file, level)?;
    packed.include_checksum(true)?;
    let mut archive = tar::Builder::new(packed);
    while let Some(Entry { name, bytes, pieces }) = entries.blocking_recv() {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_mtime(0);
        let mut content = Pieces { coming: pieces, piece: Bytes::new(), left: bytes };
        archive.append_data(&mut header, &name, &mut content)?;
        if content.left > 0 {
            return Err(io::Error::other(format!("{name} ended too early")));
        }
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()
}

/// Reads pieces one after the other, up to the size that was said.
struct Pieces {
    coming: mpsc::Receiver<Bytes>,
    piece: Bytes,
    left: u64,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.coming.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let count = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(buffer.get_mut(..count).unwrap_or_default());
        let read = u64::try_from(count).map_err(io::Error::other)?;
        self.left = self.left.checked_sub(read).ok_or_else(|| io::Error::other("a file grew while it was read"))?;
        Ok(count)
    }
}
