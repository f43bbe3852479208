//! Rows, from a table there to the table of the same name here.
//!
//! Invariant: a row that is here already is changed only where it differs, and none is taken away.

use futures_util::{SinkExt as _, TryStreamExt as _};
use kernel::Result;

use super::super::super::error;
use super::super::super::session::Session;
use super::report::Compared;

/// A table with what is read of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// As SQL names it.
    pub(super) name: String,
    /// What is read there, as SQL; for each of `columns` one.
    pub(super) read: Vec<String>,
    /// The columns here, as SQL names them.
    pub(super) columns: Vec<String>,
    /// The columns of the primary key, as SQL names them.
    pub(super) key: Vec<String>,
    /// What has to be true for a row that is here to be changed; of `here` and `brought`.
    pub(super) changes_if: Option<&'static str>,
    /// Which of the columns are compared; None: all.
    pub(super) compared: Option<&'static [&'static str]>,
}

/// Every table of some schemas: name, columns, key, and the tables it points to.
const TABLES: &str = "
select format('%I.%I', n.nspname, c.relname),
       (select coalesce(array_agg(quote_ident(a.attname) order by a.attnum), '{}') from pg_catalog.pg_attribute a
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''),
       (select coalesce(array_agg(quote_ident(a.attname) order by a.attnum), '{}') from pg_catalog.pg_index i
          join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
         where i.indrelid = c.oid and i.indisprimary),
       (select coalesce(array_agg(distinct format('%I.%I', fn.nspname, f.relname)), '{}') from pg_catalog.pg_constraint k
          join pg_catalog.pg_class f on f.oid = k.confrelid join pg_catalog.pg_namespace fn on fn.oid = f.relnamespace
         where k.conrelid = c.oid and k.contype = 'f' and k.confrelid <> c.oid)
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and not c.relispartition and n.nspname = any ($1)
   and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
 order by 1";

/// Returns the tables of some schemas, each behind those it points to as far as they do not point at each other.
pub(super) async fn tables(there: &Session, schemas: &[String]) -> Result<Vec<Table>> {
    let rows = there.client.query(TABLES, &[&schemas]).await.map_err(error::query)?;
    let mut waiting: Vec<(Table, Vec<String>)> = Vec::new();
    for row in &rows {
        let columns: Vec<String> = row.get(1);
        let table = Table { name: row.get(0), read: columns.clone(), columns, key: row.get(2), ..Table::default() };
        waiting.push((table, row.get(3)));
    }
    let mut ordered: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let names: Vec<String> = waiting.iter().map(|(table, _)| table.name.clone()).collect();
        let ready = waiting.iter().position(|(_, needs)| needs.iter().all(|need| !names.contains(need)));
        ordered.push(waiting.remove(ready.unwrap_or(0)).0);
    }
    Ok(ordered)
}

/// The table of buckets, in which some are there before a project is.
const BUCKETS: &str = "storage.buckets";
/// A bucket of companies gives its name up to one that comes, as long as nothing is in it.
const YIELD: &str = "delete from storage.buckets b using app.company_buckets c, brought
     where c.id = b.id and brought.id = b.id and not exists (select from storage.objects o where o.bucket_id = b.id)";
/// Buckets without those.
const NOT_OF_COMPANIES: &str =
    "(select * from storage.buckets b where not exists (select from app.company_buckets c where c.id = b.id)) as buckets";

