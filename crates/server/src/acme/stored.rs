//! What is kept of certificates in the data folder: the account, the certificate with its key, and until when the directory wants rest.
//!
//! Invariant: each file is written whole or not at all, and nobody but its owner reads it. Key and chain are one file, so that they always
//! belong together. Each directory has a folder of its own: what was given for tries is never served in the place of the real one.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use instant_acme::AccountCredentials;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::AcmeError;
use super::pair::Pair;
use crate::start::{FolderError, write_private};

/// The folder in the data folder.
const FOLDER: &str = "acme";
const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.pem";
const PAUSE: &str = "not_before";

/// The folder of one directory.
pub(super) struct Stored {
    folder: PathBuf,
}

/// An account at the directory, with its key.
#[derive(Serialize, Deserialize)]
pub(super) struct Account {
    /// The mail address that the directory has.
    pub(super) contact: Option<String>,
    pub(super) credentials: AccountCredentials,
}

impl Stored {
    pub(super) fn open(data: &Path, directory_url: &str) -> Result<Self, AcmeError> {
        let folder = data.join(FOLDER).join(folder_name(directory_url));
        let unusable = |source| FolderError::Unusable { path: folder.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(unusable)?;
        Ok(Self { folder })
    }

    /// Returns the certificate that was ordered before.
    pub(super) fn pair(&self) -> Result<Option<Pair>, AcmeError> {
        let Some(pem) = self.read(CERTIFICATE)? else { return Ok(None) };
        Pair::read(&pem).map(Some).map_err(|reason| self.damaged(CERTIFICATE, &reason))
    }

    pub(super) fn keep_pair(&self, pem: &str) -> Result<(), AcmeError> {
        self.write(CERTIFICATE, pem)
    }

    /// Returns the account that was made before.
    pub(super) fn account(&self) -> Result<Option<Account>, AcmeError> {
        let Some(text) = self.read(ACCOUNT)? else { return Ok(None) };
        // What is wrong with it is told without its words: a key stands there.
        serde_json::from_slice(&text).map(Some).map_err(|error| self.damaged(ACCOUNT, &format!("line {}", error.line())))
    }

    pub(super) fn keep_account(&self, account: &Account) -> Result<(), AcmeError> {
        let text = serde_json::to_string_pretty(account).map_err(|error| self.damaged(ACCOUNT, &error.to_string()))?;
        self.write(ACCOUNT, &text)
    }

    /// Forgets an account that the directory does not know any more.
    pub(super) fn forget_account(&self) {
        if let Err(error) = fs::rename(self.folder.join(ACCOUNT), self.folder.join(format!("{ACCOUNT}.unknown"))) {
            tracing::warn!(%error, "the account that the directory does not know could not be put aside");
        }
    }

    /// Returns until when the directory wants rest.
    pub(super) fn pause(&self) -> Option<Timestamp> {
        let text = fs::read_to_string(self.folder.join(PAUSE)).ok()?;
        text.trim().parse().ok()
    }

    pub(super) fn keep_pause(&self, until: Timestamp) {
        if let Err(error) = self.write(PAUSE, &until.to_string()) {
            tracing::warn!(%error, "until when the directory wants rest could not be written");
        }
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, AcmeError> {
        let path = self.folder.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FolderError::Unusable { path, source }.into()),
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<(), AcmeError> {
        Ok(write_private(&self.folder.join(name), text)?)
    }

    fn damaged(&self, name: &str, reason: &str) -> AcmeError {
        AcmeError::Stored(format!("{}: {reason}", self.folder.join(name).display()))
    }
}

/// Returns a folder's name that people recognise and no other directory has.
fn folder_name(directory_url: &str) -> String {
    let sum = digest(&SHA256, directory_url.as_bytes());
    let sum = sum.as_ref().iter().take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    let host = url::Url::parse(directory_url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let host: String = host.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    format!("{host}-{sum:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_directory_has_its_folder() {
        let (one, other) = (folder_name("https://ca.example/a"), folder_name("https://ca.example/b"));
        assert!(one.starts_with("ca.example-") && one.len() == "ca.example-".len() + 8, "{one}");
        assert_ne!(one, other);
        assert!(folder_name("https://[::1]:14000/dir").starts_with("---1--"));
    }

    #[test]
    fn a_damaged_file_is_told_without_its_words() {
        let data = tempfile::tempdir().unwrap();
        let stored = Stored::open(data.path(), "https://ca.example/a").unwrap();
        assert!(stored.pair().unwrap().is_none() && stored.account().unwrap().is_none() && stored.pause().is_none());
        fs::write(stored.folder.join(ACCOUNT), "hunter2").unwrap();
        fs::write(stored.folder.join(CERTIFICATE), "hunter2").unwrap();
        let told = [stored.account().err().unwrap(), stored.pair().err().unwrap()];
        for error in told {
            assert!(error.to_string().contains("acme_stored_invalid") && !error.to_string().contains("hunter2"), "{error}");
        }
        let time = "2026-11-26T10:00:00Z".parse().unwrap();
        stored.keep_pause(time);
        assert_eq!(stored.pause(), Some(time));
    }
}
