//! Columns, paths into them, and their types.
//!
//! Invariant: a column is always written with its relation, so that a name never means something else; a type is a quoted name.

use postgres::Sql;
use postgres::catalog::{Column, Relation};

use crate::plan::Embed;
use crate::request::{Field, PathOperand};

/// Where fields are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The schema of a relation; none for what has only a name in the statement.
    pub(super) schema: Option<&'a str>,
    /// The name.
    pub(super) name: &'a str,
    /// The columns, where they are known.
    pub(super) columns: &'a [Column],
    /// Whether "everything" is written column by column: the source has columns of ours besides.
    pub(super) spelled_out: bool,
    /// The relation whose rows they are, where they come out of another part of the statement and have lost their type.
    pub(super) row_of: Option<&'a Relation>,
    /// What is embedded in its rows.
    pub(super) embeds: &'a [Embed<'a>],
}

impl<'a> Place<'a> {
    /// The relation itself.
    pub(super) fn of(relation: &'a Relation, embeds: &'a [Embed<'a>]) -> Self {
        let (schema, columns) = (Some(relation.schema.as_str()), relation.columns.as_slice());
        Self { schema, name: &relation.name, columns, spelled_out: false, row_of: None, embeds }
    }

    /// Rows that have only a name in the statement.
    pub(super) fn named(name: &'a str, columns: &'a [Column], embeds: &'a [Embed<'a>]) -> Self {
        Self { schema: None, name, columns, spelled_out: false, row_of: None, embeds }
    }
}

impl Place<'_> {
    /// Writes the place.
    pub(super) fn write(&self, sql: &mut Sql) {
        match self.schema {
            Some(schema) => sql.qualified(schema, self.name),
            None => sql.ident(self.name),
        };
    }

    /// Writes a column of it as it is kept: for walls, keys, and what is written.
    pub(super) fn column(&self, sql: &mut Sql, name: &str) {
        self.write(sql);
        sql.text(".").ident(name);
    }

    /// Writes a column of it as the caller may see it: what he may not read whole he neither reads, nor finds, nor sorts by otherwise than
    /// it is shown. Nothing is left of what is no text.
    pub(super) fn seen(&self, sql: &mut Sql, name: &str) {
        let known = self.known(name);
        let Some((column, mask)) = known.and_then(|column| Some((column, column.mask?))) else { return self.column(sql, name) };
        sql.text("case when (select app.sees_whole()) then ");
        self.column(sql, name);
        let of = &column.data_type;
        if of.schema == "pg_catalog" && matches!(of.name.as_str(), "text" | "varchar" | "bpchar") {
            sql.text(" else app.mask('").text(mask.kind()).text("', ");
            self.column(sql, name);
            sql.text(")");
        }
        sql.text(" end");
    }

    /// Writes all columns of it.
    pub(super) fn everything(&self, sql: &mut Sql) {
        if !self.spelled_out && !self.columns.iter().any(Self::is_shown_as_another) {
            self.write(sql);
            sql.text(".*");
            return;
        }
        let mut separator = "";
        for column in self.columns {
            sql.text(separator);
            separator = ", ";
            self.shown(sql, &column.name);
            if Self::is_shown_as_another(column) {
                sql.text(" as ").ident(&column.name);
            }
        }
    }

    /// Writes a column of it as it is shown: by its domain's own cast, where there is one.
    fn shown(&self, sql: &mut Sql, name: &str) {
        called(sql, self.known(name).and_then(|column| column.to_json.as_ref()), |sql| self.seen(sql, name));
    }

    /// Returns the function that makes values of a field of text, where its domain has a cast of its own.
    pub(super) fn reader(&self, field: &Field) -> Option<&(String, String)> {
        self.known(&field.name).filter(|_| field.path.is_empty())?.from_text.as_ref()
    }

    /// Tells whether a field is shown otherwise than it is kept.
    pub(super) fn is_shown_otherwise(&self, field: &Field) -> bool {
        field.path.is_empty() && self.known(&field.name).is_some_and(Self::is_shown_as_another)
    }

    fn is_shown_as_another(column: &Column) -> bool {
        column.to_json.is_some() || column.mask.is_some()
    }

    fn known(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Writes a row of it as a value.
    pub(super) fn row(&self, sql: &mut Sql) {
        let Some(relation) = self.row_of else {
            self.write(sql);
            sql.text(".*");
            return;
        };
        sql.text("row(");
        let mut separator = "";
        for column in &relation.columns {
            sql.text(separator);
            self.column(sql, &column.name);
            separator = ", ";
        }
        sql.text(")::").qualified(&relation.schema, &relation.name);
    }

    /// Writes a field of it.
    pub(super) fn field(&self, sql: &mut Sql, field: &Field) {
        if field.path.is_empty() {
            self.seen(sql, &field.name);
            return;
        }
        if self.is_json(&field.name) {
            self.seen(sql, &field.name);
        } else {
            sql.text("to_jsonb(");
            self.seen(sql, &field.name);
            sql.text(")");
        }
        for step in &field.path {
            sql.text(if step.as_text { " ->> " } else { " -> " });
            match &step.operand {
                PathOperand::Key(key) => sql.bind(key.as_str()).text("::text"),
                PathOperand::Index(index) => sql.bind(*index).text("::int"),
            };
        }
    }

    /// Returns the name of a column's type below its domains.
    pub(super) fn base_type(&self, name: &str) -> Option<&str> {
        self.known(name).map(|column| column.data_type.base.as_str())
    }

    fn is_json(&self, name: &str) -> bool {
        matches!(self.base_type(name), Some("json" | "jsonb"))
    }
}

