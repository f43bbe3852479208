//! How rows become the body: made by PostgreSQL, sent on as it comes.
//!
//! Invariant: the body is one text column, or one a row where rows come one by one; nothing of it is parsed again on its way.

use postgres::Sql;
use postgres::catalog::{ReturnKind, TypeShape};

use super::SOURCE;
use crate::plan::{Plan, ResultKind};
use crate::request::{ApiRequest, Custom, Made, MediaType};

/// The form of the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form<'a> {
    /// No body.
    Nothing,
    /// An array of objects.
    Array,
    /// An array of objects without their nulls.
    ArrayStripped,
    /// The first row's object.
    Object,
    /// The first row's object without its nulls.
    ObjectStripped,
    /// Lines of values.
    Csv,
    /// The one value of a function.
    Value,
    /// The same without what is null.
    ValueStripped,
    /// The values of a function.
    Values,
    /// The same without what is null.
    ValuesStripped,
    /// The values of a function, a line each.
    CsvOfValues,
    /// What the database makes of the rows.
    Custom(&'a Custom),
    /// What the database makes of a function's values.
    CustomOfValues(&'a Custom),
}

/// The form of a body whose elements come one by one: the same bytes as of the whole one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Elements {
    /// Objects of an array.
    Objects,
    /// Objects of an array without their nulls.
    ObjectsStripped,
    /// Lines behind one that names their columns.
    Csv,
    /// A function's values; whether they are arrays or rows themselves.
    Values(IsStructured),
    /// A function's values, a line each.
    CsvOfValues,
}

/// Whether values are arrays or rows: those begin on lines of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct IsStructured(pub(crate) bool);

/// The column that holds a function's value.
pub(super) const VALUE: &str = "thorbis_value";

impl<'a> Form<'a> {
    pub(super) fn of_rows(request: &'a ApiRequest, head: bool) -> Self {
        match request.media {
            _ if head => Self::Nothing,
            _ if let Some(custom) = &request.custom => Self::Custom(custom),
            MediaType::Object => Self::Object,
            MediaType::ObjectStripped => Self::ObjectStripped,
            MediaType::JsonStripped => Self::ArrayStripped,
            MediaType::Csv => Self::Csv,
            // The others are made by the database.
            MediaType::Json | MediaType::GeoJson | MediaType::Custom => Self::Array,
        }
    }

    pub(super) fn of_result(result: ResultKind, request: &'a ApiRequest) -> Self {
        let media = request.media;
        let is_stripped = matches!(media, MediaType::JsonStripped | MediaType::ObjectStripped);
        match (result, &request.custom) {
            (ResultKind::Nothing, _) => return Self::Nothing,
            _ if request.head => return Self::Nothing,
            (ResultKind::Value | ResultKind::Values, Some(custom)) => return Self::CustomOfValues(custom),
            _ => {}
        }
        match result {
            ResultKind::Value | ResultKind::Values if media == MediaType::Csv => Self::CsvOfValues,
            ResultKind::Value if is_stripped => Self::ValueStripped,
            ResultKind::Value => Self::Value,
            // There is only one: more or fewer are refused.
            ResultKind::Values if media == MediaType::ObjectStripped => Self::ValueStripped,
            ResultKind::Values if media == MediaType::Object => Self::Value,
            ResultKind::Values if is_stripped => Self::ValuesStripped,
            ResultKind::Values => Self::Values,
            ResultKind::Row if media == MediaType::JsonStripped => Self::ObjectStripped,
            ResultKind::Row if media == MediaType::Json => Self::Object,
            ResultKind::Nothing | ResultKind::Row | ResultKind::Rows => Self::of_rows(request, false),
        }
    }

    /// Writes the expression over the rows of `thorbis_row`, which are all of `source`.
    pub(super) fn write(self, sql: &mut Sql, source: &'static str) {
        match self {
            Self::Nothing => sql.text("null::text"),
            Self::Array => sql.text("coalesce(json_agg(thorbis_row), '[]')::text"),
            Self::ArrayStripped => sql.text("coalesce(json_strip_nulls(json_agg(thorbis_row)), '[]')::text"),
            Self::Object => sql.text("coalesce((json_agg(thorbis_row) -> 0)::text, 'null')"),
            Self::ObjectStripped => sql.text("coalesce((json_strip_nulls(json_agg(thorbis_row)) -> 0)::text, 'null')"),
            Self::Csv => names(sql, source).text(" || E'\\n' || coalesce(string_agg(").text(LINE).text(", E'\\n'), '')"),
            Self::Value => sql.text("coalesce((json_agg(thorbis_row.").text(VALUE).text(") -> 0)::text, 'null')"),
            Self::ValueStripped => sql.text("coalesce((json_strip_nulls(json_agg(thorbis_row.").text(VALUE).text(")) -> 0)::text, 'null')"),
            Self::Values => sql.text("coalesce(json_agg(thorbis_row.").text(VALUE).text("), '[]')::text"),
            Self::ValuesStripped => sql.text("coalesce(json_strip_nulls(json_agg(thorbis_row.").text(VALUE).text(")), '[]')::text"),
            Self::CsvOfValues => sql.text("'pgrst_scalar' || E'\\n' || coalesce(string_agg(").text(LINE).text(", E'\\n'), '')"),
            Self::Custom(custom) => made(sql, custom, false),
            Self::CustomOfValues(custom) => made(sql, custom, true),
        };
    }
}

