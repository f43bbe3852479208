//! How rows become the body: made by PostgreSQL, sent on as it comes.
//!
//! Invariant: the body is one text column; nothing of it is parsed again on its way.

use postgres::Sql;

use crate::plan::ResultKind;
use crate::request::MediaType;

/// The form of the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
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
    /// The values of a function.
    Values,
}

/// The column that holds a function's value.
pub(super) const VALUE: &str = "thorbis_value";

impl Form {
    pub(super) fn of_rows(media: MediaType, head: bool) -> Self {
        match media {
            _ if head => Self::Nothing,
            MediaType::Object => Self::Object,
            MediaType::ObjectStripped => Self::ObjectStripped,
            MediaType::JsonStripped => Self::ArrayStripped,
            MediaType::Csv => Self::Csv,
            // The others are refused before there is a plan.
            MediaType::Json | MediaType::GeoJson | MediaType::Bytes | MediaType::Text | MediaType::Xml => Self::Array,
        }
    }

    pub(super) fn of_result(result: ResultKind, media: MediaType, head: bool) -> Self {
        match result {
            ResultKind::Nothing => Self::Nothing,
            _ if head => Self::Nothing,
            ResultKind::Value => Self::Value,
            ResultKind::Values => Self::Values,
            ResultKind::Row if media == MediaType::JsonStripped => Self::ObjectStripped,
            ResultKind::Row if media == MediaType::Json => Self::Object,
            ResultKind::Row | ResultKind::Rows => Self::of_rows(media, false),
        }
    }

    /// Writes the expression over the rows of `thorbis_row`.
    pub(super) fn write(self, sql: &mut Sql) {
        match self {
            Self::Nothing => sql.text("null::text"),
            Self::Array => sql.text("coalesce(json_agg(thorbis_row), '[]')::text"),
            Self::ArrayStripped => sql.text("coalesce(json_strip_nulls(json_agg(thorbis_row)), '[]')::text"),
            Self::Object => sql.text("coalesce((json_agg(thorbis_row) -> 0)::text, 'null')"),
            Self::ObjectStripped => sql.text("coalesce((json_strip_nulls(json_agg(thorbis_row)) -> 0)::text, 'null')"),
            Self::Csv => sql.text(CSV),
            Self::Value => sql.text("coalesce((json_agg(thorbis_row.").text(VALUE).text(") -> 0)::text, 'null')"),
            Self::Values => sql.text("coalesce(json_agg(thorbis_row.").text(VALUE).text("), '[]')::text"),
        };
    }
}

/// The names of the first row's columns, then each row as PostgreSQL writes it, without the brackets.
const CSV: &str = "coalesce((select string_agg(n.name, ',' order by n.position)
                     from (select row_to_json(thorbis_first) as r from thorbis_source thorbis_first limit 1) s,
                          json_object_keys(s.r) with ordinality as n (name, position)), '') || E'\\n'
       || coalesce(string_agg(substring(thorbis_row::text, 2, length(thorbis_row::text) - 2), E'\\n'), '')";
