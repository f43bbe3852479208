//! Where backups are kept and with which key, and the cluster that they are of.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use kernel::{Error, Kind, Result};
use postgres::Config;

use crate::config::BackupConfig;
use crate::key::RecoveryKey;
use crate::parts::Shape;
use crate::store::Store;

/// A store, its key and the rules.
#[derive(Clone)]
pub struct Vault {
    /// Where backups lie.
    pub store: Store,
    /// What seals them.
    pub key: RecoveryKey,
    /// The rules.
    pub config: BackupConfig,
}

/// The private cluster that backups are made of.
#[derive(Clone)]
pub struct Original {
    /// How its owner connects, over the socket.
    pub login: Config,
    /// The folder of PostgreSQL's programs.
    pub programs: PathBuf,
    /// The server's data folder.
    pub data: PathBuf,
    /// Files that belong to it, each with its name in the data folder: keys, passwords.
    pub state: Vec<(String, PathBuf)>,
    /// The folder of files of companies.
    pub files: PathBuf,
}

impl Vault {
    /// Opens the store and the key of the settings; makes the key if there is none and `make_key` says so.
    pub fn open(config: &BackupConfig, data: &Path, make_key: bool) -> Result<(Self, bool)> {
        let path = Self::key_file(config, data);
        let (key, is_new) = if make_key {
            RecoveryKey::load_or_create(&path)?
        } else {
            let missing = || {
                let message = format!("There is no recovery key in {}", path.display());
                Error::new(Kind::Unprocessable, "recovery_key_missing", message)
                    .with_hint("name its file with --recovery-key-file, or put it back there with mode 0600")
            };
            (RecoveryKey::load(&path)?.ok_or_else(missing)?, false)
        };
        Ok((Self { store: Store::open(config, data)?, key, config: config.clone() }, is_new))
    }

    /// Returns the file of the recovery key.
    pub fn key_file(config: &BackupConfig, data: &Path) -> PathBuf {
        config.recovery_key_file.clone().unwrap_or_else(|| data.join("secrets/recovery_key"))
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape::of(&self.config)
    }
}

/// Takes a lock of the data folder that the system drops with the process; nothing if another process has it.
pub(crate) fn lock(data: &Path, name: &str) -> Result<Option<File>> {
    let path = data.join(name);
    let failed =
        |error: std::io::Error| Error::new(Kind::Internal, "backup_failed", format!("{} cannot be locked: {error}", path.display()));
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}
