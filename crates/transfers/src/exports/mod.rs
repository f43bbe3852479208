//! Exports: the rows of a table that a member may read, as a file with a link.
//!
//! Invariant: what is in the file is what the member could read while it was made, row by row under his policies; a member who lost the right
//! gets none. The link opens that one file and nothing else.

mod made;
mod routes;
pub(crate) mod rows;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use data_api::{JsonRows, RowCount, Selection, TableShape};
use futures_util::{StreamExt as _, stream};
use kernel::{BlobStream, Capability, Demand, Error, Kind as ErrorKind, Result};
use postgres::{Access, Sql};
use queue::{Failure, Field, FieldType, Kind, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Transfers;
use crate::failing::stopped;

pub(crate) use made::{Making, failed_or_again};
pub use routes::router;
use rows::{Format, Writer};

/// What a member needs to export anything.
pub(crate) const PERMISSION: &str = "data:export";
/// The forms that rows can have.
pub(crate) const FORMATS: &[Format] = &[Format::Csv, Format::Json, Format::Ndjson];

/// The right to export.
pub(crate) struct Exporting;
impl Capability for Exporting {
    const DEMAND: Demand = Demand::Permission(PERMISSION);
}

/// Rows of a table as a file.
#[derive(Clone, Debug)]
pub struct DataExport(pub Transfers);

/// Which rows, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The table.
    pub table: String,
    /// `csv`, `json` or `ndjson`.
    pub format: String,
    /// Which columns; all that can be read where none is named.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Which rows, as the query string of the data API has it.
    #[serde(default)]
    pub filter: String,
}

impl Kind for DataExport {
    const NAME: &'static str = "data_export";
    type Payload = Wanted;

    fn rules(&self) -> Rules {
        const FIELDS: &[Field] = &[
            Field { name: "table", field_type: FieldType::Text(63), is_required: true },
            Field { name: "format", field_type: FieldType::Text(10), is_required: true },
            Field { name: "columns", field_type: FieldType::List, is_required: false },
            Field { name: "filter", field_type: FieldType::Text(20_000), is_required: false },
        ];
        Rules {
            permission: Some(PERMISSION),
            runs_as_caller: true,
            fields: FIELDS,
            priority: -5,
            timeout: Duration::from_secs(self.0.config().export_time_s).saturating_mul(2),
            running_per_company_max: Some(self.0.config().exports_running_max),
            ..Rules::default()
        }
    }

    async fn run(&self, task: Arc<Running>, wanted: Wanted) -> Result<Value, Failure> {
        let making = Making { transfers: &self.0, task: &task, what: "table", name: &wanted.table, format: &wanted.format };
        making.open(&wanted.columns, &wanted.filter).await?;
        match Box::pin(self.make(&task, &making, &wanted)).await {
            Ok(result) => Ok(result),
            Err(error) => Err(failed_or_again(&making, error).await),
        }
    }
}

impl DataExport {
    async fn make(&self, task: &Arc<Running>, making: &Making<'_>, wanted: &Wanted) -> Result<Value> {
        let format = Format::parse(&wanted.format, FORMATS)?;
        let table = exportable(&self.0, &wanted.table).await?;
        let columns = columns(&table, &wanted.columns)?;
        let hidden = if self.may_see_all(task, &table).await? { hidden(&table, &["secret"]) } else { hidden(&table, &["secret", "pii:"]) };
        let grant = task.grant_of_asker::<Exporting>()?;
        let selection = Selection { table: &table.name, columns: &columns, filter: &wanted.filter };
        let time = Duration::from_secs(self.0.config().export_time_s);
        let counting = (
            i64::try_from(self.0.config().export_rows_max).unwrap_or(i64::MAX),
            Duration::from_millis(self.0.config().export_count_time_ms),
        );
        let expected = self.0.data_api().count_rows(&grant, selection, counting).await?;
        task.stage(0, &far(0, expected).1).await?;
        let rows = self.0.data_api().json_rows(&grant, selection, time).await?;
        let count = Arc::new(AtomicU64::new(0));
        let writer = Writer::new(format, columns, hidden);
        let source = Source {
            rows,
            writer,
            task: Arc::clone(task),
            count: Arc::clone(&count),
            expected,
            rows_max: self.0.config().export_rows_max,
            is_over: false,
        };
        making.keep(source.into_stream(), self.0.config().export_bytes_max, &count).await
    }

