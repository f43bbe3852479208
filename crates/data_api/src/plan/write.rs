//! What is written where, and what must be true before it is kept.
//!
//! Invariant: a user's write into a company's table needs an active company; a service's write over rows of several companies is
//! refused unless it names the companies or works in one.

use kernel::{Error, Kind, Result};
use postgres::catalog::{Column, Relation, RelationKind};

use super::embed::{self, Embed};
use super::{Caller, Deleted, Surroundings, Walls, misspelt, read};
use crate::request::{
    Action, ApiRequest, Condition, Field, Filter, MediaType, Missing, Operation, Operator, OrderTerm, Payload, Representation, Resolution,
    SelectItem,
};

/// A write into a relation.
#[derive(Debug)]
pub(crate) struct WritePlan<'a> {
    /// The relation.
    pub(crate) relation: &'a Relation,
    /// What keeps rows apart.
    pub(crate) walls: Walls<'a>,
    /// What is done.
    pub(crate) kind: WriteKind<'a>,
    /// What is shown of the rows that were written, where they are shown.
    pub(crate) returning: Option<&'a [SelectItem]>,
    /// What is embedded in them.
    pub(crate) embeds: Vec<Embed<'a>>,
    /// In which order.
    pub(crate) order: &'a [OrderTerm],
    /// Columns of the key that a client knows, where the place of a new row is wanted.
    pub(crate) location: Vec<&'a str>,
    /// Whether a user must have an active company.
    pub(crate) needs_company: bool,
    /// What must be true before it is kept.
    pub(crate) checks: Checks<'a>,
}

/// What is done.
#[derive(Debug)]
pub(crate) enum WriteKind<'a> {
    /// Rows are added, or merged.
    Insert {
        /// What is written.
        columns: Vec<&'a Column>,
        /// The rows.
        rows: JsonRows<'a>,
        /// What happens to a row whose key is there already.
        conflict: Option<Conflict<'a>>,
        /// What the new row's columns must equal: the filters of PUT.
        equals: Vec<(&'a str, &'a str)>,
    },
    /// Rows are changed.
    Update {
        /// What is written.
        columns: Vec<&'a Column>,
        /// The values.
        rows: JsonRows<'a>,
        /// Which rows.
        conditions: Vec<&'a Condition>,
        /// The key by which each of several objects finds its row; empty where one object is for all rows.
        key: Vec<&'a str>,
    },
    /// Rows are deleted, or marked as deleted where the table keeps them for a while.
    Delete {
        /// Which rows.
        conditions: Vec<&'a Condition>,
        /// How they are marked.
        mark: Option<Mark<'a>>,
    },
    /// There is nothing to do: a change of no column.
    Nothing,
    /// There is nothing left to do: the row was added when the same was sent before.
    Repeated {
        /// Which row.
        conditions: Vec<Condition>,
    },
}

/// How rows are marked as deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mark<'a> {
    /// For the service, which may.
    Any,
    /// For members who may delete this noun, in any scope; whose row it has to be is asked by the table's own guard.
    ByDeletersOf(&'a str),
}

/// Rows in JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonRows<'a> {
    /// The text, an object or an array of objects.
    pub(crate) text: &'a str,
    /// Whether it is an array.
    pub(crate) is_array: bool,
    /// How many objects there are.
    pub(crate) count: usize,
    /// Whether a column that an object leaves out gets its default, and not null.
    pub(crate) defaults: bool,
}

/// What happens to a row whose key is there already.
#[derive(Debug)]
pub(crate) struct Conflict<'a> {
    /// The key.
    pub(crate) columns: Vec<&'a str>,
    /// What happens.
    pub(crate) resolution: Resolution,
}

/// What must be true of a write before it is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Checks<'a> {
    /// Exactly one row.
    pub(crate) one_row: bool,
    /// At most so many rows.
    pub(crate) rows_max: Option<i64>,
    /// All rows of one company, and of the active one if there is one: the column that says of which.
    pub(crate) one_company: Option<&'a str>,
    /// At least so many rows: a merge that met a row marked as deleted wrote fewer.
    pub(crate) merged: Option<usize>,
    /// The body's key is that of the address: the statement counts the rows of which that is true.
    pub(crate) same_key: bool,
    /// Each object is for another row: the statement counts those that are not.
    pub(crate) each_own: bool,
}

impl Checks<'_> {
    /// Tells whether there is anything to look at before the commit.
    pub(crate) fn any(self) -> bool {
        self != Self::default()
    }
}

