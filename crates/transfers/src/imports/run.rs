//! `data_import`: the lines of a file become rows.
//!
//! Invariant: with `skip_errors` each batch of lines is a transaction, and the task's mark says in it how many lines are done; otherwise all of
//! it is one transaction, which is undone where a single line is wrong, and always where it was only tried.

use std::sync::Arc;
use std::time::Duration;

use kernel::{BlobKey, Error, Grant, Kind as ErrorKind, Result};
use postgres::{Access, Sql, Tx};
use queue::{Failure, Field, FieldType, Kind, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Importing;
use super::begun::Begun;
use super::finished::{Outcome, finish, give_up};
use super::reader::{Fault, Reader};
use super::write::{Line, Writer, Written};
use crate::Transfers;
use crate::failing::stopped;

/// The longest that an import may take.
const TIME: Duration = Duration::from_hours(12);

/// A file whose lines become rows.
#[derive(Clone, Debug)]
pub struct DataImport(pub Transfers);

/// Which import.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Its row.
    pub import_id: Uuid,
}

impl Kind for DataImport {
    const NAME: &'static str = "data_import";
    type Payload = Which;

    fn rules(&self) -> Rules {
        const FIELDS: &[Field] = &[Field { name: "import_id", field_type: FieldType::Id, is_required: true }];
        Rules {
            permission: Some("imports:create"),
            runs_as_caller: true,
            fields: FIELDS,
            priority: -5,
            timeout: TIME,
            running_per_company_max: Some(self.0.config().imports_running_max),
            ..Rules::default()
        }
    }

    async fn run(&self, task: Arc<Running>, which: Which) -> Result<Value, Failure> {
        match Box::pin(self.import(&task, which.import_id)).await {
            Ok(outcome) => Ok(finish(&self.0, &task, which.import_id, outcome).await?),
            Err(error) => Err(give_up(&self.0, &task, which.import_id, error).await),
        }
    }
}

/// How far it is, and what came of it.
#[derive(Debug, Default)]
struct Progress {
    records: u64,
    /// Records up to which a batch that is written now is all that there was.
    settled: u64,
    outcome: Outcome,
}

impl DataImport {
    async fn import(&self, task: &Running, id: Uuid) -> Result<Outcome> {
        let begun = self.begin(task, id).await?;
        let marked = task.marked().and_then(|mark| mark.get("records")).and_then(Value::as_u64);
        let is_whole = !begun.skips_errors || begun.dry_run;
        if let (true, Some(read)) = (is_whole, marked) {
            // All of it was written, and the server went before it could say so.
            return Ok(Outcome { read, is_kept: true, ..Outcome::default() });
        }
        let grant = task.grant_of_asker::<Importing>()?;
        let blob = self.0.blobs().get(&begun.blob_key.parse::<BlobKey>()?, None).await?;
        let bytes = blob.info.bytes.max(1);
        let mut reader = Reader::open(begun.form, blob.content, self.0.config()).await?;
        let mut progress = Progress::default();
        let whole = if is_whole { Some(self.open(task).await?) } else { None };
        let done = marked.unwrap_or(0);
        let rows_max = self.0.config().import_batch_rows;
        let (mut batch, mut faults): (Vec<Line>, Vec<(u64, Fault)>) = (vec![], vec![]);
        while let Some(record) = reader.next().await? {
            progress.records = progress.records.saturating_add(1);
            if progress.records > self.0.config().import_rows_max {
                let message = format!("A file has at most {} lines", self.0.config().import_rows_max);
                return Err(Error::new(ErrorKind::TooLarge, "import_too_long", message));
            }
            if progress.records <= done {
                continue;
            }
            let mapped = record.values.and_then(|values| begun.mapping.apply(values));
            let repeats = |line: &Line| {
                begun.key.as_ref().is_some_and(|key| batch.iter().any(|other: &Line| other.row.get(key) == line.row.get(key)))
            };
            match mapped.map(|row| Line { line: record.line, row }) {
                Ok(line) => {
                    // The second line of a key changes what the first one made.
                    if repeats(&line) {
                        progress.settled = progress.records.saturating_sub(1);
                        self.flush((task, &begun, &grant), whole.as_ref(), (&mut batch, &mut faults), &mut progress).await?;
                    }
                    batch.push(line);
                }
                Err(fault) => faults.push((record.line, fault)),
            }
            if batch.len() + faults.len() >= rows_max {
                progress.settled = progress.records;
                self.flush((task, &begun, &grant), whole.as_ref(), (&mut batch, &mut faults), &mut progress).await?;
                let percent = progress.records.saturating_mul(100).checked_div(progress.records.max(bytes / 50)).unwrap_or(0).min(99);
                task.progress(u8::try_from(percent).unwrap_or(99), &format!("{} lines", progress.records)).await?;
                if progress.outcome.failed > self.0.config().import_errors_max {
                    progress.outcome.too_many = true;
                    break;
                }
            }
        }
        progress.settled = progress.records;
        self.flush((task, &begun, &grant), whole.as_ref(), (&mut batch, &mut faults), &mut progress).await?;
        progress.outcome.read = progress.records;
        progress.outcome.dry_run = begun.dry_run;
        if let Some(tx) = whole {
            if begun.dry_run || progress.outcome.failed > 0 || progress.outcome.too_many {
                tx.rollback().await?;
                progress.outcome.is_kept = false;
            } else {
                task.mark(&tx, &json!({ "records": progress.records })).await?;
                tx.commit().await?;
                progress.outcome.is_kept = true;
            }
        } else {
            progress.outcome.is_kept = true;
        }
        Ok(progress.outcome)
    }

