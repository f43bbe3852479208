//! `undo_import`: what an import made is taken away, what it changed is as it was.
//!
//! Invariant: a row that somebody changed since is left, and so is one that whoever undoes may not delete or change; each that is left is listed
//! with the reason. A row is looked at once, however often the task begins.

use std::sync::Arc;
use std::time::Duration;

use kernel::{Error, Grant, Result};
use postgres::{Access, Row, Sql, Tx};
use queue::{Failure, Field, FieldType, Kind, Rules, Running};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Undoing;
use super::begun::{Begun, not_found};
use super::finished::give_up;
use super::run::Which;
use super::write::{Writer, change, delete, is_the_lines};
use crate::Transfers;
use crate::failing::stopped;

/// The longest that it may take.
const TIME: Duration = Duration::from_hours(12);
/// Rows that were left that the import's row lists.
const LISTED_MAX: i64 = 1000;
/// How a row that is as it was is noted.
const UNDONE: &str = "undone";

/// An import that is taken back.
#[derive(Clone, Debug)]
pub struct UndoImport(pub Transfers);

/// A row that is to be as it was.
struct Undone {
    id: Uuid,
    is_new: bool,
    before: Map<String, Value>,
    state: String,
}

impl Kind for UndoImport {
    const NAME: &'static str = "undo_import";
    type Payload = Which;

    fn rules(&self) -> Rules {
        const FIELDS: &[Field] = &[Field { name: "import_id", field_type: FieldType::Id, is_required: true }];
        Rules {
            permission: Some("imports:update"),
            runs_as_caller: true,
            fields: FIELDS,
            priority: -5,
            timeout: TIME,
            running_per_company_max: Some(self.0.config().imports_running_max),
            ..Rules::default()
        }
    }

    async fn run(&self, task: Arc<Running>, which: Which) -> Result<Value, Failure> {
        match Box::pin(self.undo(&task, which.import_id)).await {
            Ok(()) => Ok(self.finish(&task, which.import_id).await?),
            Err(error) => Err(give_up(&self.0, &task, which.import_id, error).await),
        }
    }
}

impl UndoImport {
    async fn undo(&self, task: &Running, id: Uuid) -> Result<()> {
        let tx = task.begin("undoes an import").await?;
        let begun = Begun::read(&self.0, &tx, id).await?;
        let (mut done, all) = rows(&tx, id).await?;
        tx.rollback().await?;
        if begun.status != "undoing" {
            return Err(not_found());
        }
        let grant = task.grant_of_asker::<Undoing>()?;
        loop {
            if task.stop().is_cancelled() {
                return Err(stopped());
            }
            let tx = task.begin_as_asker::<Undoing>(Access::Write).await?;
            self.0.take_time(&tx).await?;
            let rows = self.next(&tx, id).await?;
            if rows.is_empty() {
                return tx.rollback().await;
            }
            done = done.saturating_add(i64::try_from(rows.len()).unwrap_or(i64::MAX));
            let outcomes = self.batch(&tx, &grant, &begun.table.name, &rows).await?;
            let mut sql = Sql::new("select app.note_undone(");
            sql.bind(id).text("::uuid, ").bind(Value::Object(outcomes)).text("::jsonb)");
            tx.query(sql).await?;
            task.mark(&tx, &json!({})).await?;
            tx.commit().await?;
            // Not all before the import itself says that it is undone.
            let percent = done.saturating_mul(100).checked_div(all).unwrap_or(0).clamp(0, 99);
            task.progress(u8::try_from(percent).unwrap_or(99), &format!("{done} of {all} rows")).await?;
        }
    }

    async fn next(&self, tx: &Tx, id: Uuid) -> Result<Vec<Undone>> {
        let mut sql = Sql::new("select u.row_id, u.is_new, u.before, u.state from app.rows_to_undo(");
        let rows_max = i64::try_from(self.0.config().import_batch_rows).unwrap_or(i64::MAX);
        sql.bind(id).text("::uuid, ").bind(rows_max).text("::integer) u");
        tx.query(sql).await?.iter().map(read).collect()
    }

