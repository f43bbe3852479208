//! What is asked of PostgreSQL: the tables, somebody's rights, values of filters as it writes them, and which rows somebody sees where
//! only policies know.
//!
//! Invariant: everything runs in a transaction of whom it is about, with his rights as they are at this moment, and for a bounded time.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use kernel::{AnyCaller, Authority, Error, Grant, Kind, RequestContext, Result};
use postgres::{Access, Database, Row, Sql};
use serde_json::json;

use super::Viewer;
use super::config::ChangesConfig;
use super::filter::Literal;
use super::place::Snapshot;
use super::rights::Rights;
use super::tables::{Table, Tables};

/// Between two looks at whether a transaction is visible, which is told before it is.
const VISIBLE_AFTER: Duration = Duration::from_millis(3);

/// What the opening statement of a transaction found, and what was visible then.
const RIGHTS: &str = "select current_user::text as role, app.company_id()::text as company, auth.uid()::text as uid,
       current_setting('app.permissions', true) as permissions, current_setting('request.jwt.claims', true) as claims,
       app.customer_id()::text as customer, app.linked_id()::text as linked, pg_catalog.pg_current_snapshot()::text as snapshot";

/// The tables.
const TABLES: &str = include_str!("tables.sql");

/// Which of some sessions and passes are still good, with the company and the assurance that the session has now.
const ALIVE: &str = "select s.id::text as id, s.active_company_id::text as company, s.aal as assurance
  from auth.sessions s join auth.users u on u.id = s.user_id
 where s.id = any (";
const ALIVE_MORE: &str = "::uuid[]) and s.revoked_at is null and (s.not_after is null or s.not_after > now())
   and u.deleted_at is null and (u.banned_until is null or u.banned_until <= now())
 union all
select p.id::text, null, null from auth.portal_sessions p where p.id = any (";
const ALIVE_LAST: &str = "::uuid[]) and p.ended_at is null and p.expires_at > now()";

/// Somebody who asks.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    database: Database,
    authority: Arc<Authority>,
    /// How long an answer about rows may take.
    time: Arc<str>,
    visible_max: u32,
}

/// A session or pass that is still good.
#[derive(Debug)]
pub(super) struct Alive {
    pub(super) id: Box<str>,
    pub(super) company: Option<Box<str>>,
    pub(super) assurance: Option<Box<str>>,
}

impl Asking {
    pub(super) fn new(database: Database, authority: Arc<Authority>, config: &ChangesConfig) -> Self {
        let step = u64::try_from(VISIBLE_AFTER.as_millis()).unwrap_or(1).max(1);
        let visible_max = u32::try_from(config.query_ms.checked_div(step).unwrap_or(1)).unwrap_or(1);
        Self { database, authority, time: config.query_ms.to_string().into(), visible_max }
    }

    /// Reads the tables.
    pub(super) async fn tables(&self) -> Result<Tables> {
        let answer = self.database.run(&self.own(), &RequestContext::default(), Access::Read, Sql::new(TABLES)).await?;
        let row = answer.rows.first().ok_or_else(|| Error::internal("the tables gave no row"))?;
        Tables::of(row.try_get("document").map_err(Error::internal)?)
    }

    /// Returns what is another text after every change of the catalog.
    pub(super) async fn mark(&self) -> Result<String> {
        postgres::catalog::Catalog::fingerprint(&self.database, &self.own()).await
    }

    /// Reads somebody's rights as they are behind a transaction.
    pub(super) async fn rights(&self, viewer: &Viewer, behind: u64) -> Result<Rights> {
        let rows = self.behind(viewer, behind, || Sql::new(RIGHTS)).await?;
        Rights::of(rows.first().ok_or_else(|| Error::internal("rights gave no row"))?)
    }

    /// Returns which of some sessions and passes of the portal are still good.
    pub(super) async fn alive(&self, sessions: &[String]) -> Result<Vec<Alive>> {
        let list = format!("{{{}}}", sessions.join(","));
        let mut sql = Sql::new(ALIVE);
        sql.bind(list.clone()).text(ALIVE_MORE).bind(list).text(ALIVE_LAST);
        let answer = self.database.run(&self.own(), &RequestContext::default(), Access::Read, sql).await?;
        let read = |row: &Row| {
            let text = |name: &str| row.try_get::<_, Option<String>>(name).map_err(Error::internal);
            let id = text("id")?.unwrap_or_default().into();
            Ok(Alive { id, company: text("company")?.map(Into::into), assurance: text("assurance")?.map(Into::into) })
        };
        answer.rows.iter().map(read).collect()
    }

    /// Returns values as PostgreSQL writes those of their columns.
    pub(super) async fn written(&self, viewer: &Viewer, literals: &[Literal<'_>]) -> Result<Vec<Box<str>>> {
        if literals.is_empty() {
            return Ok(Vec::new());
        }
        let (grant, context) = (grant(viewer)?, self.context());
        let tx = self.database.begin(&grant, &context, Access::Read).await?;
        let style = "select set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true), set_config('IntervalStyle', 'postgres', true)";
        tx.query(Sql::new(style)).await?;
        let mut sql = Sql::new("select json_build_array(");
        for (place, literal) in literals.iter().enumerate() {
            sql.text(if place == 0 { "cast(cast(" } else { ", cast(cast(" });
            sql.bind(literal.text).text("::text as ").qualified(&literal.column.type_schema, &literal.column.type_name).text(") as text)");
        }
        sql.text(")::text");
        let row = tx.query_one(sql).await.map_err(|error| match error.kind() {
            Kind::Internal | Kind::Unavailable | Kind::Timeout => error,
            _ => super::filter::refused(format!("a value of the filter is none of its column: {}", error.message())),
        })?;
        let text: String = row.try_get(0).map_err(Error::internal)?;
        serde_json::from_str(&text).map_err(Error::internal)
    }

    /// Returns which of some rows somebody sees behind a transaction, by their keys: a JSON array of the key's values in the table's order.
    pub(super) async fn visible(&self, viewer: &Viewer, table: &Table, keys: &[Vec<&str>], behind: u64) -> Result<HashSet<Box<str>>> {
        let document = json!(keys.iter().map(|key| named(table, key)).collect::<Vec<_>>()).to_string();
        let rows = self.behind(viewer, behind, || question(table, &document)).await?;
        let mut seen = HashSet::with_capacity(rows.len());
        for row in &rows {
            if let Some(key) = row.try_get::<_, Option<String>>("key").map_err(Error::internal)? {
                let key: Vec<Box<str>> = serde_json::from_str(&key).map_err(Error::internal)?;
                seen.insert(key_text(key.iter().map(AsRef::as_ref)));
            }
        }
        Ok(seen)
    }

    /// Runs a statement whose first row has a `snapshot`, until that shows a transaction: a change is told before others see it.
    async fn behind(&self, viewer: &Viewer, xid: u64, statement: impl Fn() -> Sql) -> Result<Vec<Row>> {
        let (grant, context) = (grant(viewer)?, self.context());
        for _ in 0..=self.visible_max {
            let answer = self.database.run(&grant, &context, Access::Read, statement()).await?;
            let snapshot: Option<String> = match answer.rows.first() {
                Some(row) => row.try_get("snapshot").map_err(Error::internal)?,
                None => None,
            };
            if snapshot.as_deref().and_then(Snapshot::read).is_some_and(|snapshot| snapshot.shows(xid)) {
                return Ok(answer.rows);
            }
            tokio::time::sleep(VISIBLE_AFTER).await;
        }
        Err(Error::new(Kind::Timeout, "changes_not_visible", "what was told is not visible yet"))
    }

    /// Policies that look at a request find none: what is told is told to all of a kind.
    fn context(&self) -> RequestContext {
        RequestContext { statement_timeout: Some(Arc::clone(&self.time)), ..RequestContext::default() }
    }

    fn own(&self) -> Grant {
        #[expect(
            clippy::disallowed_methods,
            reason = "which tables there are, and which sessions are over, is asked for the whole process"
        )]
        let grant = Grant::system(&self.authority, None, "tells changes of rows");
        grant
    }
}

