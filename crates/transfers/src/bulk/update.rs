//! `bulk_update`: rows that fit a filter are changed alike.
//!
//! Invariant: which rows those are is read once for each attempt, in the order of their ids; the mark says up to which of them all is done. A row
//! that is refused hinders no other.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_api::Selection;
use http::Method;
use kernel::{Capability, Demand, Error, Grant, Kind as ErrorKind, Result};
use postgres::{Access, Sql};
use queue::{Failure, Field, FieldType, Kind, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::Transfers;
use crate::exports::exportable;
use crate::failing::{failure, stopped};
use crate::imports::write::{Writer, is_the_lines};

/// Reasons of rows that were refused that the result lists.
const LISTED_MAX: usize = 20;

struct Updating;
impl Capability for Updating {
    const DEMAND: Demand = Demand::Permission("data:update");
}

/// Many rows changed alike.
#[derive(Clone, Debug)]
pub struct BulkUpdate(pub Transfers);

/// Which rows, and to what.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    table: String,
    filter: String,
    changes: Map<String, Value>,
}

/// How far it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Mark {
    last: Option<Uuid>,
    changed: u64,
    failed: u64,
    errors: Vec<Value>,
}

impl Kind for BulkUpdate {
    const NAME: &'static str = "bulk_update";
    type Payload = Wanted;

    fn rules(&self) -> Rules {
        const FIELDS: &[Field] = &[
            Field { name: "table", field_type: FieldType::Text(63), is_required: true },
            Field { name: "filter", field_type: FieldType::Text(20_000), is_required: true },
            Field { name: "changes", field_type: FieldType::Object, is_required: true },
        ];
        Rules {
            permission: Some("data:update"),
            runs_as_caller: true,
            fields: FIELDS,
            timeout: Duration::from_hours(2),
            running_per_company_max: Some(1),
            ..Rules::default()
        }
    }

    async fn run(&self, task: Arc<Running>, wanted: Wanted) -> Result<Value, Failure> {
        let mark = Box::pin(self.change(&task, &wanted)).await.map_err(failure)?;
        Ok(json!({ "changed": mark.changed, "failed": mark.failed, "errors": mark.errors }))
    }
}

impl BulkUpdate {
    async fn change(&self, task: &Running, wanted: &Wanted) -> Result<Mark> {
        if wanted.filter.trim().is_empty() {
            let error = Error::new(ErrorKind::BadRequest, "filter_required", "A change of many rows says which");
            return Err(error.with_hint("A filter such as id=not.is.null means all."));
        }
        if wanted.changes.is_empty() || ["id", "company_id"].iter().any(|own| wanted.changes.contains_key(*own)) {
            return Err(Error::new(
                ErrorKind::BadRequest,
                "changes_invalid",
                "Changes are an object of columns, and no part of the key is among them",
            ));
        }
        let table = exportable(&self.0, &wanted.table).await?;
        let tx = task.begin_as_asker::<Updating>(Access::Read).await?;
        let mut demand = Sql::new("select app.demand(");
        demand.bind(format!("{}:update", table.noun)).text("::text)");
        tx.query(demand).await?;
        tx.rollback().await?;
        let grant = task.grant_of_asker::<Updating>()?.needing_company();
        let mut mark: Mark = task.marked().and_then(|mark| serde_json::from_value(mark.clone()).ok()).unwrap_or_default();
        let ids: Vec<Uuid> =
            self.ids(&grant, &table.name, &wanted.filter).await?.into_iter().filter(|id| mark.last.is_none_or(|last| *id > last)).collect();
        let body = serde_json::to_vec(&wanted.changes).map(Bytes::from).map_err(Error::internal)?;
        let mut done = 0_usize;
        for batch in ids.chunks(self.0.config().bulk_batch_rows) {
            if task.stop().is_cancelled() {
                return Err(stopped());
            }
            self.batch((task, &grant), (&table.name, &body), batch, &mut mark).await?;
            done = done.saturating_add(batch.len());
            let percent = done.saturating_mul(100).checked_div(ids.len()).unwrap_or(100);
            task.progress(u8::try_from(percent).unwrap_or(100), &format!("{} rows", mark.changed)).await?;
        }
        Ok(mark)
    }

    /// Reads which rows are meant.
    async fn ids(&self, grant: &Grant, table: &str, filter: &str) -> Result<Vec<Uuid>> {
        let columns = ["id".to_owned()];
        let mut rows = self.0.data_api().json_rows(grant, Selection { table, columns: &columns, filter }, self.0.statement_time()).await?;
        let (mut ids, rows_max) = (Vec::new(), self.0.config().bulk_rows_max);
        while let Some(came) = rows.next().await? {
            for row in came {
                let row: Value = serde_json::from_slice(&row).map_err(Error::internal)?;
                ids.extend(row.get("id").and_then(Value::as_str).and_then(|id| id.parse::<Uuid>().ok()));
            }
            if ids.len() > rows_max {
                let message = format!("One task changes at most {rows_max} rows");
                return Err(Error::new(ErrorKind::TooLarge, "bulk_too_large", message).with_hint("Change a part by a filter."));
            }
        }
        Ok(ids)
    }

    async fn batch(&self, (task, grant): (&Running, &Grant), (table, body): (&str, &Bytes), ids: &[Uuid], mark: &mut Mark) -> Result<()> {
        let tx = task.begin_as_asker::<Updating>(Access::Write).await?;
        self.0.take_time(&tx).await?;
        let writer = Writer { transfers: &self.0, tx: &tx, principal: grant.principal(), table, key: None };
        let mut next = mark.clone();
        let mut parts = vec![ids];
        while let Some(part) = parts.pop() {
            let [first, ..] = part else { continue };
            let listed: Vec<String> = part.iter().map(Uuid::to_string).collect();
            let query = format!("select=id&id=in.({})", listed.join(","));
            match tx.attempt(writer.ask(&Method::PATCH, &query, "return=representation", body.clone())).await? {
                // What is not there any more, or not his to change, is passed over.
                Ok(changed) => {
                    next.changed = next.changed.saturating_add(u64::try_from(changed.as_array().map_or(0, Vec::len)).unwrap_or(0));
                }
                Err(error) if !is_the_lines(&error) => return Err(error),
                Err(error) if part.len() == 1 => {
                    next.failed = next.failed.saturating_add(1);
                    if next.errors.len() < LISTED_MAX {
                        next.errors.push(json!({ "id": first, "code": error.code(), "message": error.message() }));
                    }
                }
                Err(_) => {
                    let (left, right) = part.split_at(part.len() / 2);
                    parts.extend([right, left]);
                }
            }
        }
        next.last = ids.last().copied();
        task.mark(&tx, &serde_json::to_value(&next).map_err(Error::internal)?).await?;
        tx.commit().await?;
        *mark = next;
        Ok(())
    }
}
