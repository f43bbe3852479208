//! A folder with a folder for each company in it.
//!
//! Invariant: a file is written beside, made safe, and moved to its name; so is its folder, before anybody is told that it is there. Files
//! and folders are their owner's alone.

use std::io::{self, ErrorKind, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use jiff::Timestamp;
use kernel::{Blob, BlobFuture, BlobInfo, BlobKey, BlobPrefix, BlobStream, Blobs, Error, Kind, Result};
use tokio::fs::{self, DirBuilder, File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use uuid::Uuid;

use crate::config::BlobsConfig;

/// Where files stand until they are whole. No company is called so.
const INCOMING: &str = ".incoming";
/// After how many bytes it is looked whether the disk has room for more.
const LOOK_BYTES: u64 = 16_777_216;

/// Files in a folder.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    config: BlobsConfig,
}

impl Folder {
    /// Takes a folder, which need not be there yet.
    pub fn new(root: PathBuf, config: BlobsConfig) -> Self {
        Self { root, config }
    }

    /// Takes away what was not put to its end long ago. Returns how many files that were.
    pub async fn sweep(&self) -> Result<usize> {
        let patience = Duration::from_hours(u64::from(self.config.unfinished_hours));
        let mut entries = match fs::read_dir(self.root.join(INCOMING)).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(failed(error)),
        };
        let mut taken = 0;
        while let Some(entry) = entries.next_entry().await.map_err(failed)? {
            let Ok(found) = entry.metadata().await else { continue };
            let age = found.modified().ok().and_then(|put| SystemTime::now().duration_since(put).ok());
            if age.is_some_and(|age| age > patience) && fs::remove_file(entry.path()).await.is_ok() {
                taken += 1;
            }
        }
        Ok(taken)
    }

    fn path(&self, key: &BlobKey) -> PathBuf {
        key.segments().fold(self.root.clone(), |path, segment| path.join(segment))
    }

    /// Refuses what would take the last room.
    fn look_for_room(&self) -> Result<()> {
        let found = nix::sys::statvfs::statvfs(&self.root).map_err(|error| failed(error.into()))?;
        let free = found.blocks_available().saturating_mul(found.fragment_size());
        if free < self.config.free_bytes_min { Err(full()) } else { Ok(()) }
    }

    async fn put_whole(&self, key: &BlobKey, content: BlobStream, bytes_max: u64) -> Result<BlobInfo> {
        let incoming = self.root.join(INCOMING);
        make_folder(&incoming).await.map_err(failed)?;
        let beside = incoming.join(Uuid::now_v7().to_string());
        let written = async {
            let file = self.write(&beside, content, bytes_max).await?;
            let path = self.path(key);
            let folder = path.parent().ok_or_else(|| Error::internal("a file is in a folder"))?;
            make_folder(folder).await.map_err(failed)?;
            fs::rename(&beside, &path).await.map_err(failed)?;
            sync_folders(folder, &self.root).await.map_err(failed)?;
            info(key.clone(), &file.metadata().await.map_err(failed)?)
        };
        match written.await {
            Ok(info) => Ok(info),
            Err(error) => {
                // What cannot be taken away now is swept later.
                let _gone = fs::remove_file(&beside).await.is_ok();
                Err(error)
            }
        }
    }

    /// Writes a file to its end and makes it safe.
    async fn write(&self, path: &Path, mut content: BlobStream, bytes_max: u64) -> Result<File> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).await.map_err(failed)?;
        let (mut bytes, mut looked) = (0_u64, None::<u64>);
        while let Some(piece) = content.next().await {
            let piece = piece?;
            bytes = bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            if bytes > bytes_max {
                return Err(Error::new(Kind::TooLarge, "blob_too_large", format!("The file has more than {bytes_max} bytes")));
            }
            if looked.is_none_or(|looked| bytes.saturating_sub(looked) >= LOOK_BYTES) {
                self.look_for_room()?;
                looked = Some(bytes);
            }
            file.write_all(&piece).await.map_err(failed)?;
        }
        file.flush().await.map_err(failed)?;
        file.sync_all().await.map_err(failed)?;
        Ok(file)
    }

    async fn open(&self, key: &BlobKey, range: Option<Range<u64>>) -> Result<Blob> {
        let mut file = match File::open(self.path(key)).await {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(not_found()),
            Err(error) => return Err(failed(error)),
        };
        let found = file.metadata().await.map_err(failed)?;
        if !found.is_file() {
            return Err(not_found());
        }
        let info = info(key.clone(), &found)?;
        let range = match range {
            None => 0..info.bytes,
            Some(range) if range.start >= range.end || range.start >= info.bytes => {
                return Err(Error::new(Kind::Status(416), "blob_range_invalid", format!("The file has {} bytes", info.bytes)));
            }
            Some(range) => range.start..range.end.min(info.bytes),
        };
        file.seek(SeekFrom::Start(range.start)).await.map_err(failed)?;
        let content = pieces(file, range.end.saturating_sub(range.start), self.config.read_bytes);
        Ok(Blob { info, range, content })
    }

    async fn take_away(&self, key: &BlobKey) -> Result<bool> {
        let path = self.path(key);
        match fs::remove_file(&path).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(failed(error)),
        }
        // Folders that nothing is in any more go, too; one that is not empty stays.
        let mut folder = path.parent();
        while let Some(empty) = folder.filter(|folder| *folder != self.root) {
            if fs::remove_dir(empty).await.is_err() {
                break;
            }
            folder = empty.parent();
        }
        Ok(true)
    }

    async fn below(&self, prefix: &BlobPrefix, after: Option<&BlobKey>, rows_max: usize) -> Result<Vec<BlobInfo>> {
        let name = prefix.segments().collect::<Vec<_>>().join("/");
        let mut found = Vec::new();
        let mut folders = vec![(prefix.segments().fold(self.root.clone(), |path, segment| path.join(segment)), name)];
        while let Some((folder, name)) = folders.pop() {
            let mut entries = match fs::read_dir(&folder).await {
                Ok(entries) => entries,
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
                Err(error) => return Err(failed(error)),
            };
            while let Some(entry) = entries.next_entry().await.map_err(failed)? {
                let Ok(last) = entry.file_name().into_string() else { continue };
                let (name, Ok(metadata)) = (format!("{name}/{last}"), entry.metadata().await) else { continue };
                if metadata.is_dir() {
                    folders.push((entry.path(), name));
                } else if let Ok(key) = name.parse::<BlobKey>()
                    && after.is_none_or(|after| *after < key)
                {
                    found.push(info(key, &metadata)?);
                }
            }
        }
        found.sort_by(|left, right| left.key.cmp(&right.key));
        found.truncate(rows_max);
        Ok(found)
    }
}

