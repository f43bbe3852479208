//! A dump becomes a database again.
//!
//! Invariant: the database was empty, and afterwards has all rows of the dump or none: everything happens in one transaction, and is counted
//! again. Keys and files that are there already are never written over.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use kernel::{Error, Kind, Result};
use postgres::snapshot;

use crate::copying::{PURPOSE, STATE};
use crate::dumping::{DUMP, Elsewhere, same};
use crate::manifest::{self, BackupKind, Manifest};
use crate::vault::Vault;
use crate::{files, parts};

/// Bytes of keys and anchors that are kept beside a dump.
const STATE_BYTES_MAX: u64 = 67_108_864;
/// Bytes of what `psql` says that are looked at.
const WORDS_MAX: u64 = 65_536;

/// What was restored.
#[derive(Debug)]
pub struct Undumped {
    /// The dump.
    pub manifest: Manifest,
    /// Files of companies.
    pub files: usize,
}

/// Restores a dump into an empty database: the named one, else the newest, of this source if one is named.
pub async fn restore_dump(vault: &Vault, to: &Elsewhere, id: Option<&str>, source: Option<&str>) -> Result<Undumped> {
    let manifest = choose(vault, id, source).await?;
    let state = state(vault, &manifest).await?;
    let roots = to.root_certificate_file.as_deref();
    let missing: Vec<_> = state.iter().filter_map(|(name, bytes)| place(to, name, bytes).transpose()).collect::<Result<_>>()?;
    if fs::read_dir(&to.files).is_ok_and(|mut entries| entries.next().is_some()) {
        let message = format!("{} has files already; those of the dump go into an empty folder", to.files.display());
        return Err(Error::new(Kind::Conflict, "dump_files_not_empty", message).with_hint("restore with another --data"));
    }
    snapshot::may_be_filled(&to.login, roots).await?;
    let sealer = vault.key.sealer(&format!("{PURPOSE}/{}", manifest.id))?;
    let mut command = to.program("psql");
    command.args(["--no-psqlrc", "--quiet", "--no-password", "--single-transaction", "--set=ON_ERROR_STOP=1", "--file=-"]);
    parts::read((&vault.store, &sealer), manifest.stream(DUMP)?, vault.shape(), move |from| feed(command, from)).await?;
    same(&manifest.rows, &snapshot::rows(&to.login, roots).await?)?;
    let files = files::restore(vault, &manifest.source, Some(manifest.finished_at), &to.files).await?;
    for (path, bytes) in missing {
        write(&path, &bytes).map_err(|error| failed(&path, &error))?;
    }
    Ok(Undumped { manifest, files })
}

async fn choose(vault: &Vault, id: Option<&str>, source: Option<&str>) -> Result<Manifest> {
    let catalog = manifest::catalog(&vault.store, &vault.key, source).await?;
    let wanted = |manifest: &Manifest| manifest.kind == BackupKind::Dump && id.is_none_or(|id| manifest.id == id);
    if let Some(manifest) = catalog.backups.into_iter().rfind(wanted) {
        return Ok(manifest);
    }
    if let Some(unusable) = catalog.unusable.into_iter().next() {
        return Err(unusable.error);
    }
    Err(Error::new(Kind::NotFound, "backup_not_found", format!("There is no such dump in {}", vault.store.place())))
}

/// Reads the files that were kept beside the rows.
async fn state(vault: &Vault, manifest: &Manifest) -> Result<Vec<(String, Vec<u8>)>> {
    let sealer = vault.key.sealer(&format!("{PURPOSE}/{}", manifest.id))?;
    let unpack = |from: &mut dyn Read| {
        let mut found = vec![];
        for entry in tar::Archive::new(from.take(STATE_BYTES_MAX)).entries()? {
            let mut entry = entry?;
            let mut bytes = vec![];
            let name = entry.path()?.to_string_lossy().into_owned();
            entry.read_to_end(&mut bytes)?;
            found.push((name, bytes));
        }
        Ok(found)
    };
    parts::read((&vault.store, &sealer), manifest.stream(STATE)?, vault.shape(), unpack).await
}

/// Says where a file goes that is not there; refuses where another one is.
fn place(to: &Elsewhere, name: &str, bytes: &[u8]) -> Result<Option<(std::path::PathBuf, Vec<u8>)>> {
    let Some((_, path)) = to.state.iter().find(|(known, _)| known == name) else { return Ok(None) };
    match fs::read(path) {
        Ok(there) if there == bytes => Ok(None),
        Ok(_) => {
            let message = format!("{} is there and is another one than that of the dump", path.display());
            Err(Error::new(Kind::Conflict, "dump_keys_differ", message).with_hint("restore with another --data, or put the file aside"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some((path.clone(), bytes.to_vec()))),
        Err(error) => Err(failed(path, &error)),
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives a program what it reads. What it says when it fails counts more than that it read no further.
fn feed(mut command: Command, from: &mut dyn Read) -> io::Result<()> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let (input, errors) = (child.stdin.take(), child.stderr.take());
    let words = thread::spawn(move || {
        let mut words = vec![];
        let Some(mut errors) = errors else { return words };
        let _read = errors.by_ref().take(WORDS_MAX).read_to_end(&mut words).is_ok() && io::copy(&mut errors, &mut io::sink()).is_ok();
        words
    });
    let mut from = from;
    let mut input = input.ok_or_else(|| io::Error::other("psql has no input"))?;
    let given = io::copy(&mut from, &mut input);
    let is_cut = given.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe);
    if is_cut {
        // An input that merely ends would commit a part.
        child.kill()?;
    }
    drop(input);
    let status = child.wait()?;
    let words = String::from_utf8_lossy(&words.join().unwrap_or_default()).into_owned();
    if !is_cut && !status.success() {
        return Err(io::Error::other(format!("psql: {status}: {}", words.lines().take(4).collect::<Vec<_>>().join("; "))));
    }
    given.map(drop)
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::new(Kind::Internal, "restore_failed", format!("{} cannot be read or written: {error}", path.display()))
}
