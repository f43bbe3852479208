//! What there is to ask about: relations, keys and functions from the catalog, and the rows of the other company as a superuser sees them.
//!
//! Invariant: nothing here comes from the data API or its policies.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokio_postgres::Client;

use super::asked::{COMPANY_B, MARK_B, WORD_B};

/// Relations of the served schemas with their columns, keys and the keys that lead away.
const RELATIONS: &str = "
select n.nspname, c.relname,
       (select json_agg(json_build_array(a.attname, format_type(a.atttypid, null),
                 has_column_privilege('authenticated', c.oid, a.attnum, 'insert'),
                 has_column_privilege('authenticated', c.oid, a.attnum, 'update')) order by a.attnum)
          from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)::text,
       (select coalesce(json_agg(json_build_array(k.conname, fc.relname,
                 (select a.attname from pg_attribute a where a.attrelid = k.conrelid and a.attnum = k.conkey[cardinality(k.conkey)]))), '[]')
          from pg_constraint k join pg_class fc on fc.oid = k.confrelid join pg_namespace fn on fn.oid = fc.relnamespace
         where k.conrelid = c.oid and k.contype = 'f' and fn.nspname = n.nspname)::text,
       exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'company_id' and a.attnotnull)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition and n.nspname in ('public', 'shared', 'home_services')
   and has_schema_privilege('authenticated', n.oid, 'usage')
 order by 1, 2";

/// Functions of the served schemas that somebody signed in may call.
const FUNCTIONS: &str = "
select n.nspname, p.proname, p.proretset or t.typtype = 'c',
       (select coalesce(json_agg(json_build_array(coalesce(p.proargnames[position], ''), format_type(type, null)) order by position), '[]')
          from unnest(p.proargtypes::oid[]) with ordinality a (type, position))::text
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_type t on t.oid = p.prorettype
 where p.prokind = 'f' and n.nspname in ('public', 'shared', 'home_services') and has_function_privilege('authenticated', p.oid, 'execute')
   and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
 order by 1, 2, p.oid";

/// Every table with the columns that say whose a row is.
const TABLES: &str = "
select n.nspname, c.relname,
       (select a.attname from pg_attribute a
         where a.attrelid = c.oid and not a.attisdropped and a.attname in ('company_id', 'tenant_id') order by a.attname limit 1)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and not c.relispartition and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'
 order by 1, 2";

/// Rows of B that are taken from a relation.
const ROWS_MAX: usize = 8;
/// Texts that are shorter say nothing of whose they are.
const TEXT_MIN: usize = 8;

/// A table or view.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// Key, table it leads to, its last column.
    pub(crate) keys: Vec<(String, String, String)>,
    /// Whether each of its rows is a company's.
    pub(crate) has_company: bool,
    /// Rows of the other company.
    pub(crate) rows: Vec<Value>,
}

/// A column.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) is_inserted: bool,
    pub(crate) is_updated: bool,
}

/// A function.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// Whether rows come back.
    pub(crate) gives_rows: bool,
    /// Names and types of what it takes.
    pub(crate) arguments: Vec<(String, String)>,
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) relations: Vec<Relation>,
    pub(crate) functions: Vec<Function>,
    /// Ids of rows of B that no row of A has.
    pub(crate) ids: Vec<String>,
    /// Texts that stand in rows of B and nowhere else.
    pub(crate) canaries: Vec<String>,
    /// Every table, and the condition for B's rows in it.
    pub(crate) tables: Vec<(String, String)>,
}

impl Known {
    pub(crate) async fn read(client: &Client) -> Self {
        let tables = tables(client).await;
        let canaries = canaries(client, &tables).await;
        let ids: Vec<String> = canaries.iter().filter(|text| is_id(text)).cloned().collect();
        let mut relations = Vec::new();
        for row in client.query(RELATIONS, &[]).await.unwrap() {
            relations.push(relation(client, &row, &tables).await);
        }
        let functions = client.query(FUNCTIONS, &[]).await.unwrap().iter().map(function).collect();
        Self { relations, functions, ids, canaries, tables }
    }

    /// Leaves only these relations and functions to be asked about.
    pub(crate) fn narrow(&mut self, only: &[&str]) {
        self.relations.retain(|relation| only.contains(&relation.name.as_str()));
        self.functions.retain(|function| only.contains(&function.name.as_str()));
    }

