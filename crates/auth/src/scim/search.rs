//! Lists of resources: `GET` with a query, and `POST /.search` with the same in a body (RFC 7644 sections 3.4.2 and 3.4.3).
//!
//! Invariant: an answer has at most `scim.page_resources_max` resources, and says how many there are in all.

use http::StatusCode;
use kernel::{CompanyId, Error};
use postgres::{Sql, Tx};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::answer::{self, Selection};
use super::condition::{Unknown, condition, sort_key};
use super::config::ScimConfig;
use super::error::{Outcome, Refused};
use super::filter::{self, Filter, Name};
use super::rows::{self, Found};
use super::schema::ResourceKind;

const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// What a query of an address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Query {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
    pub(super) attributes: Option<String>,
    pub(super) excluded_attributes: Option<String>,
}

/// What a body says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Body {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    #[serde(deserialize_with = "number")]
    start_index: Option<String>,
    #[serde(deserialize_with = "number")]
    count: Option<String>,
    attributes: Vec<String>,
    excluded_attributes: Vec<String>,
}

/// Reads a number as the text that a query would have.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<i64>::deserialize(deserializer)?.map(|number| number.to_string()))
}

/// What is looked for.
#[derive(Debug)]
pub(super) struct Search {
    filter: Option<Filter>,
    sort_by: Option<Name>,
    descending: bool,
    start: i64,
    count: i64,
    selection: Selection,
}

impl From<Body> for (Query, Selection) {
    fn from(body: Body) -> Self {
        let Body { filter, sort_by, sort_order, start_index, count, attributes, excluded_attributes } = body;
        let query = Query { filter, sort_by, sort_order, start_index, count, ..Query::default() };
        (query, Selection::new(attributes, excluded_attributes))
    }
}

impl Search {
    /// Reads what is looked for.
    pub(super) fn read(config: &ScimConfig, query: Query, selection: Selection) -> Outcome<Self> {
        let text = query.filter.filter(|text| !text.trim().is_empty());
        if text.as_ref().is_some_and(|text| text.len() > config.filter_bytes_max) {
            return Err(Refused::filter(format!("A filter has at most {} bytes", config.filter_bytes_max)));
        }
        let descending = match query.sort_order.as_deref() {
            None => false,
            Some(order) if order.eq_ignore_ascii_case("ascending") => false,
            Some(order) if order.eq_ignore_ascii_case("descending") => true,
            Some(_) => return Err(Refused::value("sortOrder has to be ascending or descending")),
        };
        let sort_by = query
            .sort_by
            .as_deref()
            .filter(|path| !path.is_empty())
            .map(|path| filter::parse_path(path).map(|target| target.name))
            .transpose()?;
        let number = |text: Option<&str>, name: &'static str| -> Outcome<Option<i64>> {
            let parsed = text.map(|text| text.trim().parse().ok().ok_or_else(|| Refused::value(format!("{name} has to be a number"))));
            parsed.transpose()
        };
        let count = number(query.count.as_deref(), "count")?.unwrap_or_else(|| config.page_resources.into());
        Ok(Self {
            filter: text.as_deref().map(filter::parse).transpose()?,
            sort_by,
            descending,
            start: number(query.start_index.as_deref(), "startIndex")?.unwrap_or(1).max(1),
            count: count.clamp(0, config.page_resources_max.into()),
            selection,
        })
    }

    /// Finds the resources of these kinds, and returns the list.
    pub(super) async fn run(&self, tx: &Tx, company: CompanyId, (kinds, base): (&[ResourceKind], &str)) -> Outcome<Value> {
        let row = tx.query_one(self.statement(company, kinds)?).await?;
        let total: i64 = row.try_get("total").map_err(Error::internal)?;
        let found: Value = row.try_get("resources").map_err(Error::internal)?;
        let found = found.as_array().into_iter().flatten().map(Found::read).collect::<Result<Vec<_>, _>>()?;
        let resources: Vec<Value> = found.iter().map(|found| Value::Object(answer::resource(base, found, &self.selection))).collect();
        Ok(json!({
            "schemas": [SCHEMA], "totalResults": total, "startIndex": self.start, "itemsPerPage": resources.len(), "Resources": resources
        }))
    }

    fn statement(&self, company: CompanyId, kinds: &[ResourceKind]) -> Outcome<Sql> {
        let unknown = if kinds.len() > 1 { Unknown::Absent } else { Unknown::Refused };
        let mut sql = Sql::new("with hits as materialized (");
        for (at, kind) in kinds.iter().enumerate() {
            sql.text(if at == 0 { "select r.*, (" } else { " union all select r.*, (" });
            sql.append(self.key(*kind, unknown)?).text(")::text collate \"C\" as sort_key, ");
            sql.text(match kind {
                ResourceKind::User => "'User' as kind from (",
                ResourceKind::Group => "'Group' as kind from (",
            });
            sql.append(rows::of(*kind, company)).text(") r");
            if let Some(filter) = &self.filter {
                sql.text(" where ").append(condition(*kind, filter, unknown)?);
            }
        }
        sql.text("), page as (select h.*, row_number() over (order by h.sort_key");
        sql.text(if self.descending { " desc" } else { "" });
        sql.text(", h.created_at, h.id) as n from hits h order by n limit ").amount(self.count);
        sql.text(" offset ")
            .amount(self.start.saturating_sub(1))
            .text(") select (select count(*) from hits) as total, coalesce((select jsonb_agg(");
        sql.text("case r.kind when 'User' then ").append(rows::shape(ResourceKind::User)).text(" else ");
        sql.append(rows::shape(ResourceKind::Group)).text(" end order by r.n) from page r), '[]') as resources");
        Ok(sql)
    }

    fn key(&self, kind: ResourceKind, unknown: Unknown) -> Outcome<Sql> {
        let Some(name) = &self.sort_by else { return Ok(Sql::new("null")) };
        match sort_key(kind, name) {
            Some(key) => Ok(key),
            None if unknown == Unknown::Absent => Ok(Sql::new("null")),
            None => Err(Refused::value("sortBy names no attribute that resources can be sorted by")),
        }
    }
}

/// Refuses what no search is.
pub(super) fn unreadable(status: StatusCode) -> Refused {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return Refused::new(status, "The request body is too large");
    }
    Refused::syntax("The request body is no JSON of the kind that is expected")
}
