//! Where the SQL comes from: the files built into the binary, or a folder on disk.
//!
//! Invariant: files are ordered by name, a migration's version is unique, and text is compared with `\n` line ends, so that a
//! checksum does not depend on how a checkout was made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use kernel::Result;
use rust_embed::RustEmbed;

use super::error;

#[derive(RustEmbed)]
#[folder = "../../db"]
struct Embedded;

/// The files a database is made from.
#[derive(Clone, Debug)]
pub enum Source {
    /// What was built into the binary.
    Embedded,
    /// A folder laid out like `db/`.
    Folder(PathBuf),
}

/// One file of SQL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct File {
    /// The path inside the source, with forward slashes.
    pub(super) path: String,
    pub(super) text: String,
}

/// One migration with its way back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Migration {
    pub(super) version: String,
    pub(super) name: String,
    pub(super) up: File,
    pub(super) down: Option<File>,
}

impl Migration {
    /// Returns the checksum that is kept of an applied file.
    pub(super) fn checksum(&self) -> String {
        sha256([self.up.text.as_str()])
    }
}

/// Everything a source holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    pub(super) bootstrap: Vec<File>,
    pub(super) migrations: Vec<Migration>,
    pub(super) code: Vec<File>,
    pub(super) seed_system: Vec<File>,
    pub(super) seed_development: Vec<File>,
    pub(super) permissions: Option<File>,
    /// What a project that is brought finds.
    pub(super) project: Vec<File>,
    /// Extensions that are answered by functions of ours; the name of the file is the extension's.
    pub(super) project_extensions: Vec<File>,
}

impl Source {
    /// Returns the folder, when there is one to write to.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Embedded => None,
            Self::Folder(path) => Some(path),
        }
    }

    /// Reads all files.
    pub(super) fn read(&self) -> Result<Files> {
        let texts = match self {
            Self::Embedded => embedded()?,
            Self::Folder(path) => folder(path)?,
        };
        let mut files = Files::default();
        let mut migrations = Vec::new();
        for (path, text) in texts {
            let file = File { path, text };
            match file.path.rsplit_once('/') {
                Some(("bootstrap", _)) => files.bootstrap.push(file),
                Some(("migrations", _)) => migrations.push(file),
                Some(("code", _)) => files.code.push(file),
                Some(("seed/system", _)) => files.seed_system.push(file),
                Some(("seed/development", _)) => files.seed_development.push(file),
                Some(("project", _)) => files.project.push(file),
                Some(("project/extensions", _)) => files.project_extensions.push(file),
                None if file.path == "permissions.toml" => files.permissions = Some(file),
                _ => {}
            }
        }
        files.migrations = pair(migrations)?;
        Ok(files)
    }
}

/// Returns the sha-256 of texts in their order, as hexadecimal digits.
pub(super) fn sha256<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for text in texts {
        // The length goes first, so that no two lists of texts can read the same.
        context.update(text.len().to_string().as_bytes());
        context.update(b":");
        context.update(text.as_bytes());
    }
    context.finish().as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        for digit in [byte >> 4, byte & 15] {
            hex.extend(char::from_digit(u32::from(digit), 16));
        }
        hex
    })
}

/// Returns the checksum of a set of files.
pub(super) fn checksum_of_set(files: &[File]) -> String {
    sha256(files.iter().flat_map(|file| [file.path.as_str(), file.text.as_str()]))
}

/// Returns the version and the name of a migration's file name.
pub(super) fn version_and_name(stem: &str) -> Option<(&str, &str)> {
    let (version, name) = stem.split_once('_')?;
    let digits = version.len() == 14 && version.bytes().all(|byte| byte.is_ascii_digit());
    (digits && super::header::is_name(name)).then_some((version, name))
}

fn embedded() -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    for path in Embedded::iter().filter(|path| is_ours(path)) {
        let file = Embedded::get(&path).ok_or_else(|| error::source(format!("{path} is listed but not there")))?;
        texts.insert(path.to_string(), text(&path, file.data.to_vec())?);
    }
    Ok(texts)
}

