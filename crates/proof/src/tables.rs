//! Every table as the catalog describes it and as a superuser sees its rows; and whether there is enough in it to try on.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio_postgres::Client;

use crate::expectation::{OWNER, PARENT, Permissions, Standing, Verb};
use crate::target::{Column, Place, Pointer, Target, Unique};
use crate::world::COMPANIES;

/// Every table of the database with its columns, its keys and who may write what.
const TABLES: &str = "
select n.nspname, c.relname, c.relispartition,
       (select json_agg(json_build_object('name', a.attname, 'is_nullable', not a.attnotnull,
                 'inserted_by', (select coalesce(json_agg(r), '[]') from unnest(array['anon', 'authenticated', 'guest', 'service_role']) r
                                  where has_column_privilege(r, c.oid, a.attnum, 'insert')),
                 'updated_by', (select coalesce(json_agg(r), '[]') from unnest(array['anon', 'authenticated', 'guest', 'service_role']) r
                                 where has_column_privilege(r, c.oid, a.attnum, 'update'))) order by a.attnum)
          from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '')::text,
       (select coalesce(json_agg(a.attname order by array_position(i.indkey::smallint[], a.attnum)), '[]')
          from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
         where i.indrelid = c.oid and i.indisprimary)::text,
       (select coalesce(json_agg(json_build_object('is_partial', i.indpred is not null,
                 'columns', (select json_agg(a.attname) from pg_attribute a where a.attrelid = c.oid and a.attnum = any (i.indkey)))
                 order by i.indpred is not null, i.indexrelid), '[]')
          from pg_index i where i.indrelid = c.oid and i.indisunique)::text,
       (select coalesce(json_agg(json_build_object('name', k.conname,
                 'columns', (select json_agg(a.attname order by p) from unnest(k.conkey) with ordinality u (n, p)
                               join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.n),
                 'foreign_table', (select fn.nspname || '.' || fc.relname from pg_class fc join pg_namespace fn on fn.oid = fc.relnamespace
                                    where fc.oid = k.confrelid),
                 'foreign_columns', (select json_agg(a.attname order by p) from unnest(k.confkey) with ordinality u (n, p)
                                       join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.n))), '[]')
          from pg_constraint k where k.conrelid = c.oid and k.contype = 'f')::text
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
 order by 1, 2";

/// Tables that hold ids, figures and moments only: nothing of them can be told in words.
const WORDLESS: [&str; 5] =
    ["public.notification_choices", "public.notification_preferences", "public.public_links", "public.streams", "public.votes_v2"];

/// How many rows above it decide who reaches a row: a line, its invoice, its job.
const PARENTS_DEPTH: usize = 2;

/// A table and its rows.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) full_name: String,
    pub(crate) is_partition: bool,
    pub(crate) target: Target,
    /// The rows as they are, and where each stands.
    pub(crate) rows: Vec<(Place, Value)>,
}

/// Reads all of them.
pub(crate) async fn read(client: &Client) -> Vec<Table> {
    let mut tables = Vec::new();
    for row in client.query(TABLES, &[]).await.expect("the catalog") {
        let (schema, name): (String, String) = (row.get(0), row.get(1));
        let json =
            |index: usize| serde_json::from_str::<Value>(&row.get::<_, Option<String>>(index).unwrap_or("[]".to_owned())).expect("JSON");
        let all = format!(
            "select tableoid::text, ctid::text, to_jsonb(t)::text from {schema:?}.{name:?} t order by tableoid, to_jsonb(t) ->> 'id', ctid"
        );
        let rows = client.query(all.as_str(), &[]).await.expect("the rows");
        let place = |row: &tokio_postgres::Row| Place { table_oid: row.get(0), ctid: row.get(1) };
        let rows = rows.iter().map(|row| (place(row), serde_json::from_str(row.get(2)).expect("JSON"))).collect();
        let target = Target {
            columns: list(&json(3)).map(column).collect(),
            key: texts(&json(4)),
            unique: list(&json(5)).map(|key| Unique { is_partial: key["is_partial"] == true, columns: texts(&key["columns"]) }).collect(),
            pointers: list(&json(6)).filter_map(pointer).collect(),
            schema: schema.clone(),
            name: name.clone(),
        };
        tables.push(Table { full_name: format!("{schema}.{name}"), is_partition: row.get(2), target, rows });
    }
    tables
}

/// Gives every row that belongs to another one that one, as it is, and so on: what a row is part of decides who reaches it.
pub(crate) fn with_parents(mut tables: Vec<Table>, permissions: &Permissions) -> Vec<Table> {
    // A parent's parent has to be there before the parent is copied.
    for _ in 0..PARENTS_DEPTH {
        for at in 0..tables.len() {
            let Some(table) = tables.get(at) else { continue };
            let Some(parent) = permissions.parent(&table.full_name) else { continue };
            let Some(parents) = tables.iter().find(|other| other.full_name == parent.table) else { continue };
            let known: Vec<Value> = parents.rows.iter().map(|(_, row)| row.clone()).collect();
            let column = parent.column.clone();
            for (_, row) in tables.get_mut(at).into_iter().flat_map(|table| &mut table.rows) {
                let its = known.iter().find(|other| other["company_id"] == row["company_id"] && other["id"] == row[&column]);
                if let (Some(its), Some(row)) = (its.cloned(), row.as_object_mut()) {
                    row.insert(PARENT.to_owned(), its);
                }
            }
        }
    }
    with_owners(tables, permissions)
}