fn grant(viewer: &Viewer) -> Result<Grant> {
    viewer.principal.clone().require::<AnyCaller>()
}

/// Returns a key as text.
pub(super) fn key_text<'a>(key: impl Iterator<Item = &'a str>) -> Box<str> {
    let mut text = String::new();
    for value in key {
        text.push_str(value);
        text.push('\u{1f}');
    }
    text.into()
}

fn named(table: &Table, key: &[&str]) -> serde_json::Value {
    table.key().zip(key).map(|((_, column), value)| (column.name.to_string(), json!(value))).collect::<serde_json::Map<_, _>>().into()
}

/// One row with the snapshot and no key, and one for each row that is seen.
fn question(table: &Table, keys: &str) -> Sql {
    let mut sql =
        Sql::new("select pg_catalog.pg_current_snapshot()::text as snapshot, null::text as key union all select null, json_build_array(");
    for (place, (_, column)) in table.key().enumerate() {
        sql.text(if place == 0 { "t." } else { ", t." }).ident(&column.name).text("::text");
    }
    sql.text(")::text from ").qualified(&table.schema, &table.name).text(" t join pg_catalog.jsonb_to_recordset(");
    sql.bind(keys.to_owned()).text("::jsonb) as k (");
    for (place, (_, column)) in table.key().enumerate() {
        sql.text(if place == 0 { "" } else { ", " }).ident(&column.name).text(" ");
        sql.qualified(&column.type_schema, &column.type_name);
    }
    sql.text(") on ");
    for (place, (_, column)) in table.key().enumerate() {
        sql.text(if place == 0 { "t." } else { " and t." }).ident(&column.name).text(" = k.").ident(&column.name);
    }
    sql
}
