//! What lies where in the data folder, and the passwords to the cluster.
//!
//! Invariant: one process at a time has the data folder (a lock that the system drops with the process), and a password is on disk
//! before a cluster is made with it.
//!
//! ```text
//! <data>/postgres.lock      who has the folder
//! <data>/secrets/           0700, ours: postgres_superuser, postgres_server
//! <data>/postgres/          0700, of the user that PostgreSQL runs as
//!        cluster/           PostgreSQL's data folder
//!        log/               its logs
//!        archive/           pieces of its log that wait to be kept by a backup, if it keeps them
//!        run/               its socket, unless the path would be too long for one
//!        new-*/             a cluster being made
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::Secret;

use super::ClusterError;
use super::account::Account;

/// The longest path that a unix socket can have on Linux.
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// Where the socket goes if the path would be too long; not `$TMPDIR`, which may be another at the next start.
const TEMPORARY: &str = "/tmp";
/// The folder of pieces of the log.
const ARCHIVE: &str = "archive";
/// The name of the socket for the port that we set.
pub(super) const SOCKET_NAME: &str = ".s.PGSQL.5432";
/// How long a lock that somebody else has is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
const LOCK_POLL: Duration = Duration::from_millis(20);

/// The folders of a cluster.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The folder of everything that is PostgreSQL's.
    pub(super) home: PathBuf,
    /// PostgreSQL's own data folder.
    pub(super) cluster: PathBuf,
    /// Its logs.
    pub(super) log: PathBuf,
    /// Where it puts the pieces of its log that are to be kept.
    pub(super) archive: PathBuf,
    /// Its socket's folder.
    pub(super) socket: PathBuf,
    secrets: PathBuf,
}

/// The passwords of the two logins.
#[derive(Clone, Debug)]
pub(super) struct Passwords {
    /// Of the superuser, who migrates.
    pub(super) superuser: Secret<String>,
    /// Of the server's login.
    pub(super) server: Secret<String>,
    /// Whether the server's was made just now, so that the login has to learn it.
    pub(super) server_is_new: bool,
}

impl Layout {
    /// Makes the folders and takes the lock.
    pub(super) fn prepare(data: &Path, account: &Account) -> Result<(Self, File), ClusterError> {
        account.make_data_folder(data)?;
        let data = fs::canonicalize(data).map_err(ClusterError::file(data))?;
        account.reach(&data)?;
        let lock = take_lock(&data)?;
        let home = data.join("postgres");
        let socket = socket_folder(&home, Path::new(TEMPORARY));
        let archive = home.join(ARCHIVE);
        let layout = Self { cluster: home.join("cluster"), log: home.join("log"), archive, secrets: data.join("secrets"), socket, home };
        account.make_folder(&layout.home)?;
        account.make_folder(&layout.log)?;
        account.make_folder(&layout.archive)?;
        layout.make_socket_folder(account)?;
        layout.remove_unfinished()?;
        Ok((layout, lock))
    }

    /// Returns the major version that the cluster was made by; `None` if there is none yet.
    pub(super) fn major(&self) -> Result<Option<u32>, ClusterError> {
        let path = self.cluster.join("PG_VERSION");
        match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().map(Some).map_err(|error| ClusterError::file(&path)(io::Error::other(error))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ClusterError::file(&path)(error)),
        }
    }

    /// Reads the passwords, or makes them for a cluster that is still to be made.
    pub(super) fn passwords(&self) -> Result<Passwords, ClusterError> {
        match DirBuilder::new().mode(0o700).create(&self.secrets) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(ClusterError::file(&self.secrets)(error)),
            Ok(()) | Err(_) => {}
        }
        let path = self.secrets.join("postgres_superuser");
        if self.major()?.is_some() && !path.try_exists().map_err(ClusterError::file(&path))? {
            return Err(ClusterError::SecretLost { file: path, folder: self.cluster.clone() });
        }
        let (superuser, _) = read_or_make(&path)?;
        let (server, server_is_new) = read_or_make(&self.secrets.join("postgres_server"))?;
        Ok(Passwords { superuser, server, server_is_new })
    }

    /// A first start that was killed leaves a folder that nobody will ever look at again. What a still running `initdb` keeps writing
    /// there is left for the next start.
    fn remove_unfinished(&self) -> Result<(), ClusterError> {
        for entry in fs::read_dir(&self.home).map_err(ClusterError::file(&self.home))?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("new-")
                && let Err(error) = fs::remove_dir_all(entry.path())
            {
                tracing::warn!(folder = %entry.path().display(), %error, "the rest of an unfinished first start could not be removed");
            }
        }
        Ok(())
    }

    fn make_socket_folder(&self, account: &Account) -> Result<(), ClusterError> {
        if self.socket.starts_with(&self.home) {
            return account.make_folder(&self.socket);
        }
        // The temporary folder is everybody's: somebody may have put a folder or a link there before us.
        if !self.socket.try_exists().map_err(ClusterError::file(&self.socket))? {
            account.make_folder(&self.socket)?;
        }
        if account.owns_privately(&self.socket) {
            return Ok(());
        }
        Err(ClusterError::SocketFolder { folder: self.socket.clone(), user: account.name.clone() })
    }
}