/// Writes a field as it is shown, and as another type where one is named.
pub(super) fn shown(sql: &mut Sql, place: &Place<'_>, field: &Field, to: Option<&str>) {
    as_type(sql, to, |sql| if field.path.is_empty() { place.shown(sql, &field.name) } else { place.field(sql, field) });
}

/// Writes an expression, given to a function where there is one.
pub(super) fn called(sql: &mut Sql, function: Option<&(String, String)>, write: impl FnOnce(&mut Sql)) {
    let Some((schema, name)) = function else { return write(sql) };
    sql.qualified(schema, name).text("(");
    write(sql);
    sql.text(")");
}

/// Writes a field, as another type where one is named.
pub(super) fn cast(sql: &mut Sql, place: &Place<'_>, field: &Field, to: Option<&str>) {
    as_type(sql, to, |sql| place.field(sql, field));
}

/// Writes an expression, as another type where one is named.
pub(super) fn as_type(sql: &mut Sql, to: Option<&str>, write: impl FnOnce(&mut Sql)) {
    let Some(name) = to else { return write(sql) };
    sql.text("cast(");
    write(sql);
    sql.text(" as ");
    type_name(sql, name);
    sql.text(")");
}

/// Returns the name that a path has in the answer: its last key.
pub(super) fn last_key(field: &Field) -> Option<&str> {
    let keys = field.path.iter().rev().find_map(|step| match &step.operand {
        PathOperand::Key(key) => Some(key.as_str()),
        PathOperand::Index(_) => None,
    });
    keys.or_else(|| (!field.path.is_empty()).then_some(field.name.as_str()))
}

/// Writes the name of a type that a client wrote: the words of the language for themselves, any other as a quoted name.
fn type_name(sql: &mut Sql, name: &str) {
    // As SQL reads a name without quotes.
    let name = name.to_lowercase();
    let (element, is_array) = name.trim().strip_suffix("[]").map_or((name.trim(), false), |element| (element.trim(), true));
    match TYPE_WORDS.iter().find(|word| **word == element) {
        Some(word) => sql.text(word),
        None => match element.split_once('.') {
            Some((schema, name)) => sql.qualified(schema, name),
            None => sql.ident(element),
        },
    };
    if is_array {
        sql.text("[]");
    }
}

/// Names of types that are words of SQL and no names in the catalog.
const TYPE_WORDS: &[&str] = &[
    "bigint",
    "bit varying",
    "boolean",
    "char",
    "character",
    "character varying",
    "dec",
    "decimal",
    "double precision",
    "float",
    "int",
    "integer",
    "numeric",
    "real",
    "smallint",
    "time with time zone",
    "time without time zone",
    "timestamp with time zone",
    "timestamp without time zone",
];
