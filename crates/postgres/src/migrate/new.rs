//! Writes the files of a new migration.
//!
//! Invariant: a new version is later than every one in the source, no file is overwritten, and what is written passes the lint.

use std::io::Write;
use std::path::PathBuf;

use jiff::{Timestamp, ToSpan, Unit, civil::DateTime, tz::TimeZone};
use kernel::Result;

use super::error;
use super::expand;
use super::header::{is_name, is_qualified_name};
use super::source::Source;
use super::split;

/// What is to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewMigration {
    /// `verb_name`; for a change of a column the verb is put before it.
    pub name: String,
    /// Who writes it.
    pub author: String,
    /// Now; the version follows from it.
    pub now: Timestamp,
    /// What for.
    pub change: Change,
}

/// The kinds of migration that are written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// An empty one.
    Empty,
    /// A column that every row has, in three steps under traffic.
    AddColumn {
        /// `schema.table`.
        table: String,
        /// The column.
        column: String,
        /// Its type, as SQL.
        sql_type: String,
        /// The value of old rows and the default of new ones, as SQL.
        fill: String,
        /// The columns of the primary key.
        key: Vec<String>,
    },
    /// A column under another name, in three steps under traffic.
    RenameColumn {
        /// `schema.table`.
        table: String,
        /// The name now.
        from: String,
        /// The new name.
        to: String,
        /// Its type, as SQL.
        sql_type: String,
        /// Whether every row has a value.
        not_null: bool,
        /// The columns of the primary key.
        key: Vec<String>,
    },
}

/// One migration to be written: what its name begins with, what it is for, and both texts below their headers.
pub(super) struct Draft {
    pub(super) verb: &'static str,
    pub(super) description: String,
    pub(super) rollback: &'static str,
    pub(super) up: String,
    pub(super) down: String,
}

/// Writes the files and returns their paths, in the order they are applied, each `.up.sql` before its `.down.sql`.
pub fn new(source: &Source, wanted: &NewMigration) -> Result<Vec<PathBuf>> {
    let Some(folder) = source.folder() else {
        return Err(error::refused(
            error::ARGUMENT,
            "the files built into the program cannot be added to",
            "Name the folder of your checkout: db",
        ));
    };
    let drafts = drafts(wanted)?;
    if !is_name(&wanted.name) {
        return Err(argument(format!("{:?} is not a name: lower-case letters, digits and underscores", wanted.name)));
    }
    let files = source.read()?;
    let mut depends = files.migrations.last().map_or_else(|| "none".to_owned(), |last| last.version.clone());
    let mut version = first_version(wanted.now, files.migrations.last().map(|last| last.version.as_str()))?;
    let folder = folder.join("migrations");
    std::fs::create_dir_all(&folder).map_err(|cause| error::source(format!("{} cannot be made: {cause}", folder.display())))?;
    let mut written = Vec::new();
    for draft in drafts {
        let stem = match draft.verb {
            "" => format!("{}_{}", text(version), wanted.name),
            verb => format!("{}_{verb}_{}", text(version), wanted.name),
        };
        let header = |description: &str, rollback: &str| {
            let date = wanted.now.to_zoned(TimeZone::UTC).date();
            format!(
                "-- description: {description}\n-- author: {}\n-- date: {date}\n-- depends: {depends}\n-- rollback: {rollback}\n",
                wanted.author.replace(['\n', '\r'], " ")
            )
        };
        let down = format!("takes back: {}", draft.description);
        for (ending, body) in
            [("up", header(&draft.description, draft.rollback) + &draft.up), ("down", header(&down, "migrate up again") + &draft.down)]
        {
            let path = folder.join(format!("{stem}.{ending}.sql"));
            std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&path)
                .and_then(|mut file| file.write_all(body.as_bytes()))
                .map_err(|cause| error::source(format!("{} cannot be written: {cause}", path.display())))?;
            written.push(path);
        }
        depends = text(version);
        version = version.saturating_add(1.second());
    }
    Ok(written)
}

fn drafts(wanted: &NewMigration) -> Result<Vec<Draft>> {
    match &wanted.change {
        Change::Empty => Ok(vec![Draft {
            verb: "",
            description: wanted.name.replace('_', " "),
            rollback: "say here what is lost",
            up: "\n".to_owned(),
            down: "\n".to_owned(),
        }]),
        Change::AddColumn { table, column, sql_type, fill, key } => {
            checked(table, &[column], &[sql_type, fill], key)?;
            Ok(expand::add(table, column, (sql_type, fill), key))
        }
        Change::RenameColumn { table, from, to, sql_type, not_null, key } => {
            checked(table, &[from, to], &[sql_type], key)?;
            Ok(expand::rename(&expand::Rename { table, from, to, sql_type, not_null: *not_null, key }))
        }
    }
}

