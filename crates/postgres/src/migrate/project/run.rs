//! Runs the files of a project, each in a transaction as far as PostgreSQL allows.
//!
//! Invariant: before a commit the walls are looked at again (`app.finish_project`) and the file stands in the book; each statement
//! goes alone, so that none can bring another one along.

use bytes::Bytes;
use futures_util::SinkExt as _;
use kernel::Result;
use tokio::time::Instant;

use super::super::error;
use super::super::options::Options;
use super::super::report::Ran;
use super::super::session::{Migrator, Session, with_retries};
use super::super::split::{self, Statement};
use super::book::{Kind, Pending};
use super::rewrite::{Step, step};
use super::{Bring, ProjectReport, target};

/// Runs all of them over one connection.
pub(super) async fn all(migrator: &Migrator, files: &[Pending], how: (Bring, &Options), report: &mut ProjectReport) -> Result<()> {
    let session = &migrator.connect().await.map_err(|cause| {
        let hint = "The files of a project run by a login of their own, made for the run. Let pg_hba.conf (or the pooler) accept logins \
                    that are called project_run_..., by password.";
        error::refused(error::PROJECT_LOGIN, cause.message().to_owned(), hint).with_source(cause)
    })?;
    for pending in files {
        let started = Instant::now();
        let file = &File::of(session, pending, how);
        let ((rows, notes), tries) = with_retries(how.1, || {
            Box::pin(async move {
                let done = Box::pin(file.run(started)).await;
                session.or_rollback(done).await
            })
        })
        .await?;
        for note in notes {
            if !report.notes.contains(&note) {
                report.notes.push(note);
            }
        }
        match &pending.kind {
            Kind::Seed => report.seeded.push((pending.file.path.clone(), rows)),
            Kind::Migration { version, name, .. } => {
                let duration = started.elapsed();
                report.applied.push(Ran { version: version.clone(), name: name.clone(), duration, tries, rows: 0 });
            }
        }
    }
    Ok(())
}

struct File<'a> {
    session: &'a Session,
    pending: &'a Pending,
    bring: Bring,
    options: &'a Options,
    statements: Vec<Statement>,
    /// The rows of each `copy ... from stdin`, in their order.
    copied: Vec<String>,
}

