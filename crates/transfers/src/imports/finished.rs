//! What an import came to: its counts, what was wrong with which line, and a file that says so.
//!
//! Invariant: the row says it in the transaction that ends the task.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use kernel::{BlobKey, Error, Result};
use postgres::{Sql, Tx};
use queue::{Failure, Running};
use serde_json::{Value, json};
use uuid::Uuid;

use super::reader::Fault;
use super::write::Written;
use crate::Transfers;
use crate::exports::rows::line;
use crate::failing::{failure, is_final};

/// Errors that the row itself shows; all of them are in the file.
const SHOWN_MAX: i64 = 100;
/// Errors that are noted at once.
const NOTED_AT_ONCE: usize = 1000;

/// What an import came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) read: u64,
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) failed: u64,
    /// What is wrong with lines whose rows were undone.
    pub(crate) faults: Vec<(u64, Fault)>,
    pub(crate) dry_run: bool,
    /// Whether what was written stays.
    pub(crate) is_kept: bool,
    pub(crate) too_many: bool,
}

impl Outcome {
    pub(crate) fn add(&mut self, written: Written, errors_are_noted: bool) {
        self.created = self.created.saturating_add(written.created);
        self.updated = self.updated.saturating_add(written.updated);
        self.failed = self.failed.saturating_add(u64::try_from(written.faults.len()).unwrap_or(u64::MAX));
        if !errors_are_noted {
            self.faults.extend(written.faults);
        }
    }

    /// Why it failed, if it did.
    fn failure(&self) -> Option<(&'static str, &'static str)> {
        if self.too_many {
            Some(("import_errors_too_many", "Too many lines are wrong: the import gave up"))
        } else if !self.is_kept && !self.dry_run {
            Some(("import_lines_wrong", "A line or more are wrong, and nothing was written"))
        } else {
            None
        }
    }
}

/// Returns faults as SQL takes them.
pub(crate) fn to_json(faults: &[(u64, Fault)]) -> Vec<Value> {
    let fault = |(line, fault): &(u64, Fault)| json!({ "line": line, "position": 0, "column": fault.column, "code": fault.code, "message": fault.message });
    faults.iter().map(fault).collect()
}