fn checked(table: &str, columns: &[&String], fragments: &[&String], key: &[String]) -> Result<()> {
    if !is_qualified_name(table) {
        return Err(argument(format!("{table:?} is not schema.table in lower case")));
    }
    if key.is_empty() {
        return Err(argument("the columns of the primary key are missing".to_owned()));
    }
    // Names of triggers and constraints are made from them; PostgreSQL cuts names at 63 bytes.
    let longest = columns.iter().map(|column| column.len()).sum::<usize>() + table.len();
    for column in columns.iter().copied().chain(key) {
        if !is_name(column) || longest > 45 {
            return Err(argument(format!("{column:?} is not a lower-case name, or too long together with its table")));
        }
    }
    for fragment in fragments {
        let statements = split::statements(fragment);
        if statements.len() != 1 || statements.iter().any(|statement| statement.text != fragment.trim()) {
            return Err(argument(format!("{fragment:?} is not one piece of SQL without a semicolon or comment")));
        }
    }
    Ok(())
}

fn first_version(now: Timestamp, last: Option<&str>) -> Result<DateTime> {
    let now = now.to_zoned(TimeZone::UTC).datetime().round(Unit::Second).map_err(|cause| argument(cause.to_string()))?;
    let Some(last) = last else { return Ok(now) };
    let last = DateTime::strptime("%Y%m%d%H%M%S", last).map_err(|cause| argument(format!("the version {last} is no time: {cause}")))?;
    Ok(now.max(last.saturating_add(1.second())))
}

fn text(version: DateTime) -> String {
    version.strftime("%Y%m%d%H%M%S").to_string()
}

fn argument(message: String) -> kernel::Error {
    kernel::Error::new(kernel::Kind::BadRequest, error::ARGUMENT, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::lint;

    fn wanted(name: &str, change: Change) -> NewMigration {
        NewMigration { name: name.to_owned(), author: "Ann".to_owned(), now: "2026-03-04T05:06:07.9Z".parse().unwrap(), change }
    }

    fn names(paths: &[PathBuf]) -> Vec<String> {
        paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn versions_go_on_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::Folder(folder.path().to_owned());
        let first = new(&source, &wanted("create_a", Change::Empty)).unwrap();
        assert_eq!(names(&first), ["20260304050608_create_a.up.sql", "20260304050608_create_a.down.sql"]);
        let second = new(&source, &wanted("create_b", Change::Empty)).unwrap();
        assert_eq!(names(&second)[0], "20260304050609_create_b.up.sql");
        assert!(std::fs::read_to_string(&second[0]).unwrap().contains("-- depends: 20260304050608\n"));
        assert_eq!(lint(&source).unwrap(), vec![]);
    }

    #[test]
    fn what_is_written_for_a_column_passes_the_lint() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::Folder(folder.path().to_owned());
        let key = vec!["company_id".to_owned(), "id".to_owned()];
        let add = Change::AddColumn {
            table: "public.jobs".into(),
            column: "grade".into(),
            sql_type: "text".into(),
            fill: "'none'".into(),
            key: key.clone(),
        };
        let written = new(&source, &wanted("jobs_grade", add)).unwrap();
        assert_eq!(names(&written)[4], "20260304050610_contract_jobs_grade.up.sql");
        let rename = Change::RenameColumn {
            table: "public.jobs".into(),
            from: "title".into(),
            to: "subject".into(),
            sql_type: "text".into(),
            not_null: true,
            key,
        };
        new(&source, &wanted("jobs_subject", rename)).unwrap();
        let found = lint(&source).unwrap();
        assert!(found.is_empty(), "{}", found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn what_would_not_work_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::Folder(folder.path().to_owned());
        let add = |table: &str, column: &str, fill: &str| Change::AddColumn {
            table: table.into(),
            column: column.into(),
            sql_type: "text".into(),
            fill: fill.into(),
            key: vec!["id".into()],
        };
        for (name, change) in [
            ("Bad-Name", Change::Empty),
            ("a", add("jobs", "grade", "1")),
            ("a", add("public.jobs", "grade; drop", "1")),
            ("a", add("public.jobs", "grade", "1; drop table x")),
            ("a", add("public.jobs", "grade", "")),
        ] {
            assert_eq!(new(&source, &wanted(name, change)).unwrap_err().code(), error::ARGUMENT);
        }
        assert_eq!(new(&Source::Embedded, &wanted("a", Change::Empty)).unwrap_err().code(), error::ARGUMENT);
    }
}
