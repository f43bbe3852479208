//! From an HTTP request to what it says.
//!
//! Invariant: pure and bounded: what comes in is read once, every list and depth has a limit, and nothing is known of the database.

mod body;
mod cursor;
mod field;
mod filter;
mod forms;
mod lines;
mod logic;
mod media;
mod order;
mod preferences;
mod query_string;
mod range;
mod select;
mod syntax;
pub(crate) mod targets;

use bytes::Bytes;
use http::{HeaderMap, Method};
use kernel::{Error, Kind, Result};

#[cfg(test)]
pub(crate) use forms::PlanOption;
pub(crate) use forms::{Custom, Explain, Made, Meaning, MediaType, PlanFormat};
pub(crate) use media::quality;
pub(crate) use preferences::{Count, Handling, Missing, Page, Preferences, Representation, Resolution, TransactionEnd, preferences};
pub(crate) use syntax::{
    Action, Aggregate, ApiRequest, Condition, Direction, Embed, Field, Filter, FullText, IsValue, JoinKind, LogicOperator, NullsPosition,
    Operation, Operator, OrderTerm, Paging, PathOperand, Payload, Quantifier, Query, Range, RawMedia, SelectItem, Target,
};

/// How much of everything a request may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParseLimits {
    /// Items in `select`, embedded ones included, and names in `columns` and `on_conflict`.
    pub(crate) select_items_max: usize,
    /// Filters and logic trees, nested ones included.
    pub(crate) conditions_max: usize,
    /// Terms in `order`.
    pub(crate) order_terms_max: usize,
    /// How deep logic trees may be nested.
    pub(crate) logic_depth_max: usize,
    /// How deep embeds may be nested.
    pub(crate) embed_depth_max: usize,
    /// Values in one list.
    pub(crate) in_values_max: usize,
    /// Rows in a body.
    pub(crate) rows_max_in_body: usize,
    /// How deep a body's objects and arrays may be nested.
    pub(crate) body_depth_max: usize,
    /// Bytes of the query string.
    pub(crate) query_bytes_max: usize,
}

impl Default for ParseLimits {
    fn default() -> Self {
        Self {
            select_items_max: 500,
            conditions_max: 500,
            order_terms_max: 50,
            logic_depth_max: 16,
            embed_depth_max: 16,
            in_values_max: 10_000,
            rows_max_in_body: 100_000,
            body_depth_max: 1000,
            query_bytes_max: 65_536,
        }
    }
}

/// A request that wants to be understood.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// What its path names.
    pub(crate) target: Target,
    /// The method.
    pub(crate) method: &'a Method,
    /// The schemas that are served; the first is meant when none is named.
    pub(crate) schemas: &'a [String],
    /// The query string as it came.
    pub(crate) raw_query: &'a str,
    /// The headers.
    pub(crate) headers: &'a HeaderMap,
    /// The body.
    pub(crate) body: Bytes,
    /// The limits.
    pub(crate) limits: &'a ParseLimits,
    /// Whether a plan may be asked for.
    pub(crate) plan_enabled: bool,
}

/// Reads a request.
pub(crate) fn parse(wanted: Wanted<'_>) -> Result<ApiRequest> {
    let Wanted { target, method, schemas, raw_query, headers, body, limits, plan_enabled } = wanted;
    let action = action(&target, method)?;
    let head = *method == Method::HEAD;
    let (schema, is_named) = schema(headers, action, schemas)?;
    let tells_schema = is_named || schemas.len() > 1;
    let preferences = preferences(headers)?;
    let accepts = media::accepted(headers, plan_enabled);
    let mut query = query_string::query(raw_query, action, limits)?;
    if *method == Method::GET && headers.contains_key(http::header::RANGE) {
        narrow(&mut query, headers)?;
    }
    if let Some(arguments) = body::arguments(headers, &body, action)? {
        query.arguments = arguments;
    }
    let body = body::payload(headers, body, action, query.columns.is_some(), limits)?;
    let canonical = (action == Action::Read).then(|| query_string::canonical(raw_query)).transpose()?;
    let (media, custom, explain) = (MediaType::Json, None, None);
    Ok(ApiRequest {
        schema,
        tells_schema,
        target,
        action,
        query,
        body,
        preferences,
        accepts,
        media,
        custom,
        explain,
        head,
        canonical,
        paging: None,
    })
}

fn action(target: &Target, method: &Method) -> Result<Action> {
    match (target, method.as_str()) {
        (Target::Relation(_), "GET" | "HEAD") => Ok(Action::Read),
        (Target::Relation(_), "POST") => Ok(Action::Insert),
        (Target::Relation(_), "PATCH") => Ok(Action::Update),
        (Target::Relation(_), "PUT") => Ok(Action::Put),
        (Target::Relation(_), "DELETE") => Ok(Action::Delete),
        (Target::Function(_), "GET" | "HEAD") => Ok(Action::CallRead),
        (Target::Function(_), "POST") => Ok(Action::Call),
        (Target::Relation(_), other) => Err(Error::new(Kind::Status(405), "PGRST117", format!("Unsupported HTTP method: {other}"))),
        (Target::Function(_), other) => Err(Error::new(Kind::Status(405), "PGRST101", format!("Cannot use the {other} method on RPC"))),
    }
}