/// Notes what an import came to, and ends its task.
pub(crate) async fn finish(transfers: &Transfers, task: &Running, id: Uuid, outcome: Outcome) -> Result<Value> {
    let tx = task.begin("notes what an import came to").await?;
    transfers.take_time(&tx).await?;
    for faults in outcome.faults.chunks(NOTED_AT_ONCE) {
        let mut sql = Sql::new(
            "insert into app.import_errors (company_id, import_id, line, position, column_name, code, message)
             select app.company_id(), ",
        );
        sql.bind(id)
            .text("::uuid, e.line, e.position, left(e.\"column\", 200), left(e.code, 120), left(e.message, 2000) from jsonb_to_recordset(");
        sql.bind(json!(to_json(faults)))
            .text("::jsonb) e (line bigint, position integer, \"column\" text, code text, message text) on conflict do nothing");
        tx.execute(sql).await?;
    }
    let errors_key = report(transfers, task, &tx, id).await?;
    let counts = json!({ "read": outcome.read, "created": outcome.created, "updated": outcome.updated, "failed": outcome.failed });
    let failure = outcome.failure();
    let mut sql = Sql::new("with given as (select ");
    sql.bind(counts).text("::jsonb as said, ").bind(outcome.is_kept).text("::boolean as is_kept, ").bind(id).text("::uuid as id)
        update public.data_imports i
           set finished_at = now(), rows_read = (g.said ->> 'read')::bigint,
               rows_created = case when g.is_kept then (select count(*) from app.import_rows r where r.company_id = i.company_id and r.import_id = i.id and r.is_new)
                                   when i.dry_run then (g.said ->> 'created')::bigint else 0 end,
               rows_updated = case when g.is_kept then (select count(*) from app.import_rows r where r.company_id = i.company_id and r.import_id = i.id and not r.is_new)
                                   when i.dry_run then (g.said ->> 'updated')::bigint else 0 end,
               rows_failed = (select count(distinct e.line) from app.import_errors e where e.company_id = i.company_id and e.import_id = i.id),
               errors = coalesce((select jsonb_agg(jsonb_build_object('line', e.line, 'column', e.column_name, 'code', e.code, 'message', e.message) order by e.line, e.position)
                                    from (select * from app.import_errors x where x.company_id = i.company_id and x.import_id = i.id
                                           order by x.line, x.position limit ");
    sql.amount(SHOWN_MAX).text(") e), '[]'), errors_key = ").bind(errors_key).text("::text, status = ");
    sql.bind(if failure.is_some() { "failed" } else { "completed" })
        .text("::text, error_code = ")
        .bind(failure.map(|(code, _)| code))
        .text("::text, error_message = ");
    sql.bind(failure.map(|(_, message)| message)).text("::text
          from given g where i.company_id = app.company_id() and i.id = g.id
        returning jsonb_build_object('import_id', i.id, 'rows_created', i.rows_created, 'rows_updated', i.rows_updated, 'rows_failed', i.rows_failed) as result");
    let result = match tx.query_opt(sql).await? {
        Some(row) => row.try_get("result").map_err(Error::internal)?,
        None => json!({ "import_id": id }),
    };
    task.finish_within(&tx, result).await?;
    tx.commit().await?;
    Ok(Value::Null)
}

/// Makes the file of all errors, and returns its name; none where there are none.
async fn report(transfers: &Transfers, task: &Running, tx: &Tx, id: Uuid) -> Result<Option<String>> {
    let mut sql = Sql::new(
        "select e.line, e.column_name, e.code, e.message from app.import_errors e where e.company_id = app.company_id() and e.import_id = ",
    );
    sql.bind(id).text("::uuid order by e.line, e.position");
    let rows = tx.query(sql).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut text = BytesMut::new();
    line(&mut text, ["line", "column", "code", "message"].into_iter());
    for row in &rows {
        let number: i64 = row.try_get("line").map_err(Error::internal)?;
        let column: Option<String> = row.try_get("column_name").map_err(Error::internal)?;
        let (code, message): (String, String) =
            (row.try_get("code").map_err(Error::internal)?, row.try_get("message").map_err(Error::internal)?);
        line(&mut text, [number.to_string().as_str(), column.as_deref().unwrap_or_default(), &code, &message].into_iter());
    }
    let company = task.company_id().ok_or_else(|| Error::internal("an import is of a company"))?;
    let key = BlobKey::new(company, &format!("imports/{id}/errors-{}.csv", task.id()))?;
    let content: Bytes = text.freeze();
    transfers.blobs().put(&key, stream::iter([Ok(content)]).boxed(), transfers.config().import_bytes_max).await?;
    Ok(Some(key.to_string()))
}

/// Notes why an import ended before its end, where that is so, and returns how the attempt ended.
pub(crate) async fn give_up(transfers: &Transfers, task: &Running, id: Uuid, error: Error) -> Failure {
    if is_final(&error)
        && let Err(error) = note(transfers, task, id, &error).await
    {
        return Failure::from(error);
    }
    failure(error)
}

async fn note(transfers: &Transfers, task: &Running, id: Uuid, error: &Error) -> Result<()> {
    let tx = task.begin("notes an import that failed").await?;
    transfers.take_time(&tx).await?;
    let mut sql = Sql::new(
        "update public.data_imports i
            set finished_at = now(), status = case i.status when 'undoing' then 'completed' else 'failed' end,
                rows_created = (select count(*) from app.import_rows r where r.company_id = i.company_id and r.import_id = i.id and r.is_new),
                rows_updated = (select count(*) from app.import_rows r where r.company_id = i.company_id and r.import_id = i.id and not r.is_new),
                error_code = left(",
    );
    sql.bind(error.code()).text("::text, 120), error_message = left(").bind(error.message()).text("::text, 2000) where i.task_id = ");
    sql.bind(task.id()).text("::uuid and i.company_id = app.company_id() and i.id = ").bind(id).text("::uuid");
    tx.execute(sql).await?;
    tx.commit().await
}