/// Gives every row that names another one by its type and id that one.
fn with_owners(mut tables: Vec<Table>, permissions: &Permissions) -> Vec<Table> {
    let known = tables.clone();
    for table in &mut tables {
        for (_, row) in &mut table.rows {
            let Some(owner) = row["entity_type"].as_str().and_then(|name| permissions.owner(&table.full_name, name)) else { continue };
            let owners = known.iter().filter(|other| other.full_name == owner).flat_map(|other| &other.rows).map(|(_, row)| row);
            let its = owners.into_iter().find(|other| other["company_id"] == row["company_id"] && other["id"] == row["entity_id"]);
            if let (Some(its), Some(row)) = (its.cloned(), row.as_object_mut()) {
                row.insert(OWNER.to_owned(), its);
            }
        }
    }
    tables
}

/// Says where file and database know different tables, and where there is too little in a table to try on.
pub(crate) fn shortcomings(tables: &[Table], permissions: &Permissions) -> Vec<String> {
    let mut found = Vec::new();
    for known in permissions.known() {
        if !tables.iter().any(|table| table.full_name == known) {
            found.push(format!("{known} is in permissions.toml and not in the database"));
        }
    }
    for table in tables.iter().filter(|table| !table.is_partition) {
        let name = &table.full_name;
        if !permissions.knows(name) {
            found.push(format!("{name} is not in permissions.toml"));
        }
        // A bucket of companies would be there for everybody; they are asked for over HTTP.
        if table.rows.is_empty() && name != "app.company_buckets" {
            found.push(format!("{name} has no rows to try on"));
        }
        found.extend(table.lacks(permissions).into_iter().map(|what| format!("{name} has no row {what}")));
    }
    found
}

impl Table {
    /// Returns the column that holds the company: the declared one, or one that is called so.
    fn tenant_column<'a>(&self, permissions: &'a Permissions) -> Option<&'a str> {
        let named = self.target.columns.iter().any(|column| column.name == "company_id").then_some("company_id");
        permissions.tenant_column(&self.full_name).or(named)
    }

    fn lacks(&self, permissions: &Permissions) -> Vec<String> {
        let Some(tenant) = self.tenant_column(permissions) else { return Vec::new() };
        let of = |company: &str| self.rows.iter().map(|(_, row)| row).filter(|row| row[tenant] == company).collect::<Vec<_>>();
        let mut lacks = Vec::new();
        for (letter, company) in COMPANIES {
            let rows = of(company);
            if rows.is_empty() {
                lacks.push(format!("of company {letter}"));
            }
            let has_words = !WORDLESS.contains(&self.full_name.as_str());
            if has_words && self.is_declared(permissions) && !says(&rows, &format!("canary-{letter}")) {
                lacks.push(format!("that says canary-{letter}"));
            }
            for column in permissions.person_columns(&self.full_name) {
                if self.target.is_nullable(column) && !rows.iter().any(|row| row[column].is_null()) {
                    lacks.push(format!("of nobody by {column} in company {letter}"));
                }
                if rows.iter().filter_map(|row| row[column].as_str()).collect::<BTreeSet<_>>().len() < 2 {
                    lacks.push(format!("of several members by {column} in company {letter}"));
                }
            }
        }
        if permissions.is_shared_out(&self.full_name) {
            for (letter, company) in COMPANIES {
                let technician = Standing::Member {
                    user_id: format!("{}105", company.trim_end_matches("000")),
                    company_id: company.to_owned(),
                    role: "technician".to_owned(),
                };
                let reach = permissions.reach(&technician, &self.full_name, Verb::Read);
                let (his, others): (Vec<_>, Vec<_>) = of(company).into_iter().partition(|row| reach.covers(row));
                if his.is_empty() || others.is_empty() {
                    lacks.push(format!("that is a technician's, or none that is not, in company {letter}"));
                }
            }
        }
        let id = |row: &Value| row["id"].as_str().map(str::to_owned);
        if tenant != "id" && self.target.key == [tenant, "id"] {
            let there: Vec<_> = of(COMPANIES[0].1).into_iter().filter_map(id).collect();
            if !of(COMPANIES[1].1).into_iter().filter_map(id).any(|other| there.contains(&other)) {
                lacks.push("whose id lives in both companies".to_owned());
            }
        }
        lacks
    }

    fn is_declared(&self, permissions: &Permissions) -> bool {
        permissions.tenant_column(&self.full_name).is_some()
    }
}

fn says(rows: &[&Value], word: &str) -> bool {
    rows.iter().any(|row| row.to_string().contains(word))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts(value: &Value) -> Vec<String> {
    list(value).filter_map(Value::as_str).map(str::to_owned).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn column(value: &Value) -> Column {
    Column {
        name: text(&value["name"]),
        is_nullable: value["is_nullable"] == true,
        inserted_by: texts(&value["inserted_by"]),
        updated_by: texts(&value["updated_by"]),
    }
}

/// A key's last column names the row; what stands before it is the company's.
fn pointer(value: &Value) -> Option<Pointer> {
    let (columns, foreign) = (texts(&value["columns"]), texts(&value["foreign_columns"]));
    Some(Pointer {
        name: text(&value["name"]),
        column: columns.last()?.clone(),
        foreign_table: text(&value["foreign_table"]),
        foreign_column: foreign.last()?.clone(),
    })
}
