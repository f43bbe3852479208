//! The recovery key: the one secret that a restore on a new machine needs beside the backups themselves.
//!
//! Invariant: the key never leaves its file but by `thorbis backup key`. What is sealed opens only under the name that it was sealed for, so
//! that no part of one backup stands for a part of another.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, hkdf, hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Error, Kind, Result, Secret};

/// What a key begins with where people see it.
const PREFIX: &str = "thorbis_recovery_";
const KEY_BYTES: usize = 32;
/// A file of a key is shorter.
const FILE_BYTES_MAX: u64 = 4096;

/// The secret of all backups of an installation.
#[derive(Clone)]
pub struct RecoveryKey(Secret<Vec<u8>>);

/// What seals and opens for one purpose.
pub struct Sealer(LessSafeKey);

impl RecoveryKey {
    /// Reads a key as it was shown.
    pub fn parse(text: &str) -> Result<Self> {
        let refused =
            || Error::new(Kind::Unprocessable, "recovery_key_invalid", "This is no recovery key: it begins with thorbis_recovery_");
        let bytes = URL_SAFE_NO_PAD.decode(text.trim().strip_prefix(PREFIX).ok_or_else(refused)?).map_err(|_says_it| refused())?;
        if bytes.len() == KEY_BYTES { Ok(Self(Secret::new(bytes))) } else { Err(refused()) }
    }

    /// Reads the key of a file that nobody else may read.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(path, error)),
        };
        let mode = file.metadata().map_err(|error| unreadable(path, error))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let message = format!("The recovery key {} has mode {mode:04o}: others may read it. Run: chmod 600 on it", path.display());
            return Err(Error::new(Kind::Unprocessable, "recovery_key_exposed", message));
        }
        let mut text = String::new();
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|error| unreadable(path, error))?;
        Self::parse(&text).map(Some)
    }

    /// Reads the key of a file, and makes it where there is none. Tells whether it is new.
    pub fn load_or_create(path: &Path) -> Result<(Self, bool)> {
        if let Some(key) = Self::load(path)? {
            return Ok((key, false));
        }
        let mut bytes = vec![0; KEY_BYTES];
        rand::fill(&mut bytes).map_err(Error::internal)?;
        let key = Self(Secret::new(bytes));
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| unreadable(path, error))?;
        }
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
            file.write_all(key.text().expose().as_bytes())?;
            file.sync_all()?;
            let linked = fs::hard_link(&temporary, path);
            fs::remove_file(&temporary)?;
            linked
        };
        match write() {
            Ok(()) => Ok((key, true)),
            // Another process was faster: its key is the key.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match Self::load(path)? {
                Some(key) => Ok((key, false)),
                None => Err(unreadable(path, error)),
            },
            Err(error) => Err(unreadable(path, error)),
        }
    }

    /// Returns the key as people keep it.
    pub fn text(&self) -> Secret<String> {
        Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0.expose())))
    }

    /// Returns eight digits that say which key it is, and nothing of it.
    pub fn id(&self) -> String {
        self.mac(b"thorbis/backup/key-id").chars().take(8).collect()
    }

    /// Returns what only a holder of the key can compute of these bytes.
    pub fn mac(&self, bytes: &[u8]) -> String {
        hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.0.expose()), bytes).as_ref())
    }

    /// Tells in constant time whether a text is the [`RecoveryKey::mac`] of these bytes.
    pub fn vouches(&self, bytes: &[u8], mac: &str) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.mac(bytes).as_bytes(), mac.as_bytes()).is_ok()
    }

    /// Returns what seals for a purpose; each purpose has a key of its own.
    pub fn sealer(&self, purpose: &str) -> Result<Sealer> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"thorbis/backup/1");
        let key = salt.extract(self.0.expose());
        let info = [purpose.as_bytes()];
        let derived = key.expand(&info, &AES_256_GCM).map_err(Error::internal)?;
        Ok(Sealer(LessSafeKey::new(UnboundKey::from(derived))))
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecoveryKey").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Sealer {
    /// Seals bytes under a name.
    pub fn seal(&self, name: &str, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(Error::internal)?;
        let aad = Aad::from(name.as_bytes());
        self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut bytes).map_err(Error::internal)?;
        bytes.splice(0..0, nonce);
        Ok(bytes)
    }

    /// Opens what was sealed under this name.
    pub fn open(&self, name: &str, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        let damaged = || Error::new(Kind::Unprocessable, "backup_damaged", format!("{name} is damaged, or of another key"));
        if bytes.len() < NONCE_LEN {
            return Err(damaged());
        }
        let mut sealed = bytes.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_says_nothing| damaged())?;
        let length = self.0.open_in_place(nonce, Aad::from(name.as_bytes()), &mut sealed).map_err(|_says_nothing| damaged())?.len();
        sealed.truncate(length);
        Ok(sealed)
    }
}

/// Returns the SHA-256 of bytes in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Returns hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    let message = format!("The recovery key {} cannot be read or made: {error}", path.display());
    Error::new(Kind::Internal, "recovery_key_unreadable", message).with_source(error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn key(folder: &Path) -> RecoveryKey {
        RecoveryKey::load_or_create(&folder.join("secrets/recovery_key")).unwrap().0
    }

    #[test]
    fn a_key_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let first = key(folder.path());
        assert_eq!(key(folder.path()).text().expose(), first.text().expose());
        assert_eq!(RecoveryKey::parse(first.text().expose()).unwrap().id(), first.id());
        assert!(!format!("{first:?}").contains(&first.text().expose()[20..]));
        for wrong in ["", "thorbis_recovery_", "thorbis_recovery_AAAA", "AAAA"] {
            assert_eq!(RecoveryKey::parse(wrong).unwrap_err().code(), "recovery_key_invalid");
        }
        let path = folder.path().join("secrets/recovery_key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(RecoveryKey::load(&path).unwrap_err().code(), "recovery_key_exposed");
    }

    #[test]
    fn what_was_sealed_opens_under_its_name_and_key_alone() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, other) = (key(one.path()), key(other.path()));
        let wal = one.sealer("wal").unwrap();
        let sealed = wal.seal("a.0", b"planted".to_vec()).unwrap();
        assert_eq!(wal.open("a.0", sealed.clone()).unwrap(), b"planted");
        assert!(wal.open("a.1", sealed.clone()).is_err(), "another name");
        assert!(one.sealer("base").unwrap().open("a.0", sealed.clone()).is_err(), "another purpose");
        assert!(other.sealer("wal").unwrap().open("a.0", sealed.clone()).is_err(), "another key");
        for byte in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[byte] ^= 1;
            assert_eq!(wal.open("a.0", changed).unwrap_err().code(), "backup_damaged");
        }
        assert!(wal.open("a.0", vec![1, 2]).is_err());
        assert!(one.vouches(b"x", &one.mac(b"x")) && !one.vouches(b"y", &one.mac(b"x")) && !other.vouches(b"x", &one.mac(b"x")));
    }
}
