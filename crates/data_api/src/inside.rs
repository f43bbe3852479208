//! The data API for work inside of the server that is done in a member's name: rows read one by one, and rows written within a transaction
//! that is open.
//!
//! Invariant: what is asked for passes what the same request over HTTP passes: parsed, planned against the catalog, walled, labelled texts
//! cleaned, run as whoever the grant is of. Only the number of rows is without a limit where they come one by one, since they are never in
//! memory together.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt as _;
use kernel::{Error, Grant, Kind, Principal, RequestContext, Result};
use postgres::catalog::{Relation, TypeShape};
use postgres::{Access, RowStream, Tx};
use serde_json::Value;

use crate::DataApi;
use crate::limits::RowLimit;
use crate::plan::{self, Caller, Plan, ReadPlan, Surroundings};
use crate::planner;
use crate::query;
use crate::request::{self, Target};
use crate::routes::fit;
use crate::run::{self, Planned};

/// Parts of a query string that are said in another way here.
const RESERVED: [&str; 6] = ["select", "columns", "on_conflict", "limit", "offset", "order"];

/// A table as its members know it.
#[derive(Clone, Debug)]
pub struct TableShape {
    /// The name.
    pub name: String,
    /// The noun of its permissions.
    pub noun: String,
    /// What members may do with it at all: `read`, `create`, `update`, `delete`.
    pub verbs: Vec<String>,
    /// Whether rows are marked as deleted.
    pub soft_delete: bool,
    /// The columns in their order.
    pub columns: Vec<ColumnShape>,
    /// The columns of each unique key, without that of the company; the primary key first.
    pub keys: Vec<Vec<String>>,
}

/// A column of such a table.
#[derive(Clone, Debug)]
pub struct ColumnShape {
    /// The name.
    pub name: String,
    /// Whether a text that stands for its values is JSON: lists, objects.
    pub is_json: bool,
    /// Whether it takes a value.
    pub is_writable: bool,
    /// Whether a row has to have a value that nothing stands in for.
    pub is_required: bool,
    /// What its values are, as labels say: `pii:email`, `secret`.
    pub label: Option<String>,
}

/// Which rows are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// Of which table.
    pub table: &'a str,
    /// Which columns, all of them named.
    pub columns: &'a [String],
    /// The filters of a query string: `status=eq.active&or=(…)`.
    pub filter: &'a str,
}

/// A write.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a> {
    /// Into which table.
    pub table: &'a str,
    /// `POST`, `PATCH` or `DELETE`.
    pub method: &'a Method,
    /// The query string.
    pub query: &'a str,
    /// `Prefer`.
    pub prefer: &'static str,
}

/// How many rows there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowCount {
    /// So many.
    pub rows: u64,
    /// Whether they were counted, and not only expected.
    pub is_exact: bool,
}

/// Rows as JSON objects, one by one.
#[derive(Debug)]
pub struct JsonRows(RowStream);

impl JsonRows {
    /// Waits for the texts of more rows; none when all have come.
    pub async fn next(&mut self) -> Result<Option<Vec<Bytes>>> {
        let Some(rows) = self.0.next().await? else { return Ok(None) };
        rows.iter().map(|row| row.raw(0).map_err(Error::internal).map(Option::unwrap_or_default)).collect::<Result<_>>().map(Some)
    }
}

impl DataApi {
    /// Returns a table of companies that members know, if there is one of this name.
    pub async fn table(&self, name: &str) -> Result<Option<TableShape>> {
        let catalog = self.schema().get().await?;
        let Some(schema) = self.config().schemas.first() else { return Ok(None) };
        Ok(catalog.relation(schema, name).and_then(shape))
    }

    /// Returns all tables of companies that members know, in the order of their names.
    pub async fn tables(&self) -> Result<Vec<TableShape>> {
        let catalog = self.schema().get().await?;
        let Some(schema) = self.config().schemas.first() else { return Ok(vec![]) };
        let mut found: Vec<TableShape> = catalog.relations(schema).filter_map(shape).collect();
        found.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(found)
    }

    /// Looks whether a selection can be understood, before anybody runs it.
    pub async fn check_selection(&self, principal: &Principal, selection: Selection<'_>) -> Result<()> {
        self.selected(principal, selection).await.map(drop)
    }

    /// Reads rows in the order of their ids. `time` is how long all of it may take.
    pub async fn json_rows(&self, grant: &Grant, selection: Selection<'_>, time: Duration) -> Result<JsonRows> {
        let statement = self.selected(grant.principal(), selection).await?;
        let tx = Box::pin(self.database().begin_long(grant, &RequestContext::default(), time)).await?;
        tx.stream(statement, self.config().stream_buffer_bytes).map(JsonRows)
    }

    /// Tells how many rows a selection has, as whoever the grant is of reads them: counted, up to so many, or expected by the planner where
    /// counting takes longer than `time`. Zero is no time at all.
    pub async fn count_rows(&self, grant: &Grant, selection: Selection<'_>, (rows_max, time): (i64, Duration)) -> Result<RowCount> {
        let make = |plan: &ReadPlan<'_>| (query::counted(plan, rows_max), query::expected(plan));
        let (counted, expected) = self.planned(grant.principal(), selection, make).await?;
        if !time.is_zero()
            && let Ok(rows) = Box::pin(self.counted(grant, counted, time)).await
        {
            return Ok(RowCount { rows, is_exact: true });
        }
        let tx = Box::pin(self.database().begin(grant, &RequestContext::default(), Access::Read)).await?;
        let rows = planner::expected_of(&tx, expected).await?;
        tx.commit().await?;
        Ok(RowCount { rows: u64::try_from(rows).unwrap_or_default(), is_exact: false })
    }

