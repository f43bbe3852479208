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
    /// Columns that stand in a primary or unique key.
    pub(crate) unique: Vec<String>,
    /// Columns that take values.
    pub(crate) columns: Vec<Column>,
    /// Its foreign keys.
    pub(crate) pointers: Vec<Pointer>,
}

/// A column that takes values, and which roles have the right to give it one.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
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

    /// Reads one row.
    pub(crate) fn read(&self, place: &Place) -> Sql {
        let mut sql = Sql::new("select 1 from ");
        sql.qualified(&self.schema, &self.name);
        at(&mut sql, place);
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

    /// Returns a row like another whose keys are free: with an id of its own, and other words where words must be unique.
    pub(crate) fn fresh(&self, row: &Value, somebody: &str) -> Value {
        let mut fresh = row.clone();
        for column in &self.unique {
            // What is compared is computed from the address itself.
            let column = if column == "email_key" { "email" } else { column };
            let Some(value) = fresh.get_mut(column) else { continue };
            let Some(text) = value.as_str() else { continue };
            *value = match column {
                "company_id" => continue,
                "id" => Uuid::now_v7().to_string(),
                "user_id" => somebody.to_owned(),
                _ if text.contains('@') => format!("new.{text}"),
                // A digest stays one.
                _ if text.len() == 64 => text.chars().rev().collect(),
                _ => format!("{text}-1"),
            }
            .into();
        }
        fresh
    }
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