pub(super) fn plan<'a>(request: &'a ApiRequest, relation: &'a Relation, surroundings: Surroundings<'a>) -> Result<WritePlan<'a>> {
    let query = &request.query;
    let caller = surroundings.caller;
    let walls = Walls::of(relation, caller, request.preferences.deleted);
    let representation = request.preferences.representation;
    let returning = (representation == Some(Representation::Full)).then_some(query.select.as_slice());
    let shown = embed::written(request, relation, surroundings)?;
    let kind = match request.action {
        Action::Update => update(request, relation),
        Action::Delete => Ok(WriteKind::Delete { conditions: read::top_level(query), mark: mark(relation, caller, walls) }),
        Action::Put => put(request, relation),
        Action::Insert | Action::Read | Action::Call | Action::CallRead => insert(request, relation),
    };
    let kind = kind.map_err(|error| if surroundings.suggests_names { suggested(error, request, relation) } else { error })?;
    let location = match (request.action, representation) {
        (Action::Insert, Some(Representation::HeadersOnly)) => known_key(relation),
        _ => Vec::new(),
    };
    if caller == Caller::Service {
        check_move(relation, &kind)?;
    }
    let checks = checks(request, relation, caller, walls, &kind);
    let needs_company = caller == Caller::User && relation.tenant_column().is_some();
    let (embeds, order) = (shown.embeds, shown.order);
    Ok(WritePlan { relation, walls, kind, returning, embeds, order, location, needs_company, checks })
}

fn insert<'a>(request: &'a ApiRequest, relation: &'a Relation) -> Result<WriteKind<'a>> {
    let (columns, rows) = written(request, relation)?;
    let conflict = match request.preferences.resolution {
        None => None,
        Some(resolution) => conflict(request, relation, resolution),
    };
    Ok(WriteKind::Insert { columns, rows, conflict, equals: Vec::new() })
}

fn update<'a>(request: &'a ApiRequest, relation: &'a Relation) -> Result<WriteKind<'a>> {
    let conditions = read::top_level(&request.query);
    let (columns, rows) = written(request, relation)?;
    if columns.is_empty() || (rows.is_array && rows.count == 0) {
        return Ok(WriteKind::Nothing);
    }
    let key = match &request.query.on_conflict {
        Some(named) if rows.is_array => row_key(relation, named, &columns)?,
        _ => Vec::new(),
    };
    let columns: Vec<&Column> = columns.into_iter().filter(|column| !key.contains(&column.name.as_str())).collect();
    if columns.is_empty() {
        return Ok(WriteKind::Nothing);
    }
    Ok(WriteKind::Update { columns, rows, conditions, key })
}

/// Returns the columns by which each object of a change finds its one row: a key of the relation, all of it in the objects.
fn row_key<'a>(relation: &Relation, named: &'a [String], columns: &[&Column]) -> Result<Vec<&'a str>> {
    let key: Vec<&str> = named.iter().map(String::as_str).collect();
    let whole: Vec<&str> = relation.tenant_column().into_iter().filter(|tenant| !key.contains(tenant)).chain(key.iter().copied()).collect();
    let is_primary =
        |key: &[&str]| key.len() == relation.primary_key.len() && key.iter().all(|name| relation.primary_key.iter().any(|of| of == name));
    if !(is_primary(&key) || is_primary(&whole) || relation.is_unique(&key) || relation.is_unique(&whole)) {
        return Err(Error::new(
            Kind::BadRequest,
            "update_key_not_unique",
            format!("{} is no key of '{}'", named.join(", "), relation.name),
        )
        .with_hint("Name in on_conflict the primary key or the columns of a unique key."));
    }
    match key.iter().find(|name| !columns.iter().any(|column| column.name == **name)) {
        None => Ok(key),
        Some(missing) => {
            Err(Error::new(Kind::BadRequest, "update_key_missing", format!("The objects lack '{missing}', which says whose they are")))
        }
    }
}

/// What is not there cannot be marked again: whoever asks for the deleted rows, too, deletes for good.
fn mark<'a>(relation: &'a Relation, caller: Caller, walls: Walls<'_>) -> Option<Mark<'a>> {
    let declaration = relation.declaration.as_ref().filter(|_| walls.deleted == Deleted::Hidden)?;
    Some(match caller {
        Caller::Service | Caller::ServiceInCompany => Mark::Any,
        Caller::User | Caller::Anonymous => Mark::ByDeletersOf(&declaration.noun),
    })
}

