//! What a request says, as values: select, filters, logic trees, orders, ranges, body and preferences.
//!
//! Invariant: nothing here is checked against the database yet, and nothing here is SQL: names are as the client wrote them, decoded;
//! values are text.

use bytes::Bytes;

use super::forms::{Accept, Custom, Explain, MediaType};
use super::preferences::Preferences;

/// A whole request, understood but not yet planned.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ApiRequest {
    /// The schema that the profile header chose, or the first.
    pub(crate) schema: String,
    /// Whether the answer says which one that is: the header named it, or there are several.
    pub(crate) tells_schema: bool,
    /// What it is about.
    pub(crate) target: Target,
    /// What it wants.
    pub(crate) action: Action,
    /// The query string.
    pub(crate) query: Query,
    /// The body, where the action has one.
    pub(crate) body: Option<Payload>,
    /// The preferences.
    pub(crate) preferences: Preferences,
    /// The forms that the client takes, the best liked first.
    pub(crate) accepts: Vec<Accept>,
    /// The form of the answer; the usual one until it is chosen.
    pub(crate) media: MediaType,
    /// How the database makes the form, where it is one of its own.
    pub(crate) custom: Option<Custom>,
    /// How the plan is told, where the plan is wanted and not the answer.
    pub(crate) explain: Option<Explain>,
    /// Whether only the head of the answer is wanted.
    pub(crate) head: bool,
    /// The query string of a read with its pairs in order: the same for requests that mean the same.
    pub(crate) canonical: Option<String>,
    /// Where pages are cut, where they are asked for one after the other by a cursor; made when the tables are known.
    pub(crate) paging: Option<Paging>,
}

/// Pages by a cursor: what comes first is said to the last row, and a page begins behind a row.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Paging {
    /// What comes first; no two rows are the same in all of it.
    pub(crate) terms: Vec<OrderTerm>,
    /// What must hold of the rows behind the one that the cursor names.
    pub(crate) after: Option<Condition>,
    /// What cursors of the same relation and order begin with.
    pub(crate) mark: String,
}

/// What a request is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// A table or view.
    Relation(String),
    /// A function.
    Function(String),
}

/// What a request wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// GET and HEAD of a relation.
    Read,
    /// POST to a relation; an upsert where the preferences have a resolution.
    Insert,
    /// PATCH.
    Update,
    /// PUT: one row by its key.
    Put,
    /// DELETE.
    Delete,
    /// POST to a function.
    Call,
    /// GET and HEAD of a function: arguments are in the query string, and the transaction is read only.
    CallRead,
}

/// The query string.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Query {
    /// `select`; empty means everything.
    pub(crate) select: Vec<SelectItem>,
    /// Filters and logic trees, in the order of the query string; all must hold. The path names the embed they belong to.
    pub(crate) conditions: Vec<(EmbedPath, Condition)>,
    /// `order`, by embed.
    pub(crate) orders: Vec<(EmbedPath, Vec<OrderTerm>)>,
    /// `limit` and `offset` (and the Range header for the empty path), by embed.
    pub(crate) ranges: Vec<(EmbedPath, Range)>,
    /// `columns`: what of the body's keys is written.
    pub(crate) columns: Option<Vec<String>>,
    /// `on_conflict`.
    pub(crate) on_conflict: Option<Vec<String>>,
    /// The pairs that are no reserved names, as they came: a function's arguments where the action is [`Action::CallRead`].
    pub(crate) arguments: Vec<(String, String)>,
}

impl Query {
    /// Returns what is said of the order of the rows themselves.
    pub(crate) fn own_order(&self) -> &[OrderTerm] {
        self.orders.iter().find(|(path, _)| path.is_empty()).map_or(&[], |(_, terms)| terms)
    }

    /// Returns which part of the rows themselves is wanted.
    pub(crate) fn own_range(&self) -> Range {
        self.ranges.iter().rev().find(|(path, _)| path.is_empty()).map(|(_, range)| *range).unwrap_or_default()
    }
}

/// The names from the top level down to an embed; empty for the top level.
pub(crate) type EmbedPath = Vec<String>;

/// One item of `select`.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum SelectItem {
    /// `*`.
    Star,
    /// A column, a path into one, or an aggregate over it.
    Field {
        /// What is selected. None for the bare `count()`.
        field: Option<Field>,
        /// The aggregate over it.
        aggregate: Option<Aggregate>,
        /// `::type` before the aggregate, or after the field where there is none.
        cast: Option<String>,
        /// `::type` after the aggregate.
        aggregate_cast: Option<String>,
        /// The name in the answer.
        alias: Option<String>,
    },
    /// A related table.
    Embed(Embed),
}

impl SelectItem {
    /// Returns the related table, if it is one.
    pub(crate) fn embed(&self) -> Option<&Embed> {
        match self {
            Self::Embed(embed) => Some(embed),
            Self::Star | Self::Field { .. } => None,
        }
    }
}

/// A related table in `select`.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Embed {
    /// The table, the key or the function that was named.
    pub(crate) name: String,
    /// The name in the answer.
    pub(crate) alias: Option<String>,
    /// What tells several ways apart.
    pub(crate) hint: Option<String>,
    /// `!inner` or `!left`.
    pub(crate) join: Option<JoinKind>,
    /// Whether its columns become columns of the row around it.
    pub(crate) spread: bool,
    /// What is selected of it.
    pub(crate) select: Vec<SelectItem>,
}

/// How an embed joins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum JoinKind {
    /// Rows without a match stay away.
    Inner,
    /// Rows without a match stay.
    Left,
}

