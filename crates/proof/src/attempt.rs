//! One attempt on one row, and what became of it.
//!
//! Invariant: every attempt is undone; what refused it is told by PostgreSQL's own words, never guessed.

use kernel::Error;
use postgres::{Param, Sql, Tx};

/// What became of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Outcome {
    /// It reached the row.
    Passed,
    /// It got past the walls and met a rule of the business, a check or a unique key.
    Rule,
    /// The right to the table or column is missing.
    Grant,
    /// A policy hid the row or refused what it would become.
    Policy,
    /// A foreign key refused.
    Key,
    /// Something that no wall is.
    Broken,
}

/// Runs a statement that says how many rows it reached, and undoes it.
pub(crate) async fn attempt(tx: &Tx, statement: Sql) -> (Outcome, String) {
    tx.execute(Sql::new("savepoint attempt")).await.expect("a savepoint");
    // Deferred keys would speak only at a commit that never comes.
    let made = match tx.query(statement).await {
        Ok(rows) => match tx.execute(Sql::new("set constraints all immediate")).await {
            Ok(_) => Ok(rows.len()),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    tx.execute(Sql::new("rollback to savepoint attempt")).await.expect("back to the savepoint");
    match made {
        Ok(0) => (Outcome::Policy, "0 rows".to_owned()),
        Ok(rows) => (Outcome::Passed, format!("{rows} rows")),
        Err(error) => (outcome(&error), error.to_string()),
    }
}

fn outcome(error: &Error) -> Outcome {
    match error.code() {
        "42501" if error.message().contains("row-level security policy") => Outcome::Policy,
        "42501" => Outcome::Grant,
        "23503" => Outcome::Key,
        "23505" | "23514" | "23502" | "23P01" | "P0001" => Outcome::Rule,
        // Words are ours: a rule of the business.
        code if code.contains('_') => Outcome::Rule,
        _ => Outcome::Broken,
    }
}

/// A table as attempts write it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// The primary key's columns.
    pub(crate) key: Vec<String>,
    /// Columns that take values.
    pub(crate) columns: Vec<Column>,
    /// What points from it at rows of the same company: the constraint, its columns, the table pointed at.
    pub(crate) pointers: Vec<Pointer>,
}

/// A column that takes values, and for which operations each role has the right to it.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Roles that may INSERT it.
    pub(crate) inserted_by: Vec<String>,
    /// Roles that may UPDATE it.
    pub(crate) updated_by: Vec<String>,
}

/// A foreign key whose columns begin with the company's.
#[derive(Clone, Debug)]
pub(crate) struct Pointer {
    pub(crate) name: String,
    /// The column that names the row, beside the company's.
    pub(crate) column: String,
    pub(crate) foreign_table: String,
    pub(crate) foreign_column: String,
}

impl Target {
    fn table(&self, sql: &mut Sql) {
        sql.qualified(&self.schema, &self.name);
    }

    /// Tells whether a role has the right to change a column.
    pub(crate) fn may_update(&self, column: &str, role: &str) -> bool {
        self.columns.iter().any(|known| known.name == column && known.updated_by.iter().any(|by| by == role))
    }

    /// Reads one row.
    pub(crate) fn read(&self, place: &str) -> Sql {
        let mut sql = Sql::new("select 1 from ");
        self.table(&mut sql);
        at(&mut sql, place);
        sql
    }

    /// Changes one row: a column that the role may write gets the value that it has.
    pub(crate) fn update(&self, place: &str, role: &str) -> Sql {
        let mut sql = Sql::new("update ");
        self.table(&mut sql);
        let quiet = |column: &&Column| !self.key.contains(&column.name);
        let column = self.columns.iter().filter(quiet).find(|column| column.updated_by.iter().any(|by| by == role));
        let name = column.or_else(|| self.columns.iter().find(quiet)).or(self.columns.first()).expect("a column").name.clone();
        sql.text(" set ").ident(&name).text(" = ").ident(&name);
        at(&mut sql, place);
        sql.text(" returning 1");
        sql
    }

    /// Sets a column of one row.
    pub(crate) fn set(&self, place: &str, column: &str, value: impl Into<Param>) -> Sql {
        let mut sql = Sql::new("update ");
        self.table(&mut sql);
        sql.text(" set ").ident(column).text(" = ").bind(value);
        at(&mut sql, place);
        sql.text(" returning 1");
        sql
    }

    /// Deletes one row.
    pub(crate) fn delete(&self, place: &str) -> Sql {
        let mut sql = Sql::new("delete from ");
        self.table(&mut sql);
        at(&mut sql, place);
        sql.text(" returning 1");
        sql
    }

    /// Adds a row, given as JSON; with the columns that the role may write, or all if it may write none.
    pub(crate) fn insert(&self, row: &str, role: &str) -> Sql {
        self.insert_with(row, role, false)
    }

    /// Adds a row or takes over the one with its key.
    pub(crate) fn upsert(&self, row: &str, role: &str) -> Sql {
        self.insert_with(row, role, true)
    }

    fn insert_with(&self, row: &str, role: &str, merge: bool) -> Sql {
        let mut columns: Vec<&str> = self
            .columns
            .iter()
            .filter(|column| column.inserted_by.iter().any(|by| by == role))
            .map(|column| column.name.as_str())
            .collect();
        if columns.is_empty() {
            columns = self.columns.iter().map(|column| column.name.as_str()).collect();
        }
        let mut sql = Sql::new("with attempt as (insert into ");
        self.table(&mut sql);
        sql.text(" (");
        list(&mut sql, &columns);
        sql.text(") overriding system value select ");
        list(&mut sql, &columns);
        sql.text(" from jsonb_populate_record(null::");
        self.table(&mut sql);
        sql.text(", ").bind(row).text("::jsonb)");
        if merge {
            let written = columns.iter().find(|column| !self.key.iter().any(|key| key == **column)).copied().unwrap_or("id").to_owned();
            sql.text(" on conflict (");
            list(&mut sql, &self.key.iter().map(String::as_str).collect::<Vec<_>>());
            sql.text(") do update set ").ident(&written).text(" = excluded.").ident(&written);
        }
        // Nothing of the row is asked for: who may write and not read passes, too.
        sql.text(" returning 1) select 1 from attempt");
        sql
    }

    /// Empties the table.
    pub(crate) fn truncate(&self) -> Sql {
        let mut sql = Sql::new("truncate ");
        self.table(&mut sql);
        sql.text(" cascade");
        sql
    }
}

fn at(sql: &mut Sql, place: &str) {
    sql.text(" where ctid = ").bind(place).text("::tid");
}

fn list(sql: &mut Sql, names: &[&str]) {
    let mut separator = "";
    for name in names {
        sql.text(separator).ident(name);
        separator = ", ";
    }
}
