//! What the catalog says of our tables, as the documents about them need it.
//!
//! Invariant: the same on every major version that is supported; nothing that an extension or a month brings is in it.

use tokio_postgres::Client;

/// A table or view.
#[derive(Debug)]
pub(crate) struct Described {
    /// Of `public` without the schema's name.
    pub(crate) name: String,
    pub(crate) is_view: bool,
    pub(crate) comment: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) keys: Vec<Key>,
    pub(crate) references: Vec<Reference>,
    pub(crate) guard: Option<Guard>,
}

#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) nullable: bool,
    pub(crate) default: String,
    pub(crate) comment: String,
}

/// A primary key, a unique constraint or index, or an exclusion.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) kind: String,
    pub(crate) columns: Vec<String>,
    pub(crate) condition: Option<String>,
}

/// A foreign key.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) columns: Vec<String>,
    pub(crate) target: String,
    pub(crate) on_delete: String,
}

/// What `app.protect` was told.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) noun: String,
    pub(crate) verbs: Vec<String>,
    pub(crate) soft_delete: bool,
    pub(crate) personal: bool,
}

/// Ours: not the system's, no part of an extension, no partition.
const TABLES: &str = "
select c.oid, n.nspname::text, c.relname::text, c.relkind = 'v', coalesce(obj_description(c.oid, 'pg_class'), '')
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
   and n.nspname !~ '^(pg_|information_schema$)'
   and not exists (select from pg_catalog.pg_depend d
                    where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
 order by n.nspname collate \"C\", c.relname collate \"C\"";

const COLUMNS: &str = "
select a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), not a.attnotnull,
       coalesce(case when a.attgenerated <> '' then 'computed: ' else '' end || pg_catalog.pg_get_expr(d.adbin, d.adrelid), ''),
       coalesce(pg_catalog.col_description(a.attrelid, a.attnum), '')
  from pg_catalog.pg_attribute a
  left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
 order by a.attnum";

/// Constraints and unique indexes are indexes alike.
const KEYS: &str = "
select case when i.indisprimary then 'primary' when i.indisexclusion then 'no overlap of' else 'unique' end,
       array(select pg_catalog.pg_get_indexdef(i.indexrelid, place, true) from generate_series(1, i.indnkeyatts) place order by place),
       pg_catalog.pg_get_expr(i.indpred, i.indrelid, true)
  from pg_catalog.pg_index i
  join pg_catalog.pg_class c on c.oid = i.indexrelid
 where i.indrelid = $1 and (i.indisunique or i.indisexclusion)
 order by not i.indisprimary, c.relname collate \"C\"";

const REFERENCES: &str = "
select array(select a.attname::text from unnest(k.conkey) with ordinality p (number, place)
               join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = p.number order by p.place),
       n.nspname::text, t.relname::text,
       case k.confdeltype when 'c' then 'goes with it' when 'n' then 'is emptied' else 'holds it' end
  from pg_catalog.pg_constraint k
  join pg_catalog.pg_class t on t.oid = k.confrelid
  join pg_catalog.pg_namespace n on n.oid = t.relnamespace
 where k.conrelid = $1 and k.contype = 'f' and k.conparentid = 0
 order by k.conname collate \"C\"";

const GUARD: &str = "
select noun, verbs, soft_delete, tenant_column is null from app.protected_tables where table_name = $1 || '.' || $2";

/// Reads all tables and views.
pub(crate) async fn read(client: &Client) -> Vec<Described> {
    // Names of types and functions are then written in full, whoever asks.
    client.batch_execute("set search_path = ''").await.unwrap();
    let mut found = vec![];
    for row in client.query(TABLES, &[]).await.unwrap() {
        let (table, schema, name): (u32, String, String) = (row.get(0), row.get(1), row.get(2));
        let columns = client.query(COLUMNS, &[&table]).await.unwrap();
        let keys = client.query(KEYS, &[&table]).await.unwrap();
        let references = client.query(REFERENCES, &[&table]).await.unwrap();
        let guard = client.query_opt(GUARD, &[&schema, &name]).await.unwrap();
        found.push(Described {
            name: short(&schema, &name),
            is_view: row.get(3),
            comment: row.get(4),
            columns: columns
                .iter()
                .map(|row| Column { name: row.get(0), kind: row.get(1), nullable: row.get(2), default: row.get(3), comment: row.get(4) })
                .collect(),
            keys: keys.iter().map(|row| Key { kind: row.get(0), columns: row.get(1), condition: row.get(2) }).collect(),
            references: references
                .iter()
                .map(|row| Reference { columns: row.get(0), target: short(row.get(1), row.get(2)), on_delete: row.get(3) })
                .collect(),
            guard: guard.map(|row| Guard { noun: row.get(0), verbs: row.get(1), soft_delete: row.get(2), personal: row.get(3) }),
        });
    }
    found
}

fn short(schema: &str, name: &str) -> String {
    if schema == "public" { name.to_owned() } else { format!("{schema}.{name}") }
}
