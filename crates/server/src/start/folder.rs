//! The data folder, and that only one server has it.
//!
//! Invariant: the lock is the system's and goes with the process, however it ends; the id inside is only for people.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The lock's name in the data folder.
const LOCK: &str = "thorbis.lock";
/// How long a lock that somebody else has is waited for: who only asks whether a server runs has it for a moment, too.
const PATIENCE: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_millis(20);

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another server has it.
    #[error("{} is used by the server with process id {pid} (data_directory_in_use); stop that one, or choose another folder with --data", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Whose it is; `unknown` if that could not be read.
        pid: String,
    },
    /// The system refuses.
    #[error("{} cannot be used (data_directory_unusable): {source}", path.display())]
    Unusable {
        /// The folder or a file in it.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The data folder while it is ours.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Makes the folder if it is not there, and takes it.
    pub(crate) fn take(path: &Path) -> Result<Self, FolderError> {
        make(path)?;
        // Relative paths would follow a change of the working folder.
        let path = fs::canonicalize(path).map_err(unusable(path))?;
        let file = path.join(LOCK);
        let mut lock =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&file).map_err(unusable(&file))?;
        let deadline = Instant::now() + PATIENCE;
        let mut outcome = lock.try_lock();
        while matches!(outcome, Err(TryLockError::WouldBlock)) && Instant::now() < deadline {
            thread::sleep(POLL);
            outcome = lock.try_lock();
        }
        match outcome {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse { folder: path, pid: holder(&mut lock) }),
            Err(TryLockError::Error(source)) => return Err(unusable(&file)(source)),
        }
        lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id())).map_err(unusable(&file))?;
        Ok(Self { path, _lock: lock })
    }

    /// Returns the folder's absolute path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the id of the process that has a folder, if one has.
    pub(crate) fn holder(path: &Path) -> Result<Option<String>, FolderError> {
        let file = path.join(LOCK);
        let mut lock = match OpenOptions::new().read(true).open(&file) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // Whoever may not look must not be told that nothing runs.
            Err(error) => return Err(unusable(&file)(error)),
        };
        // A shared lock: two who ask at one time must not take each other for the server.
        match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Ok(Some(holder(&mut lock))),
            Ok(()) | Err(TryLockError::Error(_)) => Ok(None),
        }
    }
}

/// Writes a file of the data folder that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), FolderError> {
    let aside = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write().map_err(unusable(path))
}

fn make(path: &Path) -> Result<(), FolderError> {
    if path.try_exists().map_err(unusable(path))? {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(unusable(path))?;
    // PostgreSQL's own user must be able to pass through what root makes.
    let mode = if nix::unistd::geteuid().is_root() { 0o711 } else { 0o700 };
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(unusable(path))
}

fn unusable(path: &Path) -> impl Fn(io::Error) -> FolderError {
    move |source| FolderError::Unusable { path: path.to_owned(), source }
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    match lock.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        Ok(_) | Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_told_who_has_the_folder() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b");
        assert_eq!(DataFolder::holder(&path).unwrap(), None);
        let first = DataFolder::take(&path).unwrap();
        let pid = std::process::id().to_string();
        let refused = DataFolder::take(&path).unwrap_err().to_string();
        assert!(refused.contains(&format!("process id {pid} (data_directory_in_use)")), "{refused}");
        assert_eq!(DataFolder::holder(&path).unwrap(), Some(pid));
        drop(first);
        assert_eq!(DataFolder::holder(&path).unwrap(), None);
        assert!(DataFolder::take(&path).is_ok());
    }

    #[test]
    fn who_may_not_look_is_not_told_that_nothing_runs() {
        let home = tempfile::tempdir().unwrap();
        // Root may open everything, but nobody can open what is below a file.
        fs::write(home.path().join("file"), "").unwrap();
        let refused = DataFolder::holder(&home.path().join("file")).unwrap_err().to_string();
        assert!(refused.contains("data_directory_unusable"), "{refused}");
    }
}