/// One row by its key: the filters are that key and nothing else.
fn put<'a>(request: &'a ApiRequest, relation: &'a Relation) -> Result<WriteKind<'a>> {
    let refused = || Error::new(Kind::Status(405), "PGRST105", "Filters must include all and only primary key columns with 'eq' operators");
    if request.query.ranges.iter().any(|(path, _)| path.is_empty()) {
        return Err(Error::new(Kind::BadRequest, "PGRST114", "limit/offset querystring parameters are not allowed for PUT"));
    }
    let mut equals = Vec::new();
    for condition in read::top_level(&request.query) {
        let Condition::Filter(Filter { field, negated: false, operation: Operation::Compare(Operator::Eq, value) }) = condition else {
            return Err(refused());
        };
        if !field.path.is_empty() {
            return Err(refused());
        }
        equals.push((field.name.as_str(), value.as_str()));
    }
    let is_key = |key: &[&str]| key.len() == equals.len() && key.iter().all(|column| equals.iter().any(|(name, _)| name == column));
    let whole: Vec<&str> = relation.primary_key.iter().map(String::as_str).collect();
    if whole.is_empty() || !(is_key(&whole) || is_key(&known_key(relation))) {
        return Err(refused());
    }
    let (columns, rows) = written(request, relation)?;
    let says_key = equals.iter().all(|(name, _)| columns.iter().any(|column| column.name == *name));
    if rows.count != 1 || !says_key {
        return Err(other_key());
    }
    let conflict = Some(Conflict { columns: whole, resolution: Resolution::MergeDuplicates });
    Ok(WriteKind::Insert { columns, rows, conflict, equals })
}

/// Returns the columns that the body writes, and its rows.
fn written<'a>(request: &'a ApiRequest, relation: &'a Relation) -> Result<(Vec<&'a Column>, JsonRows<'a>)> {
    let Some(Payload::Json { text, keys, is_array, objects }) = &request.body else {
        return Err(Error::new(Kind::BadRequest, "PGRST102", "Empty or invalid json"));
    };
    let text =
        std::str::from_utf8(text).map_err(|error| Error::new(Kind::BadRequest, "PGRST102", "Empty or invalid json").with_source(error))?;
    let names = request.query.columns.as_ref().unwrap_or(keys);
    let mut columns: Vec<&Column> = Vec::with_capacity(names.len());
    for name in names {
        let column = relation.column(name).ok_or_else(|| unknown_column(relation, name))?;
        if !columns.iter().any(|known| known.name == column.name) {
            columns.push(column);
        }
    }
    // Without `columns` all objects have the same keys.
    let may_lack = request.query.columns.is_some() && (*objects > 1 || names.iter().any(|name| !keys.contains(name)));
    let defaults = may_lack && request.preferences.missing == Some(Missing::Default);
    Ok((columns, JsonRows { text, is_array: *is_array, count: *objects, defaults }))
}

/// Returns the key that rows are merged by; none where the relation has no key.
fn conflict<'a>(request: &'a ApiRequest, relation: &'a Relation, resolution: Resolution) -> Option<Conflict<'a>> {
    let mut columns: Vec<&str> = match &request.query.on_conflict {
        Some(named) => named.iter().map(String::as_str).collect(),
        None => relation.primary_key.iter().map(String::as_str).collect(),
    };
    if columns.is_empty() {
        return None;
    }
    // The company's column leads every key of a company's table and is implied.
    if let Some(tenant) = relation.tenant_column().filter(|tenant| !columns.contains(tenant)) {
        let mut whole = columns.clone();
        whole.insert(0, tenant);
        if !relation.is_unique(&columns) && relation.is_unique(&whole) {
            columns = whole;
        }
    }
    Some(Conflict { columns, resolution })
}

/// Returns the key's columns as clients know them: without the company's.
fn known_key(relation: &Relation) -> Vec<&str> {
    let implied = relation.implied_key_column();
    relation.primary_key.iter().map(String::as_str).filter(|column| Some(*column) != implied).collect()
}

fn checks<'a>(request: &ApiRequest, relation: &'a Relation, caller: Caller, walls: Walls<'_>, kind: &WriteKind<'_>) -> Checks<'a> {
    // Also where the row is not shown.
    let one_row = matches!(request.media, MediaType::Object | MediaType::ObjectStripped);
    let one_company = match kind {
        // Each object says itself whose row it is for.
        WriteKind::Update { key, .. } if relation.tenant_column().is_some_and(|tenant| key.contains(&tenant)) => None,
        WriteKind::Update { conditions, .. } | WriteKind::Delete { conditions, .. } if caller == Caller::Service => {
            relation.tenant_column().filter(|tenant| !names_column(conditions, tenant))
        }
        // The policies let the service write any company's rows: the wall is for rows as they were, this is for what they become.
        WriteKind::Insert { columns, .. } | WriteKind::Update { columns, .. } if caller == Caller::ServiceInCompany => {
            relation.tenant_column().filter(|tenant| columns.iter().any(|column| column.name == **tenant))
        }
        _ => None,
    };
    let is_merge = |conflict: &Option<Conflict<'_>>| conflict.as_ref().is_some_and(|it| it.resolution == Resolution::MergeDuplicates);
    let merged = match kind {
        WriteKind::Insert { conflict, rows, .. } if is_merge(conflict) && walls.deleted != Deleted::Shown => {
            Some(if rows.is_array { rows.count } else { 1 })
        }
        _ => None,
    };
    // Of what is added the client itself says how much it is.
    let rows_max = request.preferences.rows_max().filter(|_| matches!(request.action, Action::Update | Action::Delete));
    let same_key = request.action == Action::Put;
    let each_own = matches!(kind, WriteKind::Update { key, .. } if !key.is_empty());
    Checks { one_row, rows_max, one_company, merged, same_key, each_own }
}