/// An aggregate function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Aggregate {
    /// `avg()`.
    Avg,
    /// `count()`.
    Count,
    /// `max()`.
    Max,
    /// `min()`.
    Min,
    /// `sum()`.
    Sum,
}

/// A column, or a path into its JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Field {
    /// The column.
    pub(crate) name: String,
    /// The steps into it.
    pub(crate) path: Vec<PathStep>,
}

/// One step into JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PathStep {
    /// Whether it gives text (`->>`) and not JSON (`->`).
    pub(crate) as_text: bool,
    /// What is reached.
    pub(crate) operand: PathOperand,
}

/// What a step reaches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum PathOperand {
    /// The value of an object's key.
    Key(String),
    /// The element of an array, or an object's key that looks like a number.
    Index(i64),
}

/// A condition on rows.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Condition {
    /// Several at once.
    Logic {
        /// Whether the opposite is wanted.
        negated: bool,
        /// How they are joined.
        operator: LogicOperator,
        /// The parts.
        children: Vec<Condition>,
    },
    /// One.
    Filter(Filter),
}

/// How conditions are joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogicOperator {
    /// All must hold.
    And,
    /// One must hold.
    Or,
}

/// A condition on one field.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Filter {
    /// What is looked at.
    pub(crate) field: Field,
    /// Whether the opposite is wanted.
    pub(crate) negated: bool,
    /// What must hold.
    pub(crate) operation: Operation,
}

impl Filter {
    /// Tells whether it is what may be asked of an embed: whether there is any.
    pub(crate) fn may_ask_for_presence(&self) -> bool {
        self.field.path.is_empty() && matches!(self.operation, Operation::Is(IsValue::Null | IsValue::NotNull))
    }
}

/// What must hold of a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    /// `op.value`; `*` in `like` and `ilike` is already `%`.
    Compare(Operator, String),
    /// `op(any).{a,b}` and `op(all).{a,b}`: the value is an array literal.
    Quantified(Operator, Quantifier, String),
    /// `in.(a,b)`.
    In(Vec<String>),
    /// `is.null` and its kin.
    Is(IsValue),
    /// `isdistinct.value`.
    IsDistinct(String),
    /// `fts(config).query`.
    FullText(FullText, Option<String>, String),
}

/// An operator between a field and a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operator {
    /// `eq`: `=`.
    Eq,
    /// `neq`: `<>`.
    Neq,
    /// `gt`: `>`.
    Gt,
    /// `gte`: `>=`.
    Gte,
    /// `lt`: `<`.
    Lt,
    /// `lte`: `<=`.
    Lte,
    /// `like`.
    Like,
    /// `ilike`.
    Ilike,
    /// `match`: `~`.
    Match,
    /// `imatch`: `~*`.
    Imatch,
    /// `cs`: `@>`.
    Contains,
    /// `cd`: `<@`.
    ContainedIn,
    /// `ov`: `&&`.
    Overlaps,
    /// `sl`: `<<`.
    StrictlyLeft,
    /// `sr`: `>>`.
    StrictlyRight,
    /// `nxr`: `&<`.
    NotRight,
    /// `nxl`: `&>`.
    NotLeft,
    /// `adj`: `-|-`.
    Adjacent,
}

/// Whether one or every element must fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Quantifier {
    /// `(any)`.
    Any,
    /// `(all)`.
    All,
}

/// What `is` compares with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum IsValue {
    /// `null`.
    Null,
    /// `not_null`.
    NotNull,
    /// `true`.
    True,
    /// `false`.
    False,
    /// `unknown`.
    Unknown,
}

/// How a text search query is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FullText {
    /// `fts`: `to_tsquery`.
    Query,
    /// `plfts`: `plainto_tsquery`.
    Plain,
    /// `phfts`: `phraseto_tsquery`.
    Phrase,
    /// `wfts`: `websearch_to_tsquery`.
    WebSearch,
}

/// One term of `order`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OrderTerm {
    /// The to-one embed whose field it is: `child(field)`.
    pub(crate) embed: Option<String>,
    /// The field.
    pub(crate) field: Field,
    /// The direction, where it was said.
    pub(crate) direction: Option<Direction>,
    /// Where nulls go, where it was said.
    pub(crate) nulls: Option<NullsPosition>,
}

/// Which end comes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// `asc`.
    Ascending,
    /// `desc`.
    Descending,
}

/// Where nulls go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NullsPosition {
    /// `nullsfirst`.
    First,
    /// `nullslast`.
    Last,
}

/// A part of the rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Range {
    /// How many at most.
    pub(crate) limit: Option<i64>,
    /// How many are left out before. Never negative.
    pub(crate) offset: i64,
}

/// A body that was understood.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Payload {
    /// JSON of an object or of an array of objects.
    Json {
        /// The text as it came. What is not text in a column keeps its spelling.
        text: Bytes,
        /// The keys of the first object. All objects have the same, unless `columns` was given.
        keys: Vec<String>,
        /// Whether it is an array.
        is_array: bool,
        /// How many objects there are.
        objects: usize,
    },
    /// Other JSON, or another type: only for a function with one unnamed argument.
    Raw {
        /// The bytes as they came.
        bytes: Bytes,
        /// What they are.
        media: RawMedia,
    },
}

/// What the bytes of a raw body are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RawMedia {
    /// JSON.
    Json,
    /// text/plain.
    Text,
    /// text/xml.
    Xml,
    /// application/octet-stream.
    Bytes,
}