fn folder(root: &Path) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    for below in ["", "bootstrap", "migrations", "code", "seed/system", "seed/development", "project", "project/extensions"] {
        let folder = root.join(below);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound && !below.is_empty() => continue,
            Err(cause) => return Err(unreadable(&folder, &cause)),
        };
        for entry in entries {
            let path = entry.map_err(|cause| unreadable(&folder, &cause))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let inside = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            if is_ours(&inside) && path.is_file() {
                let bytes = std::fs::read(&path).map_err(|cause| unreadable(&path, &cause))?;
                let read = text(&inside, bytes)?;
                texts.insert(inside, read);
            }
        }
    }
    Ok(texts)
}

fn is_ours(path: &str) -> bool {
    path == "permissions.toml" || Path::new(path).extension().is_some_and(|extension| extension == "sql")
}

fn unreadable(path: &Path, cause: &std::io::Error) -> kernel::Error {
    error::source(format!("{} cannot be read: {cause}", path.display()))
}

fn text(path: &str, bytes: Vec<u8>) -> Result<String> {
    let text = String::from_utf8(bytes).map_err(|cause| error::source(format!("{path} is not UTF-8: {cause}")))?;
    Ok(text.replace("\r\n", "\n"))
}

fn pair(files: Vec<File>) -> Result<Vec<Migration>> {
    let mut downs: BTreeMap<String, File> = BTreeMap::new();
    let mut ups: BTreeMap<String, (String, File)> = BTreeMap::new();
    for file in files {
        let stem = file.path.strip_prefix("migrations/").unwrap_or(&file.path);
        let parts =
            stem.strip_suffix(".up.sql").map(|stem| (stem, true)).or_else(|| stem.strip_suffix(".down.sql").map(|stem| (stem, false)));
        let Some((is_up, (version, name))) = parts.and_then(|(stem, is_up)| Some((is_up, version_and_name(stem)?))) else {
            return Err(error::refused(
                error::NAME,
                format!("{} is not the name of a migration", file.path),
                "A migration is called YYYYMMDDHHMMSS_verb_name.up.sql, its way back .down.sql; the name is lower case with underscores.",
            ));
        };
        if is_up {
            if let Some((_, other)) = ups.insert(version.to_owned(), (name.to_owned(), file.clone())) {
                return Err(error::refused(
                    error::NAME,
                    format!("{} and {} have the same version", other.path, file.path),
                    "Give one of them a later time.",
                ));
            }
        } else {
            downs.insert(format!("{version}_{name}"), file);
        }
    }
    let migrations: Vec<Migration> = ups
        .into_iter()
        .map(|(version, (name, up))| {
            let down = downs.remove(&format!("{version}_{name}"));
            Migration { version, name, up, down }
        })
        .collect();
    match downs.into_values().next() {
        Some(lonely) => {
            Err(error::refused(error::NAME, format!("{} has no .up.sql", lonely.path), "The two files share version and name."))
        }
        None => Ok(migrations),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> File {
        File { path: format!("migrations/{path}"), text: String::new() }
    }

    #[test]
    fn files_are_paired_and_ordered_by_version() {
        let found =
            pair(vec![file("20260102000000_b.up.sql"), file("20260101000000_a.down.sql"), file("20260101000000_a.up.sql")]).unwrap();
        assert_eq!(found.iter().map(|migration| migration.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert!(found[0].down.is_some() && found[1].down.is_none());
    }

    #[test]
    fn names_that_would_be_skipped_in_silence_are_refused() {
        for bad in
            ["2026_a.up.sql", "20260101000000_A.up.sql", "20260101000000_a.sql", "20260101000000.up.sql", "20260101000000_a.down.sql"]
        {
            assert_eq!(pair(vec![file(bad)]).unwrap_err().code(), error::NAME, "{bad}");
        }
        let twice = pair(vec![file("20260101000000_a.up.sql"), file("20260101000000_b.up.sql")]).unwrap_err();
        assert!(twice.message().contains("same version"));
    }

    #[test]
    fn a_checksum_tells_lists_apart() {
        // printf '3:abc' | sha256sum
        assert_eq!(sha256(["abc"]), "aab5f9ae99b2e38fb462025c8f72f570c9c811705d2a4277dc855d7fa293fe97");
        assert_ne!(sha256(["ab", "c"]), sha256(["a", "bc"]));
    }

    #[test]
    fn the_embedded_files_are_those_of_the_folder() {
        let embedded = embedded().unwrap();
        assert_eq!(embedded, folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../db")).unwrap());
        assert!(embedded.contains_key("permissions.toml") && embedded.keys().any(|path| path.starts_with("bootstrap/")));
    }
}