impl Blobs for Folder {
    fn put<'a>(&'a self, key: &'a BlobKey, content: BlobStream, bytes_max: u64) -> BlobFuture<'a, BlobInfo> {
        self.put_whole(key, content, bytes_max).boxed()
    }

    fn head<'a>(&'a self, key: &'a BlobKey) -> BlobFuture<'a, Option<BlobInfo>> {
        async move {
            match fs::metadata(self.path(key)).await {
                Ok(found) if found.is_file() => info(key.clone(), &found).map(Some),
                Ok(_) => Ok(None),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
                Err(error) => Err(failed(error)),
            }
        }
        .boxed()
    }

    fn get<'a>(&'a self, key: &'a BlobKey, range: Option<Range<u64>>) -> BlobFuture<'a, Blob> {
        self.open(key, range).boxed()
    }

    fn delete<'a>(&'a self, key: &'a BlobKey) -> BlobFuture<'a, bool> {
        self.take_away(key).boxed()
    }

    fn list<'a>(&'a self, prefix: &'a BlobPrefix, after: Option<&'a BlobKey>, rows_max: usize) -> BlobFuture<'a, Vec<BlobInfo>> {
        self.below(prefix, after, rows_max).boxed()
    }
}

/// Makes a folder and those above it.
async fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).await
}

/// Makes safe that what is in a folder is there, and in those above it up to the root.
async fn sync_folders(folder: &Path, root: &Path) -> io::Result<()> {
    for folder in folder.ancestors() {
        File::open(folder).await?.sync_all().await?;
        if folder == root {
            break;
        }
    }
    Ok(())
}

/// Reads so many bytes of an open file. One that is replaced meanwhile is read as it was.
fn pieces(file: File, bytes: u64, read_bytes: usize) -> BlobStream {
    stream::unfold((file, bytes), move |(mut file, left)| async move {
        if left == 0 {
            return None;
        }
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(read_bytes);
        let mut piece = BytesMut::with_capacity(wanted);
        let read = (&mut file).take(left.min(u64::try_from(wanted).unwrap_or(u64::MAX))).read_buf(&mut piece).await;
        let piece: Result<Bytes> = match read {
            Ok(0) => Err(Error::internal("a file is shorter than it was")),
            Ok(_) => Ok(piece.freeze()),
            Err(error) => Err(failed(error)),
        };
        // Behind an error nothing comes.
        let left = piece.as_ref().map_or(0, |piece| left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX)));
        Some((piece, (file, left)))
    })
    .boxed()
}

fn info(key: BlobKey, found: &std::fs::Metadata) -> Result<BlobInfo> {
    let modified_at = Timestamp::try_from(found.modified().map_err(failed)?).map_err(Error::internal)?;
    let etag = format!("{:x}-{:x}", modified_at.as_nanosecond(), found.len());
    Ok(BlobInfo { key, bytes: found.len(), etag, modified_at })
}

fn failed(error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => full().with_source(error),
        _ => Error::internal(error),
    }
}

fn full() -> Error {
    Error::new(Kind::Status(507), "blob_storage_full", "There is no room left for files on this server")
}

