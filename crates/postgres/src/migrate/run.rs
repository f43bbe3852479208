//! `up` and `down`: the order in which a database is brought to what the source says.
//!
//! Invariant: bootstrap as the login, all else as the owner; one migrator at a time; the first failure ends the run, with all
//! that was applied before it kept.

use kernel::Result;

use super::apply::{self, Outcome};
use super::fingerprint::Fingerprint;
use super::options::{Back, Options};
use super::report::{DownReport, Ran, UpReport};
use super::session::{Attempt, Migrator, Session, with_retries};
use super::source::{self, Files, Migration, Source};
use super::{error, fingerprint, grants, guard, history, permissions, scale};

impl Migrator {
    /// Brings the database to what the source says: bootstrap, migrations, code, permissions, grants.
    pub async fn up(&self, source: &Source, options: &Options) -> Result<UpReport> {
        let files = source.read()?;
        check_target(&files, options.to.as_deref())?;
        let session = self.connect().await?;
        session.lock(options).await?;
        let run = Run { session: &session, files: &files, options, found: None };
        let report = Box::pin(run.up()).await?;
        session.unlock().await?;
        Ok(report)
    }

    /// Takes migrations back, newest first.
    pub async fn down(&self, source: &Source, back: &Back, options: &Options) -> Result<DownReport> {
        let files = source.read()?;
        let session = self.connect().await?;
        session.lock(options).await?;
        let run = Run { session: &session, files: &files, options, found: None };
        let report = Box::pin(run.down(back)).await?;
        session.unlock().await?;
        Ok(report)
    }
}

/// One run over one connection that holds the lock.
pub(super) struct Run<'a> {
    pub(super) session: &'a Session,
    pub(super) files: &'a Files,
    pub(super) options: &'a Options,
    /// What the schema is, where nobody else was there since somebody looked.
    pub(super) found: Option<&'a Fingerprint>,
}

