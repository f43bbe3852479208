//! The operating system's user that PostgreSQL runs as.
//!
//! Invariant: PostgreSQL never runs as root. Started by root, its programs get the user's identity, no supplementary groups and an
//! empty environment; started by anybody else, they run as he is. What is made for them belongs to that user and nobody else can enter.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Uid, User, geteuid};

use super::ClusterError;

/// The user that PostgreSQL runs as.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// His name.
    pub(super) name: String,
    uid: u32,
    gid: u32,
    /// Whether we are root and have to become him.
    switch: bool,
}

impl Account {
    /// Decides who it is: `wanted` if we are root, else ourselves.
    pub(super) fn choose(wanted: &str) -> Result<Self, ClusterError> {
        let me = geteuid();
        let found = if me.is_root() { User::from_name(wanted) } else { User::from_uid(me) };
        let missing = || ClusterError::UserMissing { user: wanted.to_owned() };
        match found {
            Ok(Some(user)) if user.uid == Uid::from_raw(0) => Err(missing()),
            Ok(Some(user)) => Ok(Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), switch: me.is_root() }),
            // A container may run as a number that has no name.
            Ok(None) | Err(_) if !me.is_root() => {
                let gid = nix::unistd::getegid().as_raw();
                Ok(Self { name: me.to_string(), uid: me.as_raw(), gid, switch: false })
            }
            Ok(None) | Err(_) => Err(missing()),
        }
    }

    /// Makes a command that runs as this user, away from our environment (which may hold secrets) and from the terminal's signals.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").current_dir("/").process_group(0);
        if self.switch {
            command.uid(self.uid).gid(self.gid);
        }
        command
    }

    /// Gives a file or folder that we made to this user.
    pub(super) fn give(&self, path: &Path) -> Result<(), ClusterError> {
        if self.switch {
            chown(path, Some(self.uid), Some(self.gid)).map_err(ClusterError::file(path))?;
        }
        Ok(())
    }

    /// Makes a folder of this user's own, or makes it so.
    pub(super) fn make_folder(&self, path: &Path) -> Result<(), ClusterError> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(ClusterError::file(path)(error)),
            Ok(()) | Err(_) => {}
        }
        self.give(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(ClusterError::file(path))
    }

    /// Tells whether a folder is this user's, real (no link) and closed to everybody else (the last six bits of its mode are 0).
    pub(super) fn owns_privately(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir() && meta.uid() == self.uid && meta.mode().trailing_zeros() >= 6)
    }

    /// Makes the product's data folder, where it is not there yet, so that this user can pass through it.
    pub(super) fn make_data_folder(&self, path: &Path) -> Result<(), ClusterError> {
        let is_new = !path.try_exists().map_err(ClusterError::file(path))?;
        if is_new {
            fs::create_dir_all(path).map_err(ClusterError::file(path))?;
            let mode = if self.switch { 0o711 } else { 0o700 };
            fs::set_permissions(path, Permissions::from_mode(mode)).map_err(ClusterError::file(path))?;
        }
        Ok(())
    }

    /// Checks that this user can get into a folder of ours, all its path along. The folder itself is opened for passing if it is closed:
    /// it is ours, and what it holds keeps its own rights.
    pub(super) fn reach(&self, folder: &Path) -> Result<(), ClusterError> {
        if !self.switch {
            return Ok(());
        }
        for step in folder.ancestors().collect::<Vec<_>>().into_iter().rev() {
            let meta = fs::metadata(step).map_err(ClusterError::file(step))?;
            if self.may_pass(meta.uid(), meta.gid(), meta.mode()) {
                continue;
            }
            if step == folder {
                let opened = Permissions::from_mode(meta.mode() & 0o7777 | 0o011);
                fs::set_permissions(step, opened).map_err(ClusterError::file(step))?;
                tracing::info!(folder = %folder.display(), user = %self.name, "the data folder may now be passed by PostgreSQL's user");
                continue;
            }
            let (folder, blocking) = (folder.to_owned(), step.to_owned());
            return Err(ClusterError::Unreachable { user: self.name.clone(), folder, blocking });
        }
        Ok(())
    }

    fn may_pass(&self, uid: u32, gid: u32, mode: u32) -> bool {
        let bit = if uid == self.uid {
            0o100
        } else if gid == self.gid {
            0o010
        } else {
            0o001
        };
        mode & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bit_of_ones_own_class_counts() {
        let account = Account { name: "p".to_owned(), uid: 101, gid: 104, switch: true };
        assert!(account.may_pass(0, 0, 0o711));
        assert!(!account.may_pass(0, 0, 0o710));
        assert!(account.may_pass(0, 104, 0o710));
        assert!(!account.may_pass(0, 104, 0o701), "a group that may not pass is not others");
        assert!(account.may_pass(101, 0, 0o700));
        assert!(!account.may_pass(101, 104, 0o077));
    }
}
