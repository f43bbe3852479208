//! Brings a whole project from where it runs: schema, rows, accounts, and the proof that both sides are the same.
//!
//! Invariant: the source is only read, in one snapshot; rows and statements of the project come in over its own login, accounts and the
//! records of files over ours, where no code of the project runs.

mod accounts;
mod dump;
mod report;
mod rows;

pub use dump::Origin;
pub use report::{Compared, ImportReport};

use kernel::Result;

use super::super::options::Options;
use super::super::run::Run;
use super::super::session::{Migrator, Session};
use super::super::source::{File, Files, Source};
use super::super::{error, fingerprint, history};
use super::book::{Kind, Pending};
use super::login::Login;
use super::{Bring, ProjectReport, extensions, prepare, run, target};

/// Both sides write values as the same text.
const SAME_TEXT: &str = "set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; set timezone = 'UTC'; set extra_float_digits = 3;
    set bytea_output = 'hex'; set search_path = ''; set row_security = on; set statement_timeout = 0";

impl Migrator {
    /// Brings what a project has elsewhere and is not here yet. The database has our own schema already.
    pub async fn import_supabase(&self, origin: &Origin, bring: Bring, options: &Options) -> Result<ImportReport> {
        let ours = Source::Embedded.read()?;
        let here = &self.connect().await?;
        here.lock(options).await?;
        if !history::exists(here, "app.migrations").await? {
            return Err(error::refused(
                error::ARGUMENT,
                "the database has no schema of ours, which a project stands on",
                "Run migrate up first.",
            ));
        }
        let there = origin.login.connect().await?;
        there.client.batch_execute(SAME_TEXT).await.map_err(error::query)?;
        there.client.batch_execute("begin isolation level repeatable read read only").await.map_err(error::query)?;
        let run = Run { session: here, files: &ours, options, found: None };
        let before = fingerprint::take(here).await?;
        Box::pin(prepare(&run, here)).await?;
        let login = Login::make(here).await?;
        let import = Import { origin, there: &there, here, project: &self.as_login(login.name(), login.password()), bring, options };
        let result = Box::pin(import.all(&ours)).await;
        login.drop(here).await;
        run.keep_fingerprint(&before, None).await?;
        here.unlock().await?;
        result
    }
}

struct Import<'a> {
    origin: &'a Origin,
    there: &'a Session,
    here: &'a Session,
    project: &'a Migrator,
    bring: Bring,
    options: &'a Options,
}

impl Import<'_> {
    async fn all(&self, ours: &Files) -> Result<ImportReport> {
        let mut report = ImportReport::default();
        let schema = dump::schema(self.origin, self.there).await?;
        self.files("import/tables.sql", schema.tables, ours, &mut report).await?;
        let mut brought = Vec::new();
        for table in accounts::tables(self.there, self.here).await? {
            let rows = self.account_rows(&table).await?;
            brought.push((table, rows));
        }
        let session = &self.project.connect().await?;
        session.client.batch_execute(SAME_TEXT).await.map_err(error::query)?;
        session.client.batch_execute("set role project_owner").await.map_err(error::query)?;
        for table in rows::tables(self.there, &schema.names).await? {
            let rows = self.project_rows(session, &table).await?;
            brought.push((table, rows));
        }
        self.sequences(session, &schema.names).await?;
        self.files("import/rules.sql", schema.rules, ours, &mut report).await?;
        self.here.client.batch_execute(SAME_TEXT).await.map_err(error::query)?;
        for (table, rows) in &brought {
            let here = if table.name.starts_with("auth.") || table.name.starts_with("storage.") { self.here } else { session };
            report.tables.push(self.compared(here, table, *rows).await?);
        }
        self.here.client.batch_execute("reset all").await.map_err(error::query)?;
        Ok(report)
    }

    /// Runs a half of the schema, once.
    async fn files(&self, path: &str, text: String, ours: &Files, report: &mut ImportReport) -> Result<()> {
        let file = File { path: path.to_owned(), text };
        let asked = "select hash from supabase_migrations.seed_files where path = $1";
        let known = self.here.client.query_opt(asked, &[&file.path]).await.map_err(error::query)?;
        if let Some(row) = known {
            if row.get::<_, &str>(0) != super::super::source::sha256([file.text.as_str()]) {
                report.notes.push(format!("{path}: the schema there has changed since; apply its migrations with migrate up --dir"));
            }
            return Ok(());
        }
        let pending = [Pending { file, kind: Kind::Seed }];
        target::names_are_free(self.here, &pending).await?;
        report.notes.extend(extensions::ensure(self.here, &ours.project_extensions, extensions::wanted(&pending)).await?);
        let mut done = ProjectReport::default();
        Box::pin(run::all(self.project, &pending, (self.bring, self.options), &mut done)).await?;
        report.notes.extend(done.notes);
        Ok(())
    }

    async fn account_rows(&self, table: &rows::Table) -> Result<u64> {
        self.here.begin(self.options).await?;
        let work = async {
            self.here.client.batch_execute("set local app.unaudited = 'on'; set local search_path = ''").await.map_err(error::query)?;
            accounts::triggers(self.here, table, false).await?;
            let rows = rows::bring(self.there, self.here, table).await?;
            accounts::triggers(self.here, table, true).await?;
            Ok(rows)
        };
        let rows = self.here.or_rollback(work.await).await?;
        self.here.commit().await?;
        Ok(rows)
    }

    async fn project_rows(&self, session: &Session, table: &rows::Table) -> Result<u64> {
        session.client.batch_execute("begin").await.map_err(error::query)?;
        let work = async {
            self.fire(session, table, "disable").await?;
            let rows = rows::bring(self.there, session, table).await?;
            self.fire(session, table, "enable").await?;
            Ok(rows)
        };
        let rows = session.or_rollback(work.await).await?;
        session.commit().await?;
        Ok(rows)
    }

    /// The rows that a trigger would make are brought themselves.
    async fn fire(&self, session: &Session, table: &rows::Table, verb: &str) -> Result<()> {
        let switch = ["alter table ", &table.name, " ", verb, " trigger user"].concat();
        session.client.batch_execute(&switch).await.map_err(error::query)
    }

    async fn sequences(&self, session: &Session, schemas: &[String]) -> Result<()> {
        let asked = "select format('%I.%I', s.schemaname, s.sequencename), s.last_value from pg_catalog.pg_sequences s
                      where s.schemaname = any ($1) and s.last_value is not null";
        for row in self.there.client.query(asked, &[&schemas]).await.map_err(error::query)? {
            let (name, value): (String, i64) = (row.get(0), row.get(1));
            let set = "select setval($1::text::regclass, greatest($2, (select coalesce(pg_sequence_last_value($1::text::regclass), $2))))";
            session.client.execute(set, &[&name, &value]).await.map_err(error::query)?;
        }
        Ok(())
    }

    async fn compared(&self, here: &Session, table: &rows::Table, brought: u64) -> Result<Compared> {
        here.client.batch_execute("begin").await.map_err(error::query)?;
        let work = async {
            if std::ptr::eq(here, self.here) {
                here.client.batch_execute("set local role app_owner").await.map_err(error::query)?;
            }
            rows::compare(self.there, here, table, brought).await
        };
        let compared = here.or_rollback(work.await).await?;
        here.commit().await?;
        Ok(compared)
    }
}