    /// Refuses whoever may not read all rows, and tells whether he sees what is personal.
    async fn may_see_all(&self, task: &Running, table: &TableShape) -> Result<bool> {
        let tx = task.begin_as_asker::<Exporting>(Access::Read).await?;
        let mut sql = Sql::new("select app.demand(");
        sql.bind(format!("{}:read", table.noun)).text("::text)::text as demanded, app.has_permission('pii:read') as sees");
        let sees = tx.query_one(sql).await?.try_get("sees").map_err(Error::internal)?;
        tx.rollback().await?;
        Ok(sees)
    }
}

/// Returns a table that rows can be read of.
pub(crate) async fn exportable(transfers: &Transfers, name: &str) -> Result<TableShape> {
    let table = transfers.data_api().table(name).await?.filter(|table| table.verbs.iter().any(|verb| verb == "read"));
    table.ok_or_else(|| Error::new(ErrorKind::NotFound, "table_unknown", "There is no such table of a company"))
}

/// Returns the columns that are wanted, all of them where none is named.
pub(crate) fn columns(table: &TableShape, wanted: &[String]) -> Result<Vec<String>> {
    if wanted.is_empty() {
        return Ok(table.columns.iter().map(|column| column.name.clone()).collect());
    }
    match wanted.iter().find(|name| table.columns.iter().all(|column| column.name != **name)) {
        None => Ok(wanted.to_vec()),
        Some(name) => {
            let shown: String = name.chars().take(80).collect();
            Err(Error::new(ErrorKind::BadRequest, "column_unknown", format!("The table {} has no column \"{shown}\"", table.name)))
        }
    }
}

fn hidden(table: &TableShape, labels: &[&str]) -> Vec<String> {
    let is_hidden = |label: &String| labels.iter().any(|hidden| label.starts_with(hidden));
    table.columns.iter().filter(|column| column.label.as_ref().is_some_and(is_hidden)).map(|column| column.name.clone()).collect()
}

/// Tells how far an export is: it is at its end only when its file is there, and what was expected may be less than there is.
fn far(count: u64, expected: RowCount) -> (u8, String) {
    let percent = count.saturating_mul(100).checked_div(expected.rows).unwrap_or(0).min(99);
    let message = match expected {
        RowCount { rows, .. } if count > rows => format!("{count} rows"),
        RowCount { rows, is_exact: true } => format!("{count} of {rows} rows"),
        RowCount { rows, is_exact: false } => format!("{count} of about {rows} rows"),
    };
    (u8::try_from(percent).unwrap_or(99), message)
}

/// Where the bytes of a file come from.
struct Source {
    rows: JsonRows,
    writer: Writer,
    task: Arc<Running>,
    count: Arc<AtomicU64>,
    expected: RowCount,
    rows_max: u64,
    is_over: bool,
}

impl Source {
    fn into_stream(self) -> BlobStream {
        stream::unfold(self, |mut source| async move {
            if source.is_over {
                return None;
            }
            let piece = source.piece().await;
            source.is_over |= piece.is_err();
            Some((piece, source))
        })
        .boxed()
    }

    async fn piece(&mut self) -> Result<Bytes> {
        if self.task.stop().is_cancelled() {
            return Err(stopped());
        }
        if let Some(rows) = self.rows.next().await? {
            for row in rows {
                self.writer.row(&row)?;
            }
            let count = self.writer.rows();
            if count > self.rows_max {
                let message = format!("An export has at most {} rows", self.rows_max);
                return Err(Error::new(ErrorKind::TooLarge, "export_too_large", message).with_hint("Export a part by a filter."));
            }
            self.count.store(count, Ordering::Relaxed);
            let (percent, message) = far(count, self.expected);
            self.task.progress(percent, &message).await?;
        } else {
            self.writer.end();
            self.is_over = true;
        }
        Ok(self.writer.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_says_how_far_it_is_and_never_that_it_is_over() {
        let of = |rows, is_exact| RowCount { rows, is_exact };
        for (count, expected, far_is) in [
            (0, of(0, true), (0, "0 of 0 rows")),
            (0, of(200, true), (0, "0 of 200 rows")),
            (50, of(200, true), (25, "50 of 200 rows")),
            (50, of(200, false), (25, "50 of about 200 rows")),
            (200, of(200, true), (99, "200 of 200 rows")),
            (201, of(200, false), (99, "201 rows")),
            (u64::MAX, of(1, false), (99, "18446744073709551615 rows")),
        ] {
            assert_eq!(far(count, expected), (far_is.0, far_is.1.to_owned()));
        }
    }
}
