//! The key file: readable by its owner alone, written whole or not at all.
//!
//! Invariant: a file that exists was complete and on disk before it had its name; two processes that both find none end with the
//! same keys, because the name is given by a hard link, which fails where one exists.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use kernel::Secret;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{ApiKey, KeyFault, KeyRing, KeyRole, PublicKey, SealingKey, SigningKey, random};

const FORMAT: u32 = 1;
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why the key file cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file cannot be read or written.
    #[error("the key file {path} cannot be {doing}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// Others may read it.
    #[error("the key file {path} has mode {mode:04o}: others may read it. Run: chmod 600 {path}")]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is not what was written.
    #[error("the key file {path} is damaged or of another version")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What does not fit. Never the content.
        source: Option<KeyFault>,
    },
    /// Keys cannot be made.
    #[error(transparent)]
    Key(#[from] KeyFault),
}

/// Loads the keys, and makes them when there are none yet. Tells whether they are new.
pub fn load_or_create(path: &Path, now: Timestamp) -> Result<(KeyRing, bool), StoreError> {
    if let Some(ring) = load(path)? {
        // A file of before there were sealing keys gets its first one.
        let ring = if ring.sealing.is_empty() { change(path, |ring| with_sealing_key(ring, now))? } else { ring };
        return Ok((ring, false));
    }
    let ring = KeyRing::generate(now)?;
    let temporary = write_temporary(path, &ring)?;
    let linked = fs::hard_link(&temporary, path);
    remove_temporary(&temporary)?;
    match linked {
        Ok(()) => {
            sync_folder(path)?;
            Ok((ring, true))
        }
        // Another process was faster: its keys are the keys.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let ring = load(path)?.ok_or_else(|| damaged(path, None))?;
            Ok((ring, false))
        }
        Err(source) => Err(StoreError::Io { path: path.to_owned(), doing: "created", source }),
    }
}

/// Loads the keys, or nothing when there is no file.
pub fn load(path: &Path) -> Result<Option<KeyRing>, StoreError> {
    let Some(text) = read_private(path)? else { return Ok(None) };
    // The parser's message could quote a key, so it is dropped with intent.
    let Ok(stored) = serde_json::from_str::<Stored>(&text) else { return Err(damaged(path, None)) };
    stored.ring().map(Some).map_err(|fault| damaged(path, Some(fault)))
}

/// Reads a file that nobody else may read; nothing when there is none.
pub(super) fn read_private(path: &Path) -> Result<Option<String>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::Io { path: path.to_owned(), doing: "opened", source }),
    };
    let metadata = file.metadata().map_err(|source| StoreError::Io { path: path.to_owned(), doing: "inspected", source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StoreError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|source| StoreError::Io {
        path: path.to_owned(),
        doing: "read",
        source,
    })?;
    Ok(Some(text))
}

/// Makes new keys beside the old ones, which stay accepted.
pub fn rotate(path: &Path, now: Timestamp) -> Result<KeyRing, StoreError> {
    change(path, |ring| ring.rotated(now))
}

/// Forgets the keys before the current ones.
pub fn revoke_previous(path: &Path) -> Result<KeyRing, StoreError> {
    change(path, |ring| Ok(ring.clone().without_previous()))
}

/// Forgets the sealing keys before the current one that sealed nothing with these marks.
pub fn forget_sealing_keys(path: &Path, in_use: &[String]) -> Result<KeyRing, StoreError> {
    change(path, |ring| Ok(ring.clone().keeping_sealing_keys(in_use)))
}

/// Of two that start at once the second finds what the first one made.
fn with_sealing_key(ring: &KeyRing, now: Timestamp) -> Result<KeyRing, KeyFault> {
    if ring.sealing.is_empty() { ring.clone().with_new_sealing_key(now) } else { Ok(ring.clone()) }
}

/// Changes the file under a lock, so that of two changes at once none is lost.
fn change(path: &Path, with: impl FnOnce(&KeyRing) -> Result<KeyRing, KeyFault>) -> Result<KeyRing, StoreError> {
    let io = |doing| move |source| StoreError::Io { path: path.to_owned(), doing, source };
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock_path).map_err(io("locked"))?;
    lock.lock().map_err(io("locked"))?;
    let ring = load(path)?.ok_or_else(|| io("found")(io::ErrorKind::NotFound.into()))?;
    let changed = with(&ring)?;
    let temporary = write_temporary(path, &changed)?;
    fs::rename(&temporary, path).map_err(io("replaced"))?;
    sync_folder(path)?;
    Ok(changed)
}