/// Brings the rows of a table within the transaction that is open here. Returns how many were added or changed.
pub(super) async fn bring(there: &Session, here: &Session, table: &Table) -> Result<u64> {
    let of = |cause: tokio_postgres::Error| at(table, &error::query(cause));
    let columns = table.columns.join(", ");
    if columns.is_empty() {
        return Ok(0);
    }
    let stage = ["create temporary table brought on commit drop as select ", &columns, " from ", &table.name, " with no data"].concat();
    here.client.batch_execute(&stage).await.map_err(of)?;
    let read = ["copy (select ", &table.read.join(", "), " from ", &table.name, ") to stdout"].concat();
    let rows = there.client.copy_out(read.as_str()).await.map_err(of)?;
    let sink = here.client.copy_in("copy brought from stdin").await.map_err(of)?;
    let (mut rows, mut sink) = (std::pin::pin!(rows), std::pin::pin!(sink));
    while let Some(part) = rows.try_next().await.map_err(of)? {
        sink.feed(part).await.map_err(of)?;
    }
    sink.finish().await.map_err(of)?;
    if table.name == BUCKETS {
        here.client.batch_execute(YIELD).await.map_err(of)?;
    }
    let mut brought = 0;
    for statement in change(table).into_iter().chain([addition(table, &columns)]) {
        brought += here.client.execute(statement.as_str(), &[]).await.map_err(of)?;
    }
    here.client.batch_execute("drop table brought").await.map_err(of)?;
    Ok(brought)
}

/// Changes what differs. The keys are not there yet when rows come for the first time, so that nothing here needs them.
fn change(table: &Table) -> Option<String> {
    let others: Vec<&String> = table.columns.iter().filter(|column| !table.key.contains(column)).collect();
    if table.key.is_empty() || others.is_empty() {
        return None;
    }
    let set: Vec<String> = others.iter().map(|column| [column.as_str(), " = brought.", column].concat()).collect();
    let side = |name: &str| others.iter().map(|column| [name, column].concat()).collect::<Vec<_>>().join(", ");
    // As text, since not every type can be compared.
    let differs = ["row(", &side("here."), ")::text is distinct from row(", &side("brought."), ")::text"].concat();
    let mut sql =
        ["update ", &table.name, " as here set ", &set.join(", "), " from brought where ", &same_key(table), " and ", &differs].concat();
    if let Some(condition) = table.changes_if {
        sql.push_str(&[" and ", condition].concat());
    }
    Some(sql)
}

/// Adds what is missing; what has no key cannot be told apart, and comes once.
fn addition(table: &Table, columns: &str) -> String {
    let known = if table.key.is_empty() { String::new() } else { [" as here where ", &same_key(table)].concat() };
    let insert = ["insert into ", &table.name, " (", columns, ") overriding system value select ", columns, " from brought"].concat();
    [&insert, " where not exists (select from ", &table.name, &known, ")"].concat()
}

fn same_key(table: &Table) -> String {
    table.key.iter().map(|column| ["here.", column, " = brought.", column].concat()).collect::<Vec<_>>().join(" and ")
}

/// Counts and sums up both sides.
pub(super) async fn compare(there: &Session, here: &Session, table: &Table, brought: u64) -> Result<Compared> {
    let is_compared = |column: &str| table.compared.is_none_or(|compared| compared.contains(&column));
    let (mut read, mut own) = (Vec::new(), Vec::new());
    for (value, column) in table.read.iter().zip(&table.columns).filter(|(_, column)| is_compared(column)) {
        read.push(value.as_str());
        own.push(column.as_str());
    }
    let origin = sum(there, &table.name, &read).await.map_err(|cause| at(table, &cause))?;
    let copied = if table.name == BUCKETS { NOT_OF_COMPANIES } else { &table.name };
    let copy = sum(here, copied, &own).await.map_err(|cause| at(table, &cause))?;
    Ok(Compared { table: table.name.clone(), brought, rows_there: origin.0, rows_here: copy.0, same: origin == copy })
}

/// The rows and the sum of their checksums, which does not depend on their order.
async fn sum(session: &Session, table: &str, values: &[&str]) -> Result<(i64, String)> {
    let sql = [
        "select count(*), coalesce(sum(('x' || left(md5(row(",
        &values.join(", "),
        ")::text), 16))::bit(64)::bigint::numeric), 0)::text from ",
        table,
    ]
    .concat();
    let row = session.client.query_one(sql.as_str(), &[]).await.map_err(error::query)?;
    Ok((row.get(0), row.get(1)))
}

fn at(table: &Table, cause: &kernel::Error) -> kernel::Error {
    error::refused(error::FAILED, format!("{}: {}", table.name, cause.message()), cause.hint().unwrap_or_default())
}