/// Refuses to give rows to another company without saying whose they are: once changed, they no longer tell.
fn check_move(relation: &Relation, kind: &WriteKind<'_>) -> Result<()> {
    match (kind, relation.tenant_column()) {
        (WriteKind::Update { columns, conditions, .. }, Some(tenant))
            if columns.iter().any(|column| column.name == tenant) && !names_column(conditions, tenant) =>
        {
            Err(several_companies())
        }
        _ => Ok(()),
    }
}

/// Tells whether one of the conditions, which must all hold, fixes the column to values.
fn names_column(conditions: &[&Condition], column: &str) -> bool {
    conditions.iter().any(|condition| match condition {
        Condition::Filter(filter) => {
            let fixes = matches!(filter.operation, Operation::Compare(Operator::Eq, _) | Operation::In(_));
            fixes && !filter.negated && filter.field.path.is_empty() && filter.field.name == column
        }
        Condition::Logic { .. } => false,
    })
}

/// The rows of a write belong, or may belong, to several companies.
pub(crate) fn several_companies() -> Error {
    Error::new(Kind::BadRequest, "several_companies", "The rows belong to several companies")
        .with_hint("Send the header X-Company-Id, or filter by the company's column.")
}

/// Two objects of a change are for the same row.
pub(crate) fn same_row_twice() -> Error {
    Error::new(Kind::BadRequest, "same_row_twice", "Two of the objects are for the same row")
}

/// The body is of another row than the address.
pub(crate) fn other_key() -> Error {
    Error::new(Kind::BadRequest, "PGRST115", "Payload values do not match URL in primary key column(s)")
}

fn unknown_column(relation: &Relation, name: &str) -> Error {
    let message = format!("Could not find the '{name}' column of '{}' in the schema cache", relation.name);
    Error::new(Kind::BadRequest, "PGRST204", message)
}

/// Says which column was meant, where the dialect says nothing: only what is sure.
fn suggested(error: Error, request: &ApiRequest, relation: &Relation) -> Error {
    let Some(Payload::Json { keys, .. }) = &request.body else { return error };
    let names = request.query.columns.as_ref().unwrap_or(keys);
    let unknown = names.iter().find(|name| relation.column(name).is_none()).filter(|_| error.code() == "PGRST204");
    match unknown.and_then(|name| misspelt(name, relation.columns.iter().map(|column| column.name.as_str()))) {
        Some(meant) => error.with_hint(format!("Perhaps you meant the column '{meant}'")),
        None => error,
    }
}

impl<'a> WritePlan<'a> {
    /// Returns what answers one new row that was added before; none for what does more than that.
    pub(crate) fn repeated(&self, key: Vec<(String, String)>) -> Option<WritePlan<'a>> {
        let WriteKind::Insert { rows: JsonRows { count: 1, .. }, equals, .. } = &self.kind else { return None };
        let is_known = key.iter().all(|(name, _)| self.relation.column(name).is_some());
        let named = |(name, value)| {
            let operation = Operation::Compare(Operator::Eq, value);
            Condition::Filter(Filter { field: Field { name, path: Vec::new() }, negated: false, operation })
        };
        (equals.is_empty() && is_known && !key.is_empty()).then(|| WritePlan {
            kind: WriteKind::Repeated { conditions: key.into_iter().map(named).collect() },
            location: self.location.clone(),
            embeds: self.embeds.clone(),
            checks: Checks::default(),
            ..*self
        })
    }
}

impl WritePlan<'_> {
    /// Tells whether a row says of itself whether it was new: those of stored tables do.
    pub(crate) fn tells_new_rows(&self) -> bool {
        self.merges() && self.relation.kind == RelationKind::Table
    }

    /// Tells whether new rows are counted while they are written: views and partitioned tables do not say it of each.
    pub(crate) fn counts_new_rows(&self) -> bool {
        self.merges() && self.relation.kind != RelationKind::Table
    }

    fn merges(&self) -> bool {
        matches!(&self.kind, WriteKind::Insert { conflict: Some(it), .. } if it.resolution == Resolution::MergeDuplicates)
    }
}