fn write_temporary(path: &Path, ring: &KeyRing) -> Result<PathBuf, StoreError> {
    let io = |doing| move |source| StoreError::Io { path: path.to_owned(), doing, source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io("given a folder"))?;
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", URL_SAFE_NO_PAD.encode(random(12)?)));
    let temporary = PathBuf::from(temporary);
    let text = serde_json::to_vec_pretty(&Stored::of(ring)).map_err(KeyFault::invalid)?;
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary).map_err(io("written"))?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(io("written"))?;
    Ok(temporary)
}

fn remove_temporary(temporary: &Path) -> Result<(), StoreError> {
    fs::remove_file(temporary).map_err(|source| StoreError::Io { path: temporary.to_owned(), doing: "tidied up", source })
}

/// Makes the new name itself survive a crash.
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| StoreError::Io { path: path.to_owned(), doing: "made durable", source })
}

pub(super) fn damaged(path: &Path, source: Option<KeyFault>) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), source }
}

/// The file's content. Without `Debug` on purpose.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    signing_key_pkcs8: String,
    previous_public_keys: Vec<StoredPublicKey>,
    refresh_keys: Vec<String>,
    anon_token: String,
    anon_opaque: String,
    service_token: String,
    service_opaque: String,
    previous_anon_opaque: Vec<String>,
    previous_service_opaque: Vec<String>,
    #[serde(default)]
    sealing_keys: Vec<StoredSealingKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSealingKey {
    id: String,
    key: String,
    made_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredPublicKey {
    x: String,
    y: String,
}

impl Stored {
    fn of(ring: &KeyRing) -> Self {
        let previous = |wanted: KeyRole| {
            let of_role = ring.previous_opaque.iter().filter(move |(role, _)| *role == wanted);
            of_role.map(|(_, opaque)| opaque.expose().clone()).collect()
        };
        let public = |key: &PublicKey| {
            let (x, y) = key.coordinates();
            StoredPublicKey { x: x.to_owned(), y: y.to_owned() }
        };
        Self {
            format: FORMAT,
            signing_key_pkcs8: URL_SAFE_NO_PAD.encode(ring.current.pkcs8().expose()),
            previous_public_keys: ring.previous.iter().map(public).collect(),
            refresh_keys: ring.refresh.iter().map(|key| URL_SAFE_NO_PAD.encode(key.expose())).collect(),
            anon_token: ring.anon.token.expose().clone(),
            anon_opaque: ring.anon.opaque.expose().clone(),
            service_token: ring.service.token.expose().clone(),
            service_opaque: ring.service.opaque.expose().clone(),
            previous_anon_opaque: previous(KeyRole::Anon),
            previous_service_opaque: previous(KeyRole::Service),
            sealing_keys: ring.sealing.iter().map(StoredSealingKey::of).collect(),
        }
    }

    fn ring(self) -> Result<KeyRing, KeyFault> {
        if self.format != FORMAT {
            return Err(KeyFault::invalid("unknown format"));
        }
        let refresh: Vec<_> = self.refresh_keys.iter().map(|key| decode(key)).collect::<Result<_, _>>()?;
        if refresh.is_empty() || refresh.iter().any(|key| key.len() < 32) {
            return Err(KeyFault::invalid("no usable refresh key"));
        }
        let anon = self.previous_anon_opaque.into_iter().map(|opaque| (KeyRole::Anon, Secret::new(opaque)));
        let service = self.previous_service_opaque.into_iter().map(|opaque| (KeyRole::Service, Secret::new(opaque)));
        Ok(KeyRing {
            current: SigningKey::from_pkcs8(&decode(&self.signing_key_pkcs8)?)?,
            configured: None,
            previous: self
                .previous_public_keys
                .into_iter()
                .map(|key| PublicKey::from_coordinates(key.x, key.y))
                .collect::<Result<_, _>>()?,
            refresh: refresh.into_iter().map(Secret::new).collect(),
            anon: ApiKey { token: Secret::new(self.anon_token), opaque: Secret::new(self.anon_opaque) },
            service: ApiKey { token: Secret::new(self.service_token), opaque: Secret::new(self.service_opaque) },
            previous_opaque: anon.chain(service).collect(),
            sealing: self.sealing_keys.into_iter().map(StoredSealingKey::key).collect::<Result<_, _>>()?,
        })
    }
}

impl StoredSealingKey {
    fn of(key: &SealingKey) -> Self {
        Self { id: key.id.clone(), key: URL_SAFE_NO_PAD.encode(key.key.expose()), made_at: key.made_at }
    }

    fn key(self) -> Result<SealingKey, KeyFault> {
        SealingKey::new(self.id, decode(&self.key)?, self.made_at)
    }
}

fn decode(text: &str) -> Result<Vec<u8>, KeyFault> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_quotes_the_key| KeyFault::invalid("not base64url"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn kid(ring: &KeyRing) -> String {
        ring.current().public().kid().to_owned()
    }

    #[test]
    fn keys_are_made_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper/keys.json");
        let (made, new) = load_or_create(&path, now()).unwrap();
        assert!(new);
        let (found, new) = load_or_create(&path, now()).unwrap();
        assert!(!new);
        assert_eq!(kid(&found), kid(&made));
        assert_eq!(found.service().token.expose(), made.service().token.expose());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn of_many_that_start_at_once_all_get_the_same_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        let starters: Vec<_> = (0..16)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || load_or_create(&path, now()).unwrap())
            })
            .collect();
        let results: Vec<_> = starters.into_iter().map(|starter| starter.join().unwrap()).collect();
        assert_eq!(results.iter().filter(|(_, new)| *new).count(), 1);
        assert!(results.iter().all(|(ring, _)| kid(ring) == kid(&results[0].0)));
    }

    #[test]
    fn rotations_at_once_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        load_or_create(&path, now()).unwrap();
        let rotors: Vec<_> = (0..4)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || rotate(&path, now()).unwrap())
            })
            .collect();
        for rotor in rotors {
            rotor.join().unwrap();
        }
        assert_eq!(load(&path).unwrap().unwrap().jwks()["keys"].as_array().unwrap().len(), 5);
        let ring = revoke_previous(&path).unwrap();
        assert_eq!(ring.jwks()["keys"].as_array().unwrap().len(), 1);
        assert_eq!(kid(&load(&path).unwrap().unwrap()), kid(&ring));
    }

    #[test]
    fn an_older_file_gets_a_sealing_key_and_a_rotation_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        load_or_create(&path, now()).unwrap();
        let mut older: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        older.as_object_mut().unwrap().remove("sealing_keys");
        fs::write(&path, older.to_string()).unwrap();
        assert_eq!(load(&path).unwrap().unwrap().sealing_mark(), None);
        let (ring, new) = load_or_create(&path, now()).unwrap();
        let first = ring.sealing_mark().unwrap();
        assert!(!new && load(&path).unwrap().unwrap().sealing_mark().unwrap() == first);
        let rotated = rotate(&path, now()).unwrap();
        let marks: Vec<_> = load(&path).unwrap().unwrap().sealing_marks().collect();
        assert_eq!(marks, [rotated.sealing_mark().unwrap(), first.clone()]);
        assert_eq!(forget_sealing_keys(&path, std::slice::from_ref(&first)).unwrap().sealing_marks().count(), 2);
        assert_eq!(forget_sealing_keys(&path, &[]).unwrap().sealing_marks().collect::<Vec<_>>(), [rotated.sealing_mark().unwrap()]);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        load_or_create(&path, now()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load(&path), Err(StoreError::Exposed { mode: 0o640, .. })));
    }

    #[test]
    fn a_damaged_file_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        load_or_create(&path, now()).unwrap();
        let text = fs::read_to_string(&path).unwrap().replace("\"format\": 1", "\"format\": \"sb_secret_x\"");
        fs::write(&path, text).unwrap();
        let error = load(&path).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }));
        assert!(!format!("{error:?}").contains("sb_secret"));
        assert!(load_or_create(&path, now()).is_err(), "a damaged file is never overwritten");
    }
}