/// Returns a folder whose socket's path is short enough.
fn socket_folder(home: &Path, temporary: &Path) -> PathBuf {
    let near = home.join("run");
    if near.join(SOCKET_NAME).as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return near;
    }
    let sum = digest::digest(&digest::SHA256, home.as_os_str().as_encoded_bytes());
    let name: String = URL_SAFE_NO_PAD.encode(sum).chars().take(16).collect();
    temporary.join(format!("thorbis-{name}"))
}

fn take_lock(data: &Path) -> Result<File, ClusterError> {
    let path = data.join("postgres.lock");
    let fail = ClusterError::file(&path);
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = match options {
        Ok(file) => file,
        Err(error) => return Err(fail(error)),
    };
    // A program that is being started holds a copy of every lock for a moment, and a server being restarted is just going.
    let deadline = Instant::now() + LOCK_PATIENCE;
    let mut outcome = file.try_lock();
    while matches!(outcome, Err(TryLockError::WouldBlock)) && Instant::now() < deadline {
        thread::sleep(LOCK_POLL);
        outcome = file.try_lock();
    }
    match outcome {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let holder = match file.read_to_string(&mut text) {
                Ok(_) if !text.trim().is_empty() => format!(" (process {})", text.trim()),
                Ok(_) | Err(_) => String::new(),
            };
            return Err(ClusterError::InUse { folder: data.to_owned(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(fail(error)),
    }
    match file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())) {
        Ok(()) => Ok(file),
        Err(error) => Err(fail(error)),
    }
}

/// Reads a password, or makes one of 256 random bits. It is complete or not there: written aside, flushed and renamed.
fn read_or_make(path: &Path) -> Result<(Secret<String>, bool), ClusterError> {
    match fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => return Ok((Secret::new(text.trim().to_owned()), false)),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(ClusterError::file(path)(error)),
        Ok(_) | Err(_) => {}
    }
    let password = random_text(32).map_err(ClusterError::file(path))?;
    write_private(path, &password)?;
    Ok((Secret::new(password), true))
}

/// Writes a file that only its owner may read, complete or not at all.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), ClusterError> {
    let aside = path.with_extension("tmp");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(ClusterError::file(path))
}

/// Returns random bytes as text that is safe in a file name.
pub(super) fn random_text(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    aws_lc_rs::rand::fill(&mut random).map_err(|_unspecified| io::Error::other("the system gives no random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_stays_near_while_its_path_is_short_enough() {
        let (tmp, short) = (Path::new("/tmp"), Path::new("/var/lib/thorbis/postgres"));
        assert_eq!(socket_folder(short, tmp), short.join("run"));
        // 107 bytes: `/` + 88 + `/run` + `/.s.PGSQL.5432` (14)
        let limit = PathBuf::from(format!("/{}", "a".repeat(88)));
        assert_eq!(socket_folder(&limit, tmp), limit.join("run"));
        let long = PathBuf::from(format!("/{}", "a".repeat(89)));
        let elsewhere = socket_folder(&long, tmp);
        assert!(elsewhere.starts_with("/tmp") && elsewhere.as_os_str().len() < 40, "{elsewhere:?}");
        assert_eq!(elsewhere, socket_folder(&long, tmp), "the next start must find it");
    }

    #[test]
    fn a_password_is_made_once() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("secret");
        let (first, is_new) = read_or_make(&path).unwrap();
        assert!(is_new && first.expose().len() == 43);
        let (second, is_new) = read_or_make(&path).unwrap();
        assert!(!is_new && first == second);
    }

    #[test]
    fn the_lock_names_its_holder() {
        let home = tempfile::tempdir().unwrap();
        let lock = take_lock(home.path()).unwrap();
        let error = take_lock(home.path()).unwrap_err();
        assert_eq!(error.code(), "cluster_in_use");
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        assert!(take_lock(home.path()).is_ok());
    }
}
