//! Where PostgreSQL's programs are, and which version they are now.
//!
//! Invariant: a [`Programs`] was asked for its version at the moment it was made. The version text is the one that the running
//! server reports as `server_version`, so that comparing the two tells an upgrade under a running server, package revision included.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ClusterError;

/// The oldest major version that is supported.
pub const VERSION_MIN: u32 = 15;

/// A folder with `initdb` and `postgres`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Programs {
    /// The folder, symbolic links resolved.
    pub(super) folder: PathBuf,
    /// `15.18 (Debian 15.18-0+deb12u1)`.
    pub(super) version: String,
    /// `15`.
    pub(super) major: u32,
}

impl Programs {
    /// Returns the path of one of the programs.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Finds the programs: in the named folder only, else on the search path, by `pg_config`, and where distributions put them. With a
    /// major version wanted (a data folder has one) only that one will do; else the search path goes first, then the highest.
    pub(super) fn find(named: Option<&Path>, search_path: Option<&OsStr>, data: Option<(u32, &Path)>) -> Result<Self, ClusterError> {
        let folders = named.map_or_else(|| candidates(search_path), |folder| vec![folder.to_owned()]);
        let mut seen = BTreeSet::new();
        let mut found: Vec<Self> = folders
            .iter()
            .filter_map(|folder| fs::canonicalize(folder).ok())
            .filter(|folder| seen.insert(folder.clone()))
            .filter_map(|folder| Self::inspect(&folder))
            .collect();
        found.retain(|programs| programs.major >= VERSION_MIN);
        let chosen = found.iter().position(|programs| data.is_none_or(|(wanted, _)| programs.major == wanted));
        match (chosen, data) {
            (Some(index), _) => Ok(found.swap_remove(index)),
            (None, Some((wanted, folder))) if !found.is_empty() => Err(ClusterError::MajorMissing {
                folder: folder.to_owned(),
                wanted,
                found: found.iter().map(|programs| programs.version.clone()).collect::<Vec<_>>().join(", "),
            }),
            _ => Err(ClusterError::ProgramsMissing {
                looked: match named {
                    Some(folder) => format!("looked in {}", folder.display()),
                    None => "looked on the search path and in /usr/lib/postgresql/*/bin and /usr/pgsql-*/bin".to_owned(),
                },
            }),
        }
    }

    /// Finds the programs of the highest major version: in the named folder only, else wherever they may be.
    pub(super) fn newest(named: Option<&Path>, search_path: Option<&OsStr>) -> Option<Self> {
        let folders = named.map_or_else(|| candidates(search_path), |folder| vec![folder.to_owned()]);
        let found = folders.iter().filter_map(|folder| fs::canonicalize(folder).ok()).filter_map(|folder| Self::inspect(&folder));
        found.max_by_key(|programs| programs.major)
    }

    /// Asks the programs in a folder for their version; `None` if there are none.
    pub(super) fn inspect(folder: &Path) -> Option<Self> {
        if !is_executable(&folder.join("initdb")) {
            return None;
        }
        let output = Command::new(folder.join("postgres")).arg("--version").env_clear().output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let (version, major) = parse_version(&text)?;
        Some(Self { folder: folder.to_owned(), version, major })
    }

    /// Tells whether a library that PostgreSQL can preload is installed.
    pub(super) fn has_library(&self, name: &str) -> bool {
        let file = format!("{name}.so");
        let mut folders = vec![];
        if let Ok(output) = Command::new(self.path("pg_config")).arg("--pkglibdir").env_clear().output()
            && let Ok(text) = String::from_utf8(output.stdout)
        {
            folders.push(PathBuf::from(text.trim()));
        }
        folders.extend(["../lib", "../lib/postgresql", "../lib64/postgresql", "../lib64/pgsql"].map(|near| self.folder.join(near)));
        folders.iter().any(|folder| folder.join(&file).is_file())
    }
}

/// Lists the folders where the programs may be, the preferred first.
fn candidates(search_path: Option<&OsStr>) -> Vec<PathBuf> {
    let on_path: Vec<PathBuf> = search_path.map(|text| std::env::split_paths(text).collect()).unwrap_or_default();
    // Debian puts links to some programs on the search path; the folder behind a link has all of them.
    let mut folders: Vec<PathBuf> = on_path
        .iter()
        .filter_map(|folder| fs::canonicalize(folder.join("postgres")).ok())
        .filter_map(|program| program.parent().map(Path::to_owned))
        .collect();
    if let Some(output) = on_path.iter().find_map(|folder| Command::new(folder.join("pg_config")).arg("--bindir").output().ok())
        && let Ok(text) = String::from_utf8(output.stdout)
    {
        folders.push(PathBuf::from(text.trim()));
    }
    let mut installed: Vec<(u32, PathBuf)> = vec![];
    for (parent, prefix) in
        [("/usr/lib/postgresql", ""), ("/usr", "pgsql-"), ("/usr/local", "pgsql-"), ("/opt/homebrew/opt", "postgresql@")]
    {
        let Ok(entries) = fs::read_dir(parent) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let major = name.to_str().and_then(|name| name.strip_prefix(prefix)).and_then(|rest| rest.parse().ok());
            installed.extend(major.map(|major| (major, entry.path().join("bin"))));
        }
    }
    installed.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    folders.extend(installed.into_iter().map(|(_, folder)| folder));
    folders
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Takes `15.18 (Debian …)` and `15` out of `postgres (PostgreSQL) 15.18 (Debian …)`.
fn parse_version(text: &str) -> Option<(String, u32)> {
    let (_, version) = text.trim().split_once("(PostgreSQL) ")?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((version.to_owned(), digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with two programs that answer only their version.
    fn fake(folder: &Path, version: &str) {
        fs::create_dir_all(folder).unwrap();
        for name in ["initdb", "postgres"] {
            let path = folder.join(name);
            fs::write(&path, format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn reads_the_version_with_the_packages_revision() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(parse_version(debian), Some(("15.18 (Debian 15.18-0+deb12u1)".to_owned(), 15)));
        assert_eq!(parse_version("postgres (PostgreSQL) 19beta1"), Some(("19beta1".to_owned(), 19)));
        assert_eq!(parse_version("something else"), None);
    }

    #[test]
    fn the_search_path_goes_first_unless_it_is_too_old() {
        let home = tempfile::tempdir().unwrap();
        fake(&home.path().join("a"), "14.9");
        fake(&home.path().join("b"), "16.2");
        let path = std::env::join_paths([home.path().join("a"), home.path().join("b")]).unwrap();
        let found = Programs::find(None, Some(&path), None).unwrap();
        assert_eq!((found.major, found.folder), (16, fs::canonicalize(home.path().join("b")).unwrap()));
    }

    #[test]
    fn a_named_folder_is_the_only_one() {
        let home = tempfile::tempdir().unwrap();
        let error = Programs::find(Some(home.path()), None, None).unwrap_err();
        assert_eq!(error.code(), "cluster_programs_missing");
        assert!(error.to_string().contains("apt-get install postgresql"), "{error}");

        fake(home.path(), "14.9");
        assert_eq!(Programs::find(Some(home.path()), None, None).unwrap_err().code(), "cluster_programs_missing");
    }

    #[test]
    fn another_major_version_does_not_open_a_data_folder() {
        let home = tempfile::tempdir().unwrap();
        fake(home.path(), "17.1");
        let error = Programs::find(Some(home.path()), None, Some((15, Path::new("/data")))).unwrap_err();
        assert_eq!(error.code(), "cluster_major_missing");
        assert!(error.to_string().contains("install postgresql-15"), "{error}");
    }
}
