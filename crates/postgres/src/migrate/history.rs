//! The book of what was applied, and what follows from comparing it with the source.
//!
//! Invariant: a row is written in the transaction of its migration. Nothing is applied while the book and the source disagree.

use std::collections::BTreeMap;
use std::fmt;

use kernel::Result;

use super::error;
use super::session::Session;
use super::source::{File, Migration, sha256};

/// One applied migration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    /// The fourteen digits.
    pub version: String,
    /// What it is called.
    pub name: String,
    /// The checksum of the file as it was.
    pub checksum: String,
    /// When, as PostgreSQL writes it.
    pub applied_at: String,
    /// How long it took.
    pub duration_ms: i64,
}

/// A disagreement between the book and the source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disagreement {
    /// The stable code.
    pub code: &'static str,
    /// The version it is about.
    pub version: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: &'static str,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.code, self.message, self.hint)
    }
}

/// Makes the tables of the book, with row security like all others. Runs as the owner, in a transaction.
pub(super) const TABLES: &str = "
create table if not exists app.migrations (
  version     text primary key,
  name        text not null,
  checksum    text not null,
  applied_at  timestamptz not null default now(),
  duration_ms bigint not null
);
create table if not exists app.applied_code (
  checksum   text primary key,
  applied_at timestamptz not null default now()
);
create table if not exists app.applied_seeds (
  path       text primary key,
  checksum   text not null,
  applied_at timestamptz not null default now()
);
create table if not exists app.backfills (
  version     text primary key,
  table_name  text not null,
  statement   text not null,
  last_key    text[],
  rows_done   bigint not null default 0,
  batches     bigint not null default 0,
  started_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  finished_at timestamptz
);
create table if not exists app.schema_fingerprints (
  taken_at timestamptz primary key default now(),
  objects  jsonb not null
);
alter table app.schema_fingerprints add column if not exists made_from text;
do $$
declare
  v_table regclass;
begin
  foreach v_table in array array['app.migrations', 'app.applied_code', 'app.applied_seeds', 'app.backfills', 'app.schema_fingerprints']::regclass[] loop
    if to_regprocedure('app.enclose(regclass)') is not null then
      perform app.enclose(v_table);
      continue;
    end if;
    execute format('alter table %s enable row level security, force row level security', v_table);
    if not exists (select from pg_catalog.pg_policy where polrelid = v_table and polname = 'app_owner_all') then
      execute format('create policy app_owner_all on %s to app_owner using (true) with check (true)', v_table);
    end if;
  end loop;
end $$;";

/// Returns what was applied, oldest first; nothing when there is no book yet.
pub(super) async fn read(session: &Session) -> Result<Vec<Applied>> {
    if !exists(session, "app.migrations").await? {
        return Ok(Vec::new());
    }
    let rows = session
        .client
        .query("select version, name, checksum, applied_at::text, duration_ms from app.migrations order by version", &[])
        .await
        .map_err(error::query)?;
    Ok(rows
        .iter()
        .map(|row| Applied { version: row.get(0), name: row.get(1), checksum: row.get(2), applied_at: row.get(3), duration_ms: row.get(4) })
        .collect())
}

/// Whether a table is there.
pub(super) async fn exists(session: &Session, table: &str) -> Result<bool> {
    let row = session.client.query_one("select to_regclass($1) is not null", &[&table]).await.map_err(error::query)?;
    Ok(row.get(0))
}

/// Writes the row of a migration.
pub(super) async fn record(session: &Session, migration: &Migration, duration_ms: i64) -> Result<()> {
    session
        .client
        .execute(
            "insert into app.migrations (version, name, checksum, duration_ms) values ($1, $2, $3, $4)",
            &[&migration.version, &migration.name, &migration.checksum(), &duration_ms],
        )
        .await
        .map(|_| ())
        .map_err(error::query)
}

/// Takes the row of a migration out, and with it what was known of its effects.
pub(super) async fn forget(session: &Session, version: &str) -> Result<()> {
    for sql in ["delete from app.migrations where version = $1", "delete from app.backfills where version = $1"] {
        session.client.execute(sql, &[&version]).await.map_err(error::query)?;
    }
    // Going back may have taken functions and policies along, so that the code is not what it was.
    session.client.execute("delete from app.applied_code", &[]).await.map(|_| ()).map_err(error::query)
}