/// Returns the schema that a request means which reads or only asks, and whether it named it.
pub(crate) fn read_schema(headers: &HeaderMap, schemas: &[String]) -> Result<(String, bool)> {
    schema(headers, Action::Read, schemas)
}

/// Returns the names of the arguments that a call in a query string gives.
pub(crate) fn argument_names(raw_query: &str, limits: &ParseLimits) -> Result<Vec<String>> {
    let query = query_string::query(raw_query, Action::CallRead, limits)?;
    Ok(query.arguments.into_iter().map(|(name, _)| name).collect())
}

/// Returns the schema that the profile header names, or the first, and whether it was named.
fn schema(headers: &HeaderMap, action: Action, schemas: &[String]) -> Result<(String, bool)> {
    let header = if matches!(action, Action::Read | Action::CallRead) { "accept-profile" } else { "content-profile" };
    let named = headers.get(header).map(|value| value.to_str().unwrap_or_default());
    let found = match named {
        Some(name) => schemas.iter().find(|schema| *schema == name),
        None => schemas.first(),
    };
    found.map(|found| (found.clone(), named.is_some())).ok_or_else(|| {
        Error::new(Kind::Status(406), "PGRST106", format!("Invalid schema: {}", named.unwrap_or_default()))
            .with_hint(format!("Only the following schemas are exposed: {}", schemas.join(", ")))
    })
}

/// Narrows the rows of the top level by the header.
fn narrow(query: &mut Query, headers: &HeaderMap) -> Result<()> {
    if !query.ranges.iter().any(|(path, _)| path.is_empty()) {
        query.ranges.push((Vec::new(), Range::default()));
    }
    for (_, range) in query.ranges.iter_mut().filter(|(path, _)| path.is_empty()) {
        range::narrow(range, headers)?;
    }
    Ok(())
}

#[cfg(test)]
mod printed;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(method: &Method, target: Target, query: &str, headers: &HeaderMap, body: &[u8]) -> Result<ApiRequest> {
        let schemas = ["public", "shared"].map(str::to_owned);
        let body = Bytes::copy_from_slice(body);
        let limits = ParseLimits::default();
        parse(Wanted { target, method, schemas: &schemas, raw_query: query, headers, body, limits: &limits, plan_enabled: false })
    }

    fn table() -> Target {
        Target::Relation("t".to_owned())
    }

    #[test]
    fn methods_are_actions() {
        let none = HeaderMap::new();
        let action = |method: Method, target| read(&method, target, "", &none, b"{}").map(|request| request.action);
        let function = || Target::Function("f".to_owned());
        assert_eq!(action(Method::HEAD, table()).unwrap(), Action::Read);
        assert_eq!(action(Method::PUT, table()).unwrap(), Action::Put);
        assert_eq!(action(Method::GET, function()).unwrap(), Action::CallRead);
        assert_eq!(action(Method::TRACE, table()).unwrap_err().code(), "PGRST117");
        let refused = action(Method::PATCH, function()).unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (405, "PGRST101"));
    }

    #[test]
    fn the_profile_chooses_the_schema() {
        let with = |name: &'static str, value: &str| HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())]);
        let schema = |method: Method, headers: &HeaderMap| read(&method, table(), "", headers, b"{}").map(|request| request.schema);
        assert_eq!(schema(Method::GET, &HeaderMap::new()).unwrap(), "public");
        assert_eq!(schema(Method::GET, &with("accept-profile", "shared")).unwrap(), "shared");
        assert_eq!(schema(Method::POST, &with("content-profile", "shared")).unwrap(), "shared");
        assert_eq!(schema(Method::GET, &with("content-profile", "shared")).unwrap(), "public");
        let refused = schema(Method::GET, &with("accept-profile", "auth")).unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code()), (406, "PGRST106"));
        assert_eq!(refused.hint(), Some("Only the following schemas are exposed: public, shared"));
    }

    proptest! {
        /// Nothing that can be sent makes the parser fail otherwise than with an error of the client.
        #[test]
        fn whatever_comes_gets_an_answer(query in "\\PC{0,80}", body in prop::collection::vec(any::<u8>(), 0..60)) {
            for (method, target) in [(Method::GET, table()), (Method::POST, table()), (Method::POST, Target::Function("f".to_owned()))] {
                if let Err(error) = read(&method, target, &query, &HeaderMap::new(), &body) {
                    prop_assert!((400..500).contains(&error.status().as_u16()));
                }
            }
        }

        /// The pieces of the language in any order, too.
        #[test]
        fn pieces_of_the_language_get_an_answer(pieces in prop::collection::vec(prop::sample::select(vec![
            "select=", "order=", "or=", "and=", "not.", "(", ")", ",", ".", "eq.", "in.", "a", "b", "->", "->>", "::", "\"", "*", "!inner", "...",
            "&", "limit=", "1", "-", "{", "}", "count()", ".sum()", "fts(english).", "like(any).", "is.null", "é", "%22", "+",
        ]), 0..30)) {
            if let Err(error) = read(&Method::GET, table(), &pieces.concat(), &HeaderMap::new(), b"") {
                prop_assert!((400..500).contains(&error.status().as_u16()));
            }
        }
    }
}