    /// Notes that it runs, and reads what it is.
    async fn begin(&self, task: &Running, id: Uuid) -> Result<Begun> {
        let asker = task.asker().ok_or_else(super::begun::not_found)?;
        let tx = task.begin("begins an import").await?;
        let begun = Begun::read(&self.0, &tx, id).await?;
        let mut sql =
            Sql::new("update public.data_imports i set status = 'running' where i.status in ('pending', 'running') and i.task_id = ");
        sql.bind(task.id()).text("::uuid and i.created_by = ").bind(asker).text("::uuid and i.company_id = app.company_id() and i.id = ");
        sql.bind(id).text("::uuid");
        if tx.execute(sql).await? == 0 {
            let message = "An import is begun by POST /api/v1/imports/{id}/start, once";
            return Err(Error::new(ErrorKind::Conflict, "import_begun", message));
        }
        tx.commit().await?;
        Ok(begun)
    }

    async fn open(&self, task: &Running) -> Result<Tx> {
        let tx = task.begin_as_asker::<Importing>(Access::Write).await?;
        self.0.take_time(&tx).await?;
        Ok(tx)
    }

    /// Writes a batch: in a transaction of its own, or in the one of all.
    async fn flush(
        &self,
        (task, begun, grant): (&Running, &Begun, &Grant),
        whole: Option<&Tx>,
        (batch, faults): (&mut Vec<Line>, &mut Vec<(u64, Fault)>),
        progress: &mut Progress,
    ) -> Result<()> {
        if task.stop().is_cancelled() {
            return Err(stopped());
        }
        if batch.is_empty() && faults.is_empty() {
            return Ok(());
        }
        let own = if whole.is_some() { None } else { Some(self.open(task).await?) };
        let Some(tx) = whole.or(own.as_ref()) else { return Ok(()) };
        let writer = Writer { transfers: &self.0, tx, principal: grant.principal(), table: &begun.table.name, key: begun.key.as_deref() };
        let mut written = writer.write(batch).await?;
        written.faults.append(faults);
        written.faults.sort_by_key(|(line, _)| *line);
        let is_kept = whole.is_none();
        note(tx, begun.id, &written, is_kept).await?;
        progress.outcome.add(written, is_kept);
        if let Some(tx) = own {
            task.mark(&tx, &json!({ "records": progress.settled })).await?;
            tx.commit().await?;
        }
        batch.clear();
        Ok(())
    }
}

/// Notes what lines became. Errors of lines that may yet be undone are noted later.
async fn note(tx: &Tx, id: Uuid, written: &Written, with_errors: bool) -> Result<()> {
    let errors: Vec<Value> = if with_errors { super::finished::to_json(&written.faults) } else { vec![] };
    if written.rows.is_empty() && errors.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new("select app.note_import_batch(");
    sql.bind(id).text("::uuid, ").bind(json!(written.rows)).text("::jsonb, ").bind(json!(errors)).text("::jsonb)");
    tx.query(sql).await.map(drop)
}