impl<'a> File<'a> {
    fn of(session: &'a Session, pending: &'a Pending, (bring, options): (Bring, &'a Options)) -> Self {
        let (text, copied) = without_rows(&pending.file.text);
        Self { session, pending, bring, options, statements: split::statements(&text), copied }
    }

    async fn run(&self, started: Instant) -> Result<(u64, Vec<String>)> {
        let path = &self.pending.file.path;
        let (mut rows, mut notes) = (0, Vec::new());
        let mut copies = self.copied.iter();
        self.begin().await?;
        let first = self.pending.begins_at(self.session).await?;
        for (at, statement) in self.statements.iter().enumerate() {
            let step = step(statement);
            let data = if matches!(step, Step::Copy(_)) { copies.next() } else { None };
            if at < first {
                continue;
            }
            match step {
                Step::Pass(None) | Step::Extension => {}
                Step::Pass(Some(why)) => notes.push(format!("{path}:{}: not run: {why}", statement.line)),
                Step::Outside(statement) => {
                    self.commit(Some(at), started).await?;
                    self.prepare().await?;
                    self.execute(&statement).await?;
                    // Noted by itself: it must not be run twice, whatever becomes of the rest.
                    self.pending.note(self.session, Some(at + 1), 0).await?;
                    self.begin().await?;
                }
                Step::Copy(statement) => rows += self.copy(&statement, data.map_or("", String::as_str)).await?,
                Step::Rights(rights) => {
                    if let Some(text) = target::rights(self.session, &rights).await? {
                        self.execute(&Statement { text, line: rights.line }).await?;
                    }
                }
                Step::Make { name, statement } => {
                    let yielded = self.session.client.query_one("select app.yield_name($1)", &[&name]).await.map_err(error::query)?;
                    if yielded.get(0) {
                        notes.push(format!("public.{name} was another name of ours and is the project's now"));
                    }
                    self.execute(&statement).await?;
                }
                Step::DropTrigger { table, name, if_exists, line } => {
                    let dropped = self.session.client.execute("select app.drop_trigger($1, $2, $3)", &[&table, &name, &if_exists]).await;
                    dropped.map_err(|cause| error::statement(path, &Statement { text: String::new(), line }, cause))?;
                }
                Step::Run(statement) => rows += self.execute(&statement).await?,
            }
        }
        self.commit(None, started).await?;
        Ok((rows, notes))
    }

    /// Each file finds the connection as the first one did, whatever another one has set.
    async fn prepare(&self) -> Result<()> {
        self.session.client.batch_execute("reset all; set role project_owner").await.map_err(error::query)?;
        let limit = |duration: std::time::Duration| format!("{}ms", duration.as_millis());
        let values = [limit(self.options.lock_timeout), limit(self.options.statement_timeout)];
        let set = "select set_config('search_path', '\"$user\", public, extensions', false), set_config('lock_timeout', $1, false),
                          set_config('statement_timeout', $2, false)";
        self.session.client.execute(set, &[&values[0], &values[1]]).await.map(|_| ()).map_err(error::query)
    }

    async fn begin(&self) -> Result<()> {
        self.prepare().await?;
        self.session.client.batch_execute("begin").await.map_err(error::query)
    }

    async fn commit(&self, next: Option<usize>, started: Instant) -> Result<()> {
        // Deferred keys are looked at while the file can still be named.
        let end = "set constraints all immediate; reset role; reassign owned by session_user to project_owner; set role project_owner";
        self.session.client.batch_execute(end).await.map_err(|cause| self.at_end(cause))?;
        let finish = "select app.finish_project($1)";
        self.session.client.execute(finish, &[&self.bring.force_row_security]).await.map_err(|cause| self.at_end(cause))?;
        let duration_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.pending.note(self.session, next, duration_ms).await?;
        self.session.client.batch_execute("commit").await.map_err(|cause| self.at_end(cause))
    }

    fn at_end(&self, cause: tokio_postgres::Error) -> kernel::Error {
        let line = self.statements.last().map_or(1, |statement| statement.line);
        error::statement(&self.pending.file.path, &Statement { text: String::new(), line }, cause)
    }

    async fn execute(&self, statement: &Statement) -> Result<u64> {
        let done = self.session.client.execute(statement.text.as_str(), &[]).await;
        done.map_err(|cause| error::statement(&self.pending.file.path, statement, cause))
    }

    /// PostgreSQL copies into no table that hides rows from whoever copies: then the rows take the way over another one.
    async fn copy(&self, statement: &Statement, data: &str) -> Result<u64> {
        let failed = |cause| error::statement(&self.pending.file.path, statement, cause);
        let (table, columns) = copied_into(statement);
        let asked = "select row_security_active($1::text::regclass)";
        let hidden: bool = self.session.client.query_one(asked, &[&table]).await.map_err(failed)?.get(0);
        if !hidden {
            return self.stream(&statement.text, data).await.map_err(failed);
        }
        let wanted = if columns.is_empty() { "*" } else { columns };
        let make = ["create temporary table copied_rows on commit drop as select", wanted, "from", table, "with no data"].join(" ");
        self.session.client.batch_execute(&make).await.map_err(failed)?;
        self.stream("copy copied_rows from stdin", data).await.map_err(failed)?;
        let listed = if columns.is_empty() { String::new() } else { ["(", columns, ")"].concat() };
        let insert = ["insert into", table, &listed, "overriding system value select * from copied_rows"].join(" ");
        let rows = self.session.client.execute(insert.as_str(), &[]).await.map_err(failed)?;
        self.session.client.batch_execute("drop table copied_rows").await.map_err(failed)?;
        Ok(rows)
    }

    async fn stream(&self, copy: &str, data: &str) -> Result<u64, tokio_postgres::Error> {
        let sink = self.session.client.copy_in(copy).await?;
        let mut sink = std::pin::pin!(sink);
        sink.send(Bytes::copy_from_slice(data.as_bytes())).await?;
        sink.finish().await
    }
}

/// Returns the table and the columns of `copy table (columns) from stdin`, as they are written.
fn copied_into(statement: &Statement) -> (&str, &str) {
    let tokens = statement.tokens();
    let start = tokens.get(1).map_or(0, |token| token.start);
    let open = tokens.iter().find(|token| token.is_symbol("("));
    let from = tokens.iter().find(|token| token.is("from")).map_or(statement.text.len(), |token| token.start);
    match open.filter(|open| open.start < from) {
        None => (statement.text.get(start..from).unwrap_or_default().trim(), ""),
        Some(open) => {
            let close = tokens.iter().find(|token| token.is_symbol(")")).map_or(from, |token| token.start);
            let table = statement.text.get(start..open.start).unwrap_or_default().trim();
            (table, statement.text.get(open.end()..close).unwrap_or_default())
        }
    }
}

/// Takes out what is no SQL: the rows behind `copy ... from stdin`, and the commands to psql that `pg_dump` writes. Lines keep their numbers.
fn without_rows(text: &str) -> (String, Vec<String>) {
    let mut sql = String::with_capacity(text.len());
    let mut copied: Vec<String> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let is_command = ["\\restrict", "\\unrestrict", "\\connect"].iter().any(|command| line.starts_with(command));
        if !is_command {
            sql.push_str(line);
        }
        sql.push('\n');
        let lower = line.trim_end().to_ascii_lowercase();
        if lower.starts_with("copy ") && lower.ends_with(" from stdin;") {
            let mut rows = String::new();
            for row in lines.by_ref() {
                sql.push('\n');
                if row == "\\." {
                    break;
                }
                rows.push_str(row);
                rows.push('\n');
            }
            copied.push(rows);
        }
    }
    (sql, copied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_taken_out_and_lines_keep_their_numbers() {
        let (sql, copied) = without_rows("\\restrict abc\nCOPY public.t (a) FROM stdin;\n1\t'x;\n\\N\t2\n\\.\nselect 1;\n");
        assert_eq!(copied, ["1\t'x;\n\\N\t2\n"]);
        assert_eq!(sql, "\nCOPY public.t (a) FROM stdin;\n\n\n\nselect 1;\n");
        assert_eq!(split::statements(&sql)[1].line, 6);
        let of = |sql: &str| {
            let statement = split::statements(sql).remove(0);
            let (table, columns) = copied_into(&statement);
            (table.to_owned(), columns.to_owned())
        };
        assert_eq!(of("COPY \"public\".\"A(b\" (a, \"b\") FROM stdin;"), ("\"public\".\"A(b\"".to_owned(), "a, \"b\"".to_owned()));
        assert_eq!(of("copy t from stdin"), ("t".to_owned(), String::new()));
    }
}
