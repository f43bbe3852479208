//! A folder as a store.
//!
//! Invariant: what is being written has a name that no object can have; it gets its own when its bytes are on the disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kernel::{Error, Result};
use tokio::task::spawn_blocking;

use super::{Object, unavailable};

/// What is being written begins so.
const UNFINISHED: &str = ".unfinished-";

/// A folder whose files are objects.
#[derive(Clone)]
pub(super) struct Folder {
    root: Arc<PathBuf>,
    count: Arc<AtomicU64>,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root: Arc::new(root), count: Arc::default() }
    }

    pub(super) fn place(&self) -> String {
        self.root.display().to_string()
    }

    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<()> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(name);
        self.blocking("written", move || {
            let folder = path.parent().unwrap_or(Path::new("/"));
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            let unfinished = folder.join(format!("{UNFINISHED}{}-{number}", std::process::id()));
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
            let written = file.write_all(&bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&unfinished, &path));
            if written.is_err() {
                fs::remove_file(&unfinished)?;
            }
            written?;
            File::open(folder)?.sync_all()
        })
        .await
    }

    pub(super) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.root.join(name);
        self.blocking("read", move || match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        let (root, prefix) = (Arc::clone(&self.root), prefix.to_owned());
        self.blocking("listed", move || {
            let mut found = vec![];
            // A prefix names folders up to its last slash.
            let below = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
            let mut open = vec![root.join(below)];
            while let Some(folder) = open.pop() {
                let entries = match fs::read_dir(&folder) {
                    Ok(entries) => entries,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                };
                for entry in entries {
                    let entry = entry?;
                    let path = entry.path();
                    if entry.file_type()?.is_dir() {
                        open.push(path);
                        continue;
                    }
                    let name = path.strip_prefix(&*root).map_err(io::Error::other)?.to_string_lossy().into_owned();
                    if name.starts_with(&prefix) && !entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                        found.push(Object { name, bytes: entry.metadata()?.len() });
                    }
                }
            }
            Ok(found)
        })
        .await
    }

    pub(super) async fn delete(&self, name: &str) -> Result<()> {
        let (root, path) = (Arc::clone(&self.root), self.root.join(name));
        self.blocking("tidied up", move || {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            // An empty folder goes with its last object; what a killed writer left there, too.
            if let Some(folder) = path.parent().filter(|folder| *folder != root.as_path()) {
                let left: Vec<_> = fs::read_dir(folder)?.flatten().collect();
                if left.iter().all(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED)) {
                    fs::remove_dir_all(folder)?;
                }
            }
            Ok(())
        })
        .await
    }

    async fn blocking<T: Send + 'static>(&self, doing: &str, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
        let done = spawn_blocking(work).await.map_err(Error::internal)?;
        done.map_err(|error| unavailable(&self.place(), doing, error))
    }
}