impl Run<'_> {
    pub(super) async fn up(&self) -> Result<UpReport> {
        let mut report = UpReport::default();
        let before = self.found().await?;
        let kept = fingerprint::kept(self.session).await?;
        report.schema_drift = kept.as_ref().map(|kept| before.differences(kept)).unwrap_or_default();
        history::refuse(&history::disagreements(&history::read(self.session).await?, &self.files.migrations))?;
        self.bootstrap().await?;
        report.degraded = self.session.take_notices().into_iter().filter(super::session::Notice::is_warning).collect();
        // Before any backfill writes without them.
        scale::heal(self.session, self.options).await?;
        self.as_owner(|| Box::pin(async move { self.session.client.batch_execute(history::TABLES).await.map_err(error::query) })).await?;

        let applied = history::read(self.session).await?;
        for migration in self.pending(&applied) {
            let outcome = Box::pin(apply::up(self.session, migration, self.options)).await?;
            let finished = outcome.finished;
            let ran = ran(&migration.version, &migration.name, &outcome);
            if !finished {
                report.unfinished = Some(ran);
                break;
            }
            tracing::info!(version = migration.version, name = migration.name, duration_ms = ran.duration.as_millis(), "migration applied");
            report.applied.push(ran);
        }
        // Code is written for the whole schema: it waits until all of it is there.
        if report.unfinished.is_none() && self.options.to.is_none() {
            self.code(&mut report).await?;
        }
        let (enclosed, left) =
            self.as_owner(|| Box::pin(async move { guard::enclose(self.session, guard::unforced(self.session).await?).await })).await?;
        report.enclosed = enclosed;
        report.degraded.extend(left.iter().map(|table| not_forced(table)));
        let made_from = self.made_from();
        let is_as_it_was = kept.as_ref() == Some(&before) && report.changed_nothing();
        report.fingerprint = if is_as_it_was && fingerprint::is_made_from(self.session, &made_from).await? {
            before.checksum()
        } else {
            self.keep_fingerprint(&before, report.unfinished.is_none().then_some(&made_from)).await?
        };
        Ok(report)
    }

    async fn found(&self) -> Result<Fingerprint> {
        match self.found {
            Some(found) => Ok(found.clone()),
            None => fingerprint::take(self.session).await,
        }
    }

    /// Returns what a whole run's outcome depends on. Bootstrap and rights run every time: the same of them on the same schema change
    /// nothing, and the schema need not be looked at a second time.
    fn made_from(&self) -> String {
        let login = self.options.server_login.as_deref().unwrap_or_default();
        let sets = [&self.files.bootstrap, &self.files.code].map(|files| source::checksum_of_set(files));
        source::sha256(sets.iter().map(String::as_str).chain([login]))
    }

    pub(super) async fn down(&self, back: &Back) -> Result<DownReport> {
        let before = self.found().await?;
        let applied = history::read(self.session).await?;
        let count = match back {
            Back::Steps(steps) => *steps,
            Back::To(version) if version == "0" => applied.len(),
            Back::To(version) => match applied.iter().position(|row| row.version == *version) {
                Some(position) => applied.len() - position - 1,
                None => {
                    return Err(error::refused(
                        error::ARGUMENT,
                        format!("{version} is not applied"),
                        "status lists what is; 0 takes all back.",
                    ));
                }
            },
        };
        let mut report = DownReport::default();
        for row in applied.iter().rev().take(count) {
            let label = format!("{}_{}", row.version, row.name);
            let migration = self.files.migrations.iter().find(|migration| migration.version == row.version);
            let Some(file) = migration.and_then(|migration| migration.down.as_ref()) else {
                let hint = "Add the .down.sql file, or use the program that applied the migration.";
                return Err(error::refused(error::DOWN_MISSING, format!("the source has no way back from {label}"), hint));
            };
            let outcome = Box::pin(apply::down(self.session, &row.version, file, self.options)).await?;
            tracing::info!(version = row.version, name = row.name, "migration taken back");
            report.reverted.push(ran(&row.version, &row.name, &outcome));
        }
        if !report.reverted.is_empty() {
            self.keep_fingerprint(&before, None).await?;
        }
        Ok(report)
    }

    async fn bootstrap(&self) -> Result<()> {
        self.session.take_notices();
        self.as_login(&self.files.bootstrap).await
    }

    /// Runs files as the migrator's login, each in a transaction.
    pub(super) async fn as_login<'a>(&self, files: impl IntoIterator<Item = &'a source::File>) -> Result<()> {
        for file in files {
            with_retries(self.options, || {
                Box::pin(async move {
                    self.session.begin_as_login(self.options).await?;
                    let result = Box::pin(self.bootstrap_file(file)).await;
                    self.session.or_rollback(result).await?;
                    self.session.commit().await
                })
            })
            .await?;
        }
        Ok(())
    }

    /// Bootstrap files change the role themselves where they need to; the transaction ends it.
    async fn bootstrap_file(&self, file: &source::File) -> Result<()> {
        for statement in super::split::statements(&file.text) {
            if statement.sort() == super::split::Sort::Transaction {
                return Err(error::at(
                    error::CONTROL,
                    &file.path,
                    statement.line,
                    "the statement begins or ends a transaction; the runner does that",
                ));
            }
            self.session.run(&file.path, &statement).await?;
        }
        self.session.client.batch_execute("reset role").await.map_err(error::query)
    }

    fn pending<'a>(&'a self, applied: &[history::Applied]) -> Vec<&'a Migration> {
        let wanted = |migration: &&Migration| {
            let within = self.options.to.as_ref().is_none_or(|to| migration.version <= *to);
            within && applied.iter().all(|row| row.version != migration.version)
        };
        self.files.migrations.iter().filter(wanted).collect()
    }

    async fn code(&self, report: &mut UpReport) -> Result<()> {
        let checksum = &source::checksum_of_set(&self.files.code);
        if !report.applied.is_empty() || !history::code_is_applied(self.session, checksum).await? {
            self.as_owner(|| Box::pin(async move { Box::pin(self.replace_code(checksum)).await })).await?;
            report.code_replaced = !self.files.code.is_empty();
        }
        if let Some(file) = &self.files.permissions {
            report.permissions_changed = self.as_owner(|| Box::pin(async move { permissions::load(self.session, file).await })).await?;
        }
        if let Some(login) = &self.options.server_login {
            let amiss = with_retries(self.options, || {
                Box::pin(async move {
                    self.session.begin_as_login(self.options).await?;
                    let amiss = grants::to_server(self.session, login).await;
                    let amiss = self.session.or_rollback(amiss).await?;
                    let kept = grants::of_the_feed(self.session, login).await;
                    self.session.or_rollback(kept).await?;
                    self.session.commit().await.map(|()| amiss)
                })
            });
            report.degraded.extend(amiss.await?.0);
        }
        Ok(())
    }

    async fn replace_code(&self, checksum: &str) -> Result<()> {
        let unforced = guard::unforced(self.session).await?;
        for file in &self.files.code {
            apply::plain(self.session, file).await?;
        }
        guard::owner_sees_all(self.session, "code", 1).await?;
        guard::none_added(&unforced, &guard::unforced(self.session).await?, "code")?;
        self.session
            .client
            .execute(
                "insert into app.applied_code (checksum) values ($1) on conflict (checksum) do update set applied_at = clock_timestamp()",
                &[&checksum],
            )
            .await
            .map(|_| ())
            .map_err(error::query)
    }

    /// Keeps what the schema is now, and of which source if it is all of it; returns its checksum.
    pub(super) async fn keep_fingerprint(&self, before: &Fingerprint, made_from: Option<&String>) -> Result<String> {
        let taken = fingerprint::take(self.session).await?;
        let checksum = taken.checksum();
        let taken = &taken;
        self.as_owner(|| {
            Box::pin(async move { fingerprint::keep(self.session, before, taken.clone(), made_from.map(String::as_str)).await })
        })
        .await?;
        Ok(checksum)
    }

    /// Does work in one transaction of the owner, again while a lock is not to be had.
    async fn as_owner<'a, T: Send + 'a>(&'a self, mut work: impl FnMut() -> Attempt<'a, T>) -> Result<T> {
        let (done, _) = with_retries(self.options, || {
            let work = work();
            Box::pin(async move {
                self.session.begin(self.options).await?;
                let result = work.await;
                let done = self.session.or_rollback(result).await?;
                self.session.commit().await.map(|()| done)
            })
        })
        .await?;
        Ok(done)
    }
}

fn check_target(files: &Files, to: Option<&str>) -> Result<()> {
    match to {
        Some(to) if files.migrations.iter().all(|migration| migration.version != to) => {
            Err(error::refused(error::ARGUMENT, format!("there is no migration {to}"), "Name one of the versions in the source."))
        }
        _ => Ok(()),
    }
}

fn ran(version: &str, name: &str, outcome: &Outcome) -> Ran {
    Ran { version: version.to_owned(), name: name.to_owned(), duration: outcome.duration, tries: outcome.tries, rows: outcome.rows }
}

fn not_forced(table: &str) -> super::session::Notice {
    super::session::Notice {
        severity: "WARNING".to_owned(),
        sqlstate: "01T01".to_owned(),
        message: format!("row security is not forced on {table}, which was made outside the migrations"),
        detail: None,
        hint: Some(format!("Its owner may run: select app.enclose('{table}')")),
    }
}
