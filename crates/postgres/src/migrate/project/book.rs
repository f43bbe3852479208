//! Which files of a project were applied: `supabase_migrations.schema_migrations`, where its own tools look, too.
//!
//! Invariant: a file stands in the book if and only if what it did stays; the row is of the same transaction.

use std::collections::BTreeMap;

use kernel::Result;

use super::super::error;
use super::super::session::Session;
use super::super::source::{File, sha256};
use super::super::split;
use super::{Project, ProjectReport};

/// What is to be applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pending {
    pub(super) file: File,
    pub(super) kind: Kind,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Migration { version: String, name: String, checksum: String },
    Seed,
}

/// Returns what is not applied yet; a file that was applied with another text is named in the report.
pub(super) async fn pending(session: &Session, project: &Project, seed: bool, report: &mut ProjectReport) -> Result<Vec<Pending>> {
    let asked = "select version, checksum, next is null from supabase_migrations.schema_migrations";
    let rows = session.client.query(asked, &[]).await.map_err(error::query)?;
    let applied: BTreeMap<String, (Option<String>, bool)> = rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
    let mut pending = Vec::new();
    for migration in &project.migrations {
        let checksum = migration.checksum();
        match applied.get(&migration.version) {
            Some((Some(before), true)) if *before != checksum => report.changed.push(migration.file.path.clone()),
            Some((_, true)) => {}
            _ => {
                let kind = Kind::Migration { version: migration.version.clone(), name: migration.name.clone(), checksum };
                pending.push(Pending { file: migration.file.clone(), kind });
            }
        }
    }
    if seed {
        let rows = session.client.query("select path, hash from supabase_migrations.seed_files", &[]).await.map_err(error::query)?;
        let seeded: BTreeMap<String, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        for file in &project.seeds {
            match seeded.get(&file.path) {
                Some(hash) if *hash != sha256([file.text.as_str()]) => report.changed.push(file.path.clone()),
                Some(_) => {}
                None => pending.push(Pending { file: file.clone(), kind: Kind::Seed }),
            }
        }
    }
    Ok(pending)
}

impl Pending {
    /// Returns the statement at which to go on: a file that failed outside of a transaction is not begun anew.
    pub(super) async fn begins_at(&self, session: &Session) -> Result<usize> {
        let Kind::Migration { version, checksum, .. } = &self.kind else { return Ok(0) };
        let row = session
            .client
            .query_opt("select checksum, next from supabase_migrations.schema_migrations where version = $1", &[version])
            .await
            .map_err(error::query)?;
        let Some(row) = row else { return Ok(0) };
        if row.get::<_, Option<&str>>(0) != Some(checksum) {
            let message = format!("{} was applied in part and has another text now", self.file.path);
            let hint =
                "Finish it with the text it had, or undo by hand what it did and delete its row of supabase_migrations.schema_migrations.";
            return Err(error::refused(error::CHECKSUM, message, hint));
        }
        Ok(row.get::<_, Option<i32>>(1).and_then(|next| usize::try_from(next).ok()).unwrap_or(0))
    }

    /// Writes down that the file is applied, or up to which statement.
    pub(super) async fn note(&self, session: &Session, next: Option<usize>, duration_ms: i64) -> Result<()> {
        match &self.kind {
            Kind::Seed => {
                let note = "insert into supabase_migrations.seed_files (path, hash) values ($1, $2)";
                session.client.execute(note, &[&self.file.path, &sha256([self.file.text.as_str()])]).await.map_err(error::query)?;
            }
            Kind::Migration { version, name, checksum } => {
                let statements: Vec<String> = split::statements(&self.file.text).into_iter().map(|one| one.text).collect();
                let next = next.and_then(|next| i32::try_from(next).ok());
                let note = "insert into supabase_migrations.schema_migrations (version, name, statements, checksum, next, duration_ms)
                            values ($1, $2, $3, $4, $5, $6)
                            on conflict (version) do update set next = excluded.next, applied_at = now(), duration_ms = excluded.duration_ms";
                let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] = [version, name, &statements, checksum, &next, &duration_ms];
                session.client.execute(note, &values).await.map_err(error::query)?;
            }
        }
        Ok(())
    }
}
