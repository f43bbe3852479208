//! The files of a project: `supabase/migrations/<version>_<name>.sql` in their order, and its seeds.
//!
//! Invariant: a file that is passed over is named.

use std::path::{Path, PathBuf};

use kernel::Result;

use super::super::error;
use super::super::source::{File, sha256};

/// A project in a folder.
#[derive(Clone, Debug, Default)]
pub struct Project {
    pub(super) migrations: Vec<Step>,
    pub(super) seeds: Vec<File>,
    pub(super) ignored: Vec<String>,
}

/// One migration of a project.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Step {
    pub(super) version: String,
    pub(super) name: String,
    pub(super) file: File,
}

impl Step {
    /// Returns the checksum that is kept of an applied file.
    pub(super) fn checksum(&self) -> String {
        sha256([self.file.text.as_str()])
    }
}

impl Project {
    /// Reads a project's folder, the folder `supabase` in it, or its folder of migrations.
    pub fn open(folder: &Path) -> Result<Self> {
        let (migrations, home) = places(folder)?;
        let mut project = Self::default();
        for path in sorted(&migrations)? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            match version_and_name(name) {
                Some((version, stem)) => {
                    let file = File { path: format!("migrations/{name}"), text: read(&path)? };
                    project.migrations.push(Step { version: version.to_owned(), name: stem.to_owned(), file });
                }
                None if path.is_file() && !name.starts_with('.') => project.ignored.push(format!("migrations/{name}")),
                None => {}
            }
        }
        for pair in project.migrations.windows(2) {
            if let [one, other] = pair
                && one.version == other.version
            {
                let message = format!("{} and {} have the same version", one.file.path, other.file.path);
                return Err(error::refused(error::NAME, message, "Give one of them a later time."));
            }
        }
        project.seeds = seeds(&home)?;
        Ok(project)
    }
}

/// The folder of the migrations, and the one that holds `seed.sql`.
fn places(folder: &Path) -> Result<(PathBuf, PathBuf)> {
    for (below, home) in [("supabase/migrations", "supabase"), ("migrations", "")] {
        if folder.join(below).is_dir() {
            return Ok((folder.join(below), folder.join(home)));
        }
    }
    let holds_files =
        sorted(folder)?.iter().any(|path| path.file_name().and_then(|name| name.to_str()).and_then(version_and_name).is_some());
    if holds_files {
        return Ok((folder.to_owned(), folder.parent().unwrap_or(folder).to_owned()));
    }
    let message = format!("{} holds no project", folder.display());
    Err(error::refused(error::PROJECT_SOURCE, message, "Name the folder that has supabase/migrations in it, or that folder itself."))
}

/// Returns the seeds in the order of `config.toml`, or `seed.sql`.
fn seeds(home: &Path) -> Result<Vec<File>> {
    let mut paths = vec!["./seed.sql".to_owned()];
    let config = home.join("config.toml");
    if config.is_file() {
        let wrong = |cause: toml::de::Error| error::source(format!("{} cannot be read: {}", config.display(), cause.message()));
        let table: toml::Table = read(&config)?.parse().map_err(wrong)?;
        let seed = table.get("db").and_then(|db| db.get("seed"));
        if seed.and_then(|seed| seed.get("enabled")).and_then(toml::Value::as_bool) == Some(false) {
            return Ok(Vec::new());
        }
        if let Some(named) = seed.and_then(|seed| seed.get("sql_paths")).and_then(toml::Value::as_array) {
            paths = named.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect();
        }
    }
    let mut files = Vec::new();
    for pattern in &paths {
        let pattern = pattern.trim_start_matches("./");
        let (below, name) = pattern.rsplit_once('/').map_or(("", pattern), |(below, name)| (below, name));
        let folder = home.join(below);
        let Some((before, after)) = name.split_once('*') else {
            if folder.join(name).is_file() {
                files.push(File { path: pattern.to_owned(), text: read(&folder.join(name))? });
            }
            continue;
        };
        for path in if folder.is_dir() { sorted(&folder)? } else { Vec::new() } {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after) {
                let inside = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
                files.push(File { path: inside, text: read(&path)? });
            }
        }
    }
    Ok(files)
}

/// `20240101000000_name.sql`; digits of any number come before the name.
fn version_and_name(name: &str) -> Option<(&str, &str)> {
    let (version, stem) = name.strip_suffix(".sql")?.split_once('_')?;
    (!version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())).then_some((version, stem))
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |cause: std::io::Error| error::source(format!("{} cannot be read: {cause}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>().map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).map_err(|cause| error::source(format!("{} cannot be read: {cause}", path.display())))?;
    Ok(text.replace("\r\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn seeds_of(project: &Project) -> Vec<&str> {
        project.seeds.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn a_project_is_found_from_any_of_its_folders() {
        let folder = folder(&[
            ("supabase/migrations/20240102000000_b.sql", "select 2"),
            ("supabase/migrations/20240101000000_a.sql", "select 1"),
            ("supabase/migrations/readme.md", ""),
            ("supabase/seed.sql", "select 3"),
        ]);
        for below in ["", "supabase", "supabase/migrations"] {
            let project = Project::open(&folder.path().join(below)).unwrap();
            assert_eq!(project.migrations.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["a", "b"], "{below}");
            assert_eq!(seeds_of(&project), ["seed.sql"], "{below}");
            assert_eq!(project.ignored, ["migrations/readme.md"]);
        }
        assert_eq!(Project::open(&tempfile::tempdir().unwrap().keep()).unwrap_err().code(), error::PROJECT_SOURCE);
    }

    #[test]
    fn seeds_are_those_of_the_configuration() {
        let files = [
            ("supabase/migrations/1_a.sql", ""),
            ("supabase/config.toml", "[db.seed]\nenabled = true\nsql_paths = ['./seeds/*.sql', './last.sql']"),
            ("supabase/seeds/b.sql", ""),
            ("supabase/seeds/a.sql", ""),
            ("supabase/last.sql", ""),
            ("supabase/seed.sql", ""),
        ];
        let folder = folder(&files);
        assert_eq!(seeds_of(&Project::open(folder.path()).unwrap()), ["seeds/a.sql", "seeds/b.sql", "last.sql"]);
    }

    #[test]
    fn two_files_of_one_version_are_refused() {
        let folder = folder(&[("migrations/1_a.sql", ""), ("migrations/1_b.sql", "")]);
        assert_eq!(Project::open(folder.path()).unwrap_err().code(), error::NAME);
    }
}