    /// Undoes rows, and returns what became of each.
    async fn batch(&self, tx: &Tx, grant: &Grant, table: &str, rows: &[Undone]) -> Result<Map<String, Value>> {
        let writer = Writer { transfers: &self.0, tx, principal: grant.principal(), table, key: None };
        let mut outcomes = Map::new();
        let mut parts: Vec<Vec<&Undone>> = vec![];
        let (new, changed): (Vec<&Undone>, Vec<&Undone>) = rows.iter().filter(|row| row.state == "same").partition(|row| row.is_new);
        parts.push(new);
        for row in changed {
            match parts.iter_mut().skip(1).find(|part| part.first().is_some_and(|first| first.before.keys().eq(row.before.keys()))) {
                Some(part) => part.push(row),
                None => parts.push(vec![row]),
            }
        }
        for row in rows.iter().filter(|row| row.state != "same") {
            let reason = if row.state == "gone" { "it is not there any more" } else { "it was changed since" };
            outcomes.insert(row.id.to_string(), json!(reason));
        }
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match tx.attempt(one(&writer, &part)).await? {
                Ok(()) => {
                    for row in &part {
                        outcomes.insert(row.id.to_string(), json!(UNDONE));
                    }
                }
                Err(error) if !is_the_lines(&error) && error.code() != "permission_denied" => return Err(error),
                Err(error) if part.len() == 1 => {
                    let reason = format!("{} ({})", error.message(), error.code());
                    for row in &part {
                        outcomes.insert(row.id.to_string(), json!(reason));
                    }
                }
                Err(_) => {
                    let (left, right) = part.split_at(part.len() / 2);
                    parts.extend([right.to_vec(), left.to_vec()]);
                }
            }
        }
        Ok(outcomes)
    }

    async fn finish(&self, task: &Running, id: Uuid) -> Result<Value> {
        let tx = task.begin("notes that an import was undone").await?;
        self.0.take_time(&tx).await?;
        let mut sql = Sql::new("update public.data_imports i set status = 'undone', undone_at = now(), error_code = null, error_message = null,
               rows_undone = (select count(*) from app.import_rows r where r.company_id = i.company_id and r.import_id = i.id and r.outcome = 'undone'),
               rows_left = (select count(*) from app.import_rows r where r.company_id = i.company_id and r.import_id = i.id and r.outcome <> 'undone'),
               left_rows = coalesce((select jsonb_agg(jsonb_build_object('id', l.row_id, 'line', l.line, 'reason', l.outcome) order by l.line)
                                       from (select * from app.import_rows r where r.company_id = i.company_id and r.import_id = i.id and r.outcome <> 'undone'
                                              order by r.line limit ");
        sql.amount(LISTED_MAX).text(") l), '[]') where i.status = 'undoing' and i.company_id = app.company_id() and i.id = ").bind(id);
        sql.text(
            "::uuid returning jsonb_build_object('import_id', i.id, 'rows_undone', i.rows_undone, 'rows_left', i.rows_left) as result",
        );
        let row = tx.query_opt(sql).await?.ok_or_else(not_found)?;
        task.finish_within(&tx, row.try_get("result").map_err(Error::internal)?).await?;
        tx.commit().await?;
        Ok(Value::Null)
    }
}

/// Counts the rows of an import: those that were looked at already, and all.
async fn rows(tx: &Tx, id: Uuid) -> Result<(i64, i64)> {
    let mut sql = Sql::new(
        "select count(r.outcome) as done, count(*) as everything from app.import_rows r where r.company_id = app.company_id() and r.import_id = ",
    );
    sql.bind(id).text("::uuid");
    let row = tx.query_one(sql).await?;
    let of = |name| row.try_get(name).map_err(Error::internal);
    Ok((of("done")?, of("everything")?))
}

/// Undoes rows of one sort together.
async fn one(writer: &Writer<'_>, part: &[&Undone]) -> Result<()> {
    let Some(first) = part.first() else { return Ok(()) };
    if first.is_new {
        let ids: Vec<String> = part.iter().map(|row| row.id.to_string()).collect();
        return delete(writer, &ids).await;
    }
    let mut columns: Vec<String> = first.before.keys().cloned().collect();
    columns.push("id".to_owned());
    let rows: Vec<Value> = part
        .iter()
        .map(|row| {
            let mut values = row.before.clone();
            values.insert("id".to_owned(), json!(row.id));
            Value::Object(values)
        })
        .collect();
    change(writer, &columns, &rows).await
}

fn read(row: &Row) -> Result<Undone> {
    let before: Option<Value> = row.try_get("before").map_err(Error::internal)?;
    Ok(Undone {
        id: row.try_get("row_id").map_err(Error::internal)?,
        is_new: row.try_get("is_new").map_err(Error::internal)?,
        before: before.and_then(|before| before.as_object().cloned()).unwrap_or_default(),
        state: row.try_get("state").map_err(Error::internal)?,
    })
}