    async fn counted(&self, grant: &Grant, counted: postgres::Sql, time: Duration) -> Result<u64> {
        let tx = Box::pin(self.database().begin_long(grant, &RequestContext::default(), time)).await?;
        let rows: i64 = tx.query_one(counted).await?.try_get("rows").map_err(Error::internal)?;
        tx.commit().await?;
        u64::try_from(rows).map_err(Error::internal)
    }

    /// Writes within a transaction, and returns the rows where `prefer` asks for them.
    pub async fn write_within(&self, tx: &Tx, principal: &Principal, writing: Writing<'_>, body: Bytes) -> Result<Value> {
        let limits = self.limits().of(principal.database_role());
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static("prefer"), HeaderValue::from_static(writing.prefer))]);
        let mut request = request::parse(request::Wanted {
            target: Target::Relation(writing.table.to_owned()),
            method: writing.method,
            schemas: &self.config().schemas,
            raw_query: writing.query,
            headers: &headers,
            body,
            limits: &limits.parse,
            plan_enabled: false,
        })?;
        let catalog = self.schema().get().await?;
        fit(self, &mut request, &catalog)?;
        let plan = plan::plan(&request, self.surroundings(&catalog, Caller::from(principal), limits))?;
        let answered = run::within(self, tx, Planned { request: &request, plan: &plan }).await?;
        let body = answered.response.into_body().collect().await.map_err(Error::internal)?.to_bytes();
        if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body).map_err(Error::internal) }
    }

    async fn selected(&self, principal: &Principal, selection: Selection<'_>) -> Result<postgres::Sql> {
        self.planned(principal, selection, query::each).await
    }

    /// Makes something of the plan of a selection.
    async fn planned<T>(&self, principal: &Principal, selection: Selection<'_>, make: impl FnOnce(&ReadPlan<'_>) -> T) -> Result<T> {
        check_filter(selection.filter)?;
        let limits = self.limits().of(principal.database_role());
        let mut raw_query = format!("select={}", selection.columns.join(","));
        if !selection.filter.is_empty() {
            raw_query.push('&');
            raw_query.push_str(selection.filter);
        }
        let catalog = self.schema().get().await?;
        let has_id = self.config().schemas.first().and_then(|schema| catalog.relation(schema, selection.table));
        if has_id.is_some_and(|relation| relation.columns.iter().any(|column| column.name == "id")) {
            raw_query.push_str("&order=id");
        }
        let mut request = request::parse(request::Wanted {
            target: Target::Relation(selection.table.to_owned()),
            method: &Method::GET,
            schemas: &self.config().schemas,
            raw_query: &raw_query,
            headers: &HeaderMap::new(),
            body: Bytes::new(),
            limits: &limits.parse,
            plan_enabled: false,
        })?;
        fit(self, &mut request, &catalog)?;
        let surroundings = self.surroundings(&catalog, Caller::from(principal), limits);
        let plan = plan::plan(&request, Surroundings { rows: RowLimit { max: i64::MAX, refuses: false }, ..surroundings })?;
        match &plan {
            Plan::Read(plan) => Ok(make(plan)),
            Plan::Write(_) | Plan::Call(_) => Err(Error::internal("a selection reads")),
        }
    }
}

fn shape(relation: &Relation) -> Option<TableShape> {
    let declaration = relation.declaration.as_ref()?;
    let tenant = declaration.tenant_column.as_deref()?;
    let columns = relation.columns.iter().map(|column| ColumnShape {
        name: column.name.clone(),
        is_json: column.data_type.shape != TypeShape::Scalar || matches!(column.data_type.base.as_str(), "json" | "jsonb"),
        is_writable: !column.generated && !column.identity_always,
        is_required: !column.nullable && !column.has_default,
        label: column.comment.clone().filter(|comment| comment.starts_with("pii:") || comment == "secret"),
    });
    let keys = std::iter::once(&relation.primary_key).chain(&relation.uniques);
    let keys = keys.map(|key| key.iter().filter(|column| *column != tenant).cloned().collect()).filter(|key: &Vec<String>| !key.is_empty());
    Some(TableShape {
        name: relation.name.clone(),
        noun: declaration.noun.clone(),
        verbs: declaration.verbs.clone(),
        soft_delete: declaration.soft_delete,
        columns: columns.collect(),
        keys: keys.collect(),
    })
}

/// Refuses what would change what comes back of each row, or how many.
fn check_filter(filter: &str) -> Result<()> {
    for pair in filter.split('&').filter(|pair| !pair.is_empty()) {
        let name = percent_encoding::percent_decode_str(pair.split('=').next().unwrap_or_default()).decode_utf8_lossy();
        if RESERVED.contains(&name.rsplit('.').next().unwrap_or_default()) {
            return Err(Error::new(
                Kind::BadRequest,
                "filter_invalid",
                format!("A filter says which rows are meant; it has no \"{name}\""),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_says_which_rows_and_nothing_else() {
        for good in ["", "status=eq.active", "or=(a.eq.1,b.eq.2)&name=ilike.*x*", "select_me=eq.1"] {
            assert!(check_filter(good).is_ok(), "{good}");
        }
        for bad in ["select=*", "a=eq.1&limit=5", "%73elect=*", "jobs.order=id", "&offset=1", "columns=a"] {
            assert_eq!(check_filter(bad).unwrap_err().code(), "filter_invalid", "{bad}");
        }
    }
}
