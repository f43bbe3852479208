//! A table as attempts write it: the statements that try to reach its rows.

use postgres::{Param, Sql};
use serde_json::Value;
use uuid::Uuid;

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// The primary key's columns.
    pub(crate) key: Vec<String>,
    /// Its primary and unique keys, those of some rows only last.
    pub(crate) unique: Vec<Unique>,
    /// Columns that take values.
    pub(crate) columns: Vec<Column>,
    /// Its foreign keys.
    pub(crate) pointers: Vec<Pointer>,
}

/// A primary or unique key.
#[derive(Clone, Debug)]
pub(crate) struct Unique {
    /// Whether it holds for some rows only.
    pub(crate) is_partial: bool,
    pub(crate) columns: Vec<String>,
}

/// A column that takes values, and which roles have the right to give it one.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Whether it may be null.
    pub(crate) is_nullable: bool,
    /// Roles that may INSERT it.
    pub(crate) inserted_by: Vec<String>,
    /// Roles that may UPDATE it.
    pub(crate) updated_by: Vec<String>,
}

/// A foreign key.
#[derive(Clone, Debug)]
pub(crate) struct Pointer {
    pub(crate) name: String,
    /// The column that names the row, beside the company's.
    pub(crate) column: String,
    pub(crate) foreign_table: String,
    pub(crate) foreign_column: String,
}

/// Where a row stands: in which table or partition, and where there.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) table_oid: String,
    pub(crate) ctid: String,
}

impl Column {
    fn is_inserted_by(&self, role: &str) -> bool {
        self.inserted_by.iter().any(|by| by == role)
    }

    fn is_updated_by(&self, role: &str) -> bool {
        self.updated_by.iter().any(|by| by == role)
    }
}

impl Target {
    /// Tells whether a role has the right to change a column.
    pub(crate) fn may_update(&self, column: &str, role: &str) -> bool {
        self.columns.iter().any(|known| known.name == column && known.is_updated_by(role))
    }

    /// Tells whether a column may be null.
    pub(crate) fn is_nullable(&self, column: &str) -> bool {
        self.columns.iter().any(|known| known.name == column && known.is_nullable)
    }

    /// Reads one row.
    pub(crate) fn read(&self, place: &Place) -> Sql {
        let mut sql = Sql::new("select 1 from ");
        sql.qualified(&self.schema, &self.name);
        at(&mut sql, place);
        sql
    }

    /// Reads one row by its key.
    pub(crate) fn read_by_key(&self, row: &Value) -> Sql {
        let key: Vec<&str> = self.key.iter().map(String::as_str).collect();
        let mut sql = Sql::new("select 1 from ");
        sql.qualified(&self.schema, &self.name).text(" where (");
        list(&mut sql, &key);
        sql.text(") = (select ");
        list(&mut sql, &key);
        sql.text(" from jsonb_populate_record(null::").qualified(&self.schema, &self.name);
        sql.text(", ").bind(row.to_string()).text("::jsonb))");
        sql
    }

    /// Changes one row: a column that the role may write gets the value that it has.
    pub(crate) fn update(&self, place: &Place, role: &str) -> Sql {
        let mut sql = self.changing_nothing(role);
        at(&mut sql, place);
        sql.text(" returning 1");
        sql
    }

    /// Changes rows that are named by an id alone.
    pub(crate) fn update_by_id(&self, id: &str, role: &str) -> Sql {
        let mut sql = self.changing_nothing(role);
        sql.text(" where id = ").bind(id).text("::uuid returning 1");
        sql
    }

    fn changing_nothing(&self, role: &str) -> Sql {
        let quiet = |column: &&Column| !self.key.contains(&column.name);
        let column = self.columns.iter().filter(quiet).find(|column| column.is_updated_by(role));
        let name = &column.or_else(|| self.columns.iter().find(quiet)).or(self.columns.first()).expect("a column").name;
        let mut sql = Sql::new("update ");
        sql.qualified(&self.schema, &self.name).text(" set ").ident(name).text(" = ").ident(name);
        sql
    }

    /// Sets a column of one row.
    pub(crate) fn set(&self, place: &Place, column: &str, value: impl Into<Param>) -> Sql {
        let mut sql = Sql::new("update ");
        sql.qualified(&self.schema, &self.name).text(" set ").ident(column).text(" = ").bind(value);
        at(&mut sql, place);
        sql.text(" returning 1");
        sql
    }

    /// Gives one row every value of another that the role may write.
    pub(crate) fn become_another(&self, place: &Place, another: &Value, role: &str) -> Sql {
        let columns: Vec<&str> =
            self.columns.iter().filter(|column| column.is_updated_by(role)).map(|column| column.name.as_str()).collect();
        let mut sql = Sql::new("update ");
        sql.qualified(&self.schema, &self.name).text(" set (");
        list(&mut sql, &columns);
        sql.text(") = (select ");
        list(&mut sql, &columns);
        sql.text(" from jsonb_populate_record(null::").qualified(&self.schema, &self.name);
        sql.text(", ").bind(another.to_string()).text("::jsonb))");
        at(&mut sql, place);
        sql.text(" returning 1");
        sql
    }

    /// Changes whatever it meets, without reading any of it.
    pub(crate) fn update_blindly(&self, role: &str) -> Sql {
        let column = self.columns.iter().find(|column| column.is_updated_by(role)).or(self.columns.last()).expect("a column");
        let mut sql = Sql::new("update ");
        sql.qualified(&self.schema, &self.name).text(" set ").ident(&column.name).text(" = default returning 1");
        sql
    }

    /// Deletes whatever it meets, without reading any of it.
    pub(crate) fn delete_blindly(&self) -> Sql {
        let mut sql = Sql::new("delete from ");
        sql.qualified(&self.schema, &self.name).text(" returning 1");
        sql
    }