    pub(crate) fn relation(&self, name: &str) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.name == name)
    }

    /// Returns a sum over B's rows, for each table that has some.
    pub(crate) async fn sums(&self, client: &Client) -> BTreeMap<String, String> {
        let mut sums = BTreeMap::new();
        for (table, whose) in &self.tables {
            let sql = format!(
                "select count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from {table} t where {whose}"
            );
            let sum: String = client.query_one(sql.as_str(), &[]).await.unwrap().get(0);
            sums.insert(table.clone(), sum);
        }
        sums
    }

    /// Takes B away, as if it had never been.
    pub(crate) async fn remove(&self, client: &Client) {
        let deletions: Vec<String> = self.tables.iter().map(|(table, whose)| format!("delete from {table} t where {whose};")).collect();
        client.batch_execute(&format!("begin; set local session_replication_role = replica; {} commit", deletions.concat())).await.unwrap();
    }
}

/// Tells whether a text is an id.
pub(crate) fn is_id(text: &str) -> bool {
    uuid::Uuid::parse_str(text).is_ok()
}

async fn tables(client: &Client) -> Vec<(String, String)> {
    let rows = client.query(TABLES, &[]).await.unwrap();
    let condition = |row: &tokio_postgres::Row| {
        let (schema, name, column): (String, String, Option<String>) = (row.get(0), row.get(1), row.get(2));
        let whose = match column {
            Some(column) => format!("t.{column:?} = '{COMPANY_B}'"),
            None if name == "companies" || name == "tenants" => format!("t.id = '{COMPANY_B}'"),
            None => format!("(t::text like '%{MARK_B}%' or t::text like '%{WORD_B}%')"),
        };
        (format!("{schema:?}.{name:?}"), whose)
    };
    rows.iter().map(condition).collect()
}

/// Returns what only rows of B say.
async fn canaries(client: &Client, tables: &[(String, String)]) -> Vec<String> {
    let (mut theirs, mut others) = (BTreeSet::new(), BTreeSet::new());
    for (table, whose) in tables {
        let sql = format!("select to_jsonb(t)::text, coalesce({whose}, false) from {table} t");
        for row in client.query(sql.as_str(), &[]).await.unwrap() {
            let value: Value = serde_json::from_str(row.get(0)).unwrap();
            texts(&value, if row.get(1) { &mut theirs } else { &mut others });
        }
    }
    let others = others.into_iter().collect::<Vec<_>>().join("\n");
    let all: Vec<String> = theirs.into_iter().filter(|text| !others.contains(text.as_str())).collect();
    // What contains another one is found by that.
    all.iter().filter(|text| !all.iter().any(|other| *text != other && text.contains(other.as_str()))).cloned().collect()
}

fn texts(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        // A moment says nothing: two companies may have the same.
        Value::String(text) if text.len() >= TEXT_MIN && !is_moment(text) => _ = into.insert(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, into)),
        Value::Object(members) => members.values().for_each(|value| texts(value, into)),
        _ => {}
    }
}

fn is_moment(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok() || text.parse::<jiff::Timestamp>().is_ok()
}

async fn relation(client: &Client, row: &tokio_postgres::Row, tables: &[(String, String)]) -> Relation {
    let (schema, name): (String, String) = (row.get(0), row.get(1));
    let full = format!("{schema:?}.{name:?}");
    let known = tables.iter().find(|(table, _)| *table == full).map(|(_, whose)| whose.clone());
    // A view has no company of its own.
    let whose = known.unwrap_or_else(|| format!("(t::text like '%{MARK_B}%' or t::text like '%{WORD_B}%')"));
    let sql = format!("select to_jsonb(t)::text from {full} t where {whose} order by t::text limit {ROWS_MAX}");
    let rows = client.query(sql.as_str(), &[]).await.unwrap_or_default();
    let columns: Vec<(String, String, bool, bool)> = serde_json::from_str(row.get(2)).unwrap();
    let columns = columns.into_iter().map(|(name, kind, is_inserted, is_updated)| Column { name, kind, is_inserted, is_updated });
    Relation {
        schema,
        name,
        columns: columns.collect(),
        keys: serde_json::from_str(row.get(3)).unwrap(),
        has_company: row.get(4),
        rows: rows.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect(),
    }
}

fn function(row: &tokio_postgres::Row) -> Function {
    Function { schema: row.get(0), name: row.get(1), gives_rows: row.get(2), arguments: serde_json::from_str(row.get(3)).unwrap() }
}