impl Elements {
    /// Returns how the elements of a plan's rows come; none where there is one body and no elements.
    pub(crate) fn of(plan: &Plan<'_>, request: &ApiRequest) -> Option<Self> {
        if request.head || request.custom.is_some() {
            return None;
        }
        let result = match plan {
            Plan::Read(_) => ResultKind::Rows,
            Plan::Call(plan) => plan.result,
            Plan::Write(_) => return None,
        };
        Some(match (result, request.media) {
            (ResultKind::Rows, MediaType::Json) => Self::Objects,
            (ResultKind::Rows, MediaType::JsonStripped) => Self::ObjectsStripped,
            (ResultKind::Rows, MediaType::Csv) => Self::Csv,
            (ResultKind::Values, MediaType::Csv) => Self::CsvOfValues,
            (ResultKind::Values, MediaType::Json) => Self::Values(IsStructured(is_structured(plan))),
            _ => return None,
        })
    }

    /// Writes what stands before the elements and has to be asked for.
    pub(super) fn write_head(self, sql: &mut Sql) {
        if self == Self::Csv {
            names(sql, SOURCE);
        } else {
            sql.text("null::text");
        }
    }

    /// Writes the expression over one row, `thorbis_row`.
    pub(super) fn write(self, sql: &mut Sql) {
        match self {
            Self::Objects => sql.text("row_to_json(thorbis_row)::text"),
            Self::ObjectsStripped => sql.text("json_strip_nulls(row_to_json(thorbis_row))::text"),
            Self::Csv | Self::CsvOfValues => sql.text(LINE),
            Self::Values(_) => sql.text("to_json(thorbis_row.").text(VALUE).text(")::text"),
        };
    }
}

fn is_structured(plan: &Plan<'_>) -> bool {
    let Plan::Call(plan) = plan else { return false };
    let returns = &plan.function.returns;
    returns.kind == ReturnKind::Record || matches!(returns.data_type.shape, TypeShape::Array | TypeShape::Composite)
}

/// Writes what the database makes of the rows, or of a function's values. Bytes are written as letters, to be read again at the end.
fn made<'s>(sql: &'s mut Sql, custom: &Custom, of_values: bool) -> &'s mut Sql {
    sql.text(if custom.is_binary { "encode((" } else { "(" });
    let row = |sql: &mut Sql| {
        sql.text("thorbis_row");
        if of_values {
            sql.text(".").text(VALUE);
        }
    };
    match &custom.made {
        Made::Value => {
            sql.text("(array_agg(");
            row(sql);
            sql.text("))[1]");
        }
        Made::Aggregate { schema, name, target } => {
            sql.qualified(schema, name).text("(");
            row(sql);
            if let Some((schema, name)) = target.as_ref().filter(|_| !of_values) {
                sql.text("::").qualified(schema, name);
            }
            sql.text(")");
        }
        Made::GeoJson(schema) => {
            sql.text("json_build_object('type', 'FeatureCollection', 'features', coalesce(json_agg(").qualified(schema, "st_asgeojson");
            sql.text("(");
            row(sql);
            sql.text(")::json), '[]'))");
        }
    }
    sql.text(if custom.is_binary { ")::bytea, 'hex')" } else { ")::text" })
}

/// Writes the names of the first row's columns.
fn names<'s>(sql: &'s mut Sql, source: &'static str) -> &'s mut Sql {
    sql.text("coalesce((select string_agg(n.name, ',' order by n.position)\n                     from (select row_to_json(thorbis_first) as r from ");
    sql.text(source)
        .text(" thorbis_first limit 1) s,\n                          json_object_keys(s.r) with ordinality as n (name, position)), '')")
}

/// A row as PostgreSQL writes it, without the brackets.
const LINE: &str = "right(left(thorbis_row::text, -1), -1)";