    /// Deletes one row.
    pub(crate) fn delete(&self, place: &Place) -> Sql {
        let mut sql = Sql::new("delete from ");
        sql.qualified(&self.schema, &self.name);
        at(&mut sql, place);
        sql.text(" returning 1");
        sql
    }

    /// Adds a row with the columns that the role may write, or all if it may write none.
    pub(crate) fn insert(&self, row: &Value, role: &str) -> Sql {
        self.insert_with(row, role, false)
    }

    /// Adds a row or takes over the one with its key.
    pub(crate) fn upsert(&self, row: &Value, role: &str) -> Sql {
        self.insert_with(row, role, true)
    }

    fn insert_with(&self, row: &Value, role: &str, merge: bool) -> Sql {
        let granted: Vec<&Column> = self.columns.iter().filter(|column| column.is_inserted_by(role)).collect();
        let written = if granted.is_empty() { self.columns.iter().collect() } else { granted };
        let columns: Vec<&str> = written.iter().map(|column| column.name.as_str()).collect();
        // Nothing of the row is asked for: who may write and not read passes, too.
        let mut sql = Sql::new("with attempt as (insert into ");
        sql.qualified(&self.schema, &self.name).text(" (");
        list(&mut sql, &columns);
        sql.text(") overriding system value select ");
        list(&mut sql, &columns);
        sql.text(" from jsonb_populate_record(null::").qualified(&self.schema, &self.name);
        sql.text(", ").bind(row.to_string()).text("::jsonb)");
        if merge {
            let free = written.iter().filter(|column| !self.key.contains(&column.name));
            let taken = free.clone().find(|column| column.is_updated_by(role)).or_else(|| free.clone().next());
            let taken = taken.map_or("id", |column| column.name.as_str());
            sql.text(" on conflict (");
            list(&mut sql, &self.key.iter().map(String::as_str).collect::<Vec<_>>());
            sql.text(") do update set ").ident(taken).text(" = excluded.").ident(taken);
        }
        sql.text(" returning 1) select 1 from attempt");
        sql
    }

    /// Empties the table.
    pub(crate) fn truncate(&self) -> Sql {
        let mut sql = Sql::new("truncate ");
        sql.qualified(&self.schema, &self.name).text(" cascade");
        sql
    }

    /// Returns a row like another whose keys are free: one column of each key has another value. None where that cannot be: a row that only
    /// joins two others, or the one row of its company.
    pub(crate) fn fresh(&self, row: &Value, somebody: &str) -> Option<Value> {
        let mut fresh = row.clone();
        let mut changed: Vec<&str> = Vec::new();
        for key in &self.unique {
            let is_free = key.columns.iter().any(|column| changed.contains(&column.as_str()) || row[column].is_null());
            if is_free {
                continue;
            }
            let found = key.columns.iter().find_map(|column| Some((column.as_str(), self.another(column, row, somebody)?)));
            match found {
                Some((column, value)) => {
                    fresh[written(column)] = value;
                    changed.push(column);
                }
                None if key.is_partial => {}
                None => return None,
            }
        }
        Some(fresh)
    }

    /// Tells whether a column has words of a list.
    fn is_word(&self, column: &str) -> bool {
        KINDS.contains(&column) || (self.name.as_str(), column) == ("supplier_secrets", "name")
    }

    /// Returns another value for a column of a key, if it may have one.
    fn another(&self, column: &str, row: &Value, somebody: &str) -> Option<Value> {
        let points_at = self.pointers.iter().find(|pointer| pointer.column == column).map(|pointer| pointer.foreign_table.as_str());
        match (column, points_at) {
            ("company_id", _) => return None,
            (_, Some("public.users")) => return Some(somebody.into()),
            (_, Some(_)) => return None,
            ("id", None) => return Some(Uuid::now_v7().to_string().into()),
            _ => {}
        }
        let text = row[written(column)].as_str().filter(|_| !self.is_word(column))?;
        let is_day = text.len() == 10 && text.starts_with("20") && text.as_bytes().get(4) == Some(&b'-');
        Some(
            match text {
                _ if text.parse::<Uuid>().is_ok() => Uuid::now_v7().to_string(),
                _ if is_day => format!("2031{}", text.get(4..).unwrap_or_default()),
                _ if text.contains('@') => format!("new.{text}"),
                // Bytes stay as many.
                _ if text.starts_with("\\x") => match text.strip_suffix("00") {
                    Some(rest) => format!("{rest}ff"),
                    None => format!("{}00", text.get(..text.len() - 2).unwrap_or_default()),
                },
                // A digest stays one.
                _ if text.len() == 64 => text.chars().rev().collect(),
                // A name of programs stays one.
                _ if text.chars().all(|c| c.is_ascii_lowercase() || "_.".contains(c)) => format!("{text}x"),
                _ => format!("{text}-1"),
            }
            .into(),
        )
    }
}

/// Columns of keys whose values are words of a list.
const KINDS: [&str; 9] = ["entity_type", "identifier_type", "kind", "topic", "channel", "locale", "storage_bucket", "role", "purpose"];

/// What is compared is computed from the address itself.
fn written(column: &str) -> &str {
    if column == "email_key" { "email" } else { column }
}

fn at(sql: &mut Sql, place: &Place) {
    sql.text(" where tableoid = ").bind(place.table_oid.as_str()).text("::oid and ctid = ").bind(place.ctid.as_str()).text("::tid");
}

fn list(sql: &mut Sql, names: &[&str]) {
    let mut separator = "";
    for name in names {
        sql.text(separator).ident(name);
        separator = ", ";
    }
}