/// Returns where the book and the source disagree.
pub(super) fn disagreements(applied: &[Applied], migrations: &[Migration]) -> Vec<Disagreement> {
    let mut found = Vec::new();
    for row in applied {
        match migrations.iter().find(|migration| migration.version == row.version) {
            None => found.push(Disagreement {
                code: error::MISSING,
                version: row.version.clone(),
                message: format!("{}_{} is applied and not in the source", row.version, row.name),
                hint: "Use the program that applied it or a newer one, or bring the file back.",
            }),
            Some(migration) if migration.checksum() != row.checksum => found.push(Disagreement {
                code: error::CHECKSUM,
                version: row.version.clone(),
                message: format!("{} was changed after it was applied", migration.up.path),
                hint: "Restore the file as it was, and put the change into a new migration.",
            }),
            Some(_) => {}
        }
    }
    if let Some(newest) = applied.last() {
        let late = migrations.iter().filter(|migration| migration.version < newest.version);
        for migration in late.filter(|migration| applied.iter().all(|row| row.version != migration.version)) {
            found.push(Disagreement {
                code: error::OUT_OF_ORDER,
                version: migration.version.clone(),
                message: format!("{} is older than {}_{}, which is already applied", migration.up.path, newest.version, newest.name),
                hint: "Give the file a version later than all that are applied.",
            });
        }
    }
    found
}

/// Refuses to go on over a disagreement.
pub(super) fn refuse(disagreements: &[Disagreement]) -> Result<()> {
    let Some(first) = disagreements.first() else { return Ok(()) };
    let all: Vec<&str> = disagreements.iter().map(|found| found.message.as_str()).collect();
    Err(error::refused(first.code, all.join("; "), first.hint))
}

/// Whether the code set with this checksum is what was applied last.
pub(super) async fn code_is_applied(session: &Session, checksum: &str) -> Result<bool> {
    if !exists(session, "app.applied_code").await? {
        return Ok(false);
    }
    let row = session
        .client
        .query_opt("select checksum from app.applied_code order by applied_at desc limit 1", &[])
        .await
        .map_err(error::query)?;
    Ok(row.is_some_and(|row| row.get::<_, String>(0) == checksum))
}

/// Returns the checksum of each seed that was applied, by its path.
pub(super) async fn applied_seeds(session: &Session) -> Result<BTreeMap<String, String>> {
    if !exists(session, "app.applied_seeds").await? {
        return Ok(BTreeMap::new());
    }
    let rows = session.client.query("select path, checksum from app.applied_seeds", &[]).await.map_err(error::query)?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Writes down that a seed was applied, in its own transaction.
pub(super) async fn note_seed(session: &Session, file: &File) -> Result<()> {
    let sql = "insert into app.applied_seeds (path, checksum) values ($1, $2)
               on conflict (path) do update set checksum = excluded.checksum, applied_at = clock_timestamp()";
    session.client.execute(sql, &[&file.path, &seed_checksum(file)]).await.map(|_| ()).map_err(error::query)
}

/// Returns the checksum by which a seed is known.
pub(super) fn seed_checksum(file: &File) -> String {
    sha256([file.text.as_str()])
}

/// Returns the checksum by which a batched statement is known, so that a changed one does not go on where another stopped.
pub(super) fn statement_checksum(text: &str) -> String {
    sha256([text])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::source::File;

    fn migration(version: &str, text: &str) -> Migration {
        let up = File { path: format!("migrations/{version}_a.up.sql"), text: text.to_owned() };
        Migration { version: version.to_owned(), name: "a".to_owned(), up, down: None }
    }

    fn applied(migration: &Migration) -> Applied {
        Applied {
            version: migration.version.clone(),
            name: migration.name.clone(),
            checksum: migration.checksum(),
            applied_at: String::new(),
            duration_ms: 1,
        }
    }

    fn codes(applied: &[Applied], migrations: &[Migration]) -> Vec<&'static str> {
        disagreements(applied, migrations).iter().map(|found| found.code).collect()
    }

    #[test]
    fn each_disagreement_has_its_code() {
        let (one, two, three) = (migration("1", "a"), migration("2", "b"), migration("3", "c"));
        let all = [one.clone(), two.clone(), three.clone()];
        assert_eq!(codes(&[], &all), Vec::<&str>::new());
        assert_eq!(codes(&[applied(&one), applied(&two)], &all), Vec::<&str>::new());
        assert_eq!(codes(&[applied(&one), applied(&three)], &all), vec![error::OUT_OF_ORDER]);
        assert_eq!(codes(&[applied(&one), applied(&two)], std::slice::from_ref(&one)), vec![error::MISSING]);
        assert_eq!(codes(&[applied(&one)], &[migration("1", "edited")]), vec![error::CHECKSUM]);
    }
}