fn not_found() -> Error {
    Error::new(Kind::NotFound, "blob_not_found", "There is no such file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::CompanyId;

    const A: &str = "01900000-0000-7000-8000-00000000a000";
    const B: &str = "01900000-0000-7000-8000-00000000b000";

    fn folder(directory: &tempfile::TempDir) -> Folder {
        Folder::new(directory.path().join("files"), BlobsConfig { free_bytes_min: 0, read_bytes: 4096, ..BlobsConfig::default() })
    }

    fn company(id: &str) -> CompanyId {
        CompanyId(id.parse().unwrap())
    }

    fn key(id: &str, path: &str) -> BlobKey {
        BlobKey::new(company(id), path).unwrap()
    }

    fn content(pieces: &[&str]) -> BlobStream {
        stream::iter(pieces.iter().map(|piece| Ok(Bytes::from((*piece).to_owned()))).collect::<Vec<_>>()).boxed()
    }

    async fn read(blob: Blob) -> String {
        let pieces: Vec<Bytes> = blob.content.map(Result::unwrap).collect().await;
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[tokio::test]
    async fn what_is_put_is_read_whole_in_part_and_until_it_is_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let blobs = folder(&directory);
        let key = key(A, "exports/one.csv");
        let put = blobs.put(&key, content(&["hello ", "", "world"]), 11).await.unwrap();
        assert_eq!((put.bytes, &put.key), (11, &key));
        assert_eq!(blobs.head(&key).await.unwrap(), Some(put.clone()));
        assert_eq!(read(blobs.get(&key, None).await.unwrap()).await, "hello world");
        let part = blobs.get(&key, Some(6..100)).await.unwrap();
        assert_eq!((part.range.clone(), read(part).await.as_str()), (6..11, "world"));
        let refused = blobs.get(&key, Some(11..12)).await.unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (416, "blob_range_invalid"));
        blobs.put(&key, content(&["again"]), 5).await.unwrap();
        assert_ne!(blobs.head(&key).await.unwrap().unwrap().etag, put.etag);
        assert!(blobs.delete(&key).await.unwrap());
        assert!(!blobs.delete(&key).await.unwrap());
        assert_eq!(blobs.get(&key, None).await.unwrap_err().code(), "blob_not_found");
        assert!(!directory.path().join("files").join(A).try_exists().unwrap(), "empty folders go");
    }

    #[tokio::test]
    async fn what_is_not_whole_is_never_there() {
        let directory = tempfile::tempdir().unwrap();
        let blobs = folder(&directory);
        let key = key(A, "one.csv");
        blobs.put(&key, content(&["before"]), 100).await.unwrap();
        let too_large = blobs.put(&key, content(&["12345", "6"]), 5).await.unwrap_err();
        assert_eq!((too_large.status().as_u16(), too_large.code()), (413, "blob_too_large"));
        let broken = stream::iter([Ok(Bytes::from_static(b"half")), Err(Error::internal("the other side went away"))]).boxed();
        assert_eq!(blobs.put(&key, broken, 100).await.unwrap_err().code(), "internal_error");
        let full = Folder::new(directory.path().join("files"), BlobsConfig { free_bytes_min: u64::MAX, ..BlobsConfig::default() });
        let refused = full.put(&key, content(&["x"]), 100).await.unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (507, "blob_storage_full"));
        assert_eq!(read(blobs.get(&key, None).await.unwrap()).await, "before");
        assert_eq!(std::fs::read_dir(directory.path().join("files").join(INCOMING)).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_list_is_one_companys_in_order_and_from_a_place() {
        let directory = tempfile::tempdir().unwrap();
        let blobs = folder(&directory);
        for (id, path) in [(A, "exports/b.csv"), (A, "exports/a.csv"), (A, "imports/c.csv"), (B, "exports/d.csv")] {
            blobs.put(&key(id, path), content(&["x"]), 1).await.unwrap();
        }
        let names = async |prefix: BlobPrefix, after: Option<BlobKey>, rows_max| {
            let found = blobs.list(&prefix, after.as_ref(), rows_max).await.unwrap();
            found.into_iter().map(|info| info.key.to_string().split_once('/').unwrap().1.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(BlobPrefix::company(company(A)), None, 9).await, ["exports/a.csv", "exports/b.csv", "imports/c.csv"]);
        assert_eq!(names(BlobPrefix::company(company(A)), Some(key(A, "exports/a.csv")), 1).await, ["exports/b.csv"]);
        assert_eq!(names(BlobPrefix::new(company(A), "imports").unwrap(), None, 9).await, ["imports/c.csv"]);
        assert_eq!(names(BlobPrefix::new(company(B), "imports").unwrap(), None, 9).await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn what_a_dead_server_left_is_swept() {
        let directory = tempfile::tempdir().unwrap();
        let blobs = folder(&directory);
        assert_eq!(blobs.sweep().await.unwrap(), 0);
        blobs.put(&key(A, "one"), content(&["x"]), 1).await.unwrap();
        let left = directory.path().join("files").join(INCOMING).join("left");
        std::fs::write(&left, "half").unwrap();
        assert_eq!(blobs.sweep().await.unwrap(), 0, "it may still be under way");
        let long_ago = SystemTime::now() - Duration::from_hours(25);
        std::fs::File::options().write(true).open(&left).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(blobs.sweep().await.unwrap(), 1);
        assert!(blobs.head(&key(A, "one")).await.unwrap().is_some());
    }
}
