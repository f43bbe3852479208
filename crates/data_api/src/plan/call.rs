//! Which function is called with what.
//!
//! Invariant: of several functions with one name exactly one fits the names of the arguments, or the request is refused.

use std::borrow::Cow;
use std::fmt::Write as _;

use indexmap::IndexSet;
use kernel::{Error, Kind, Result};
use postgres::catalog::{Argument, Catalog, Function, Relation, ReturnKind, Volatility};

use super::embed::Origin;
use super::read::{self, Rows};
use super::{ALIKE, ALIKE_OF_FEW, Surroundings, fuzzy};
use crate::request::{Action, ApiRequest, Payload, RawMedia};

/// Names that an error lists: more than any function has arguments.
const LISTED_MAX: usize = 100;

/// A call of a function.
#[derive(Debug)]
pub(crate) struct CallPlan<'a> {
    /// The function.
    pub(crate) function: &'a Function,
    /// What goes in.
    pub(crate) arguments: Arguments<'a>,
    /// What comes out.
    pub(crate) result: ResultKind,
    /// The relation whose rows they are.
    pub(crate) relation: Option<&'a Relation>,
    /// Which rows of it.
    pub(crate) rows: Rows<'a>,
    /// Whether the transaction must not write.
    pub(crate) read_only: bool,
}

/// What goes into a function.
#[derive(Debug)]
pub(crate) enum Arguments<'a> {
    /// Nothing.
    None,
    /// The members of a JSON object, by name.
    Named {
        /// The arguments that are given.
        given: Vec<&'a Argument>,
        /// The object, or an array of them.
        json: Cow<'a, str>,
        /// Whether it is an array: the function is called for each.
        each: bool,
    },
    /// Texts by name, each for PostgreSQL to read as its argument's type.
    Texts(Vec<(&'a Argument, Texts<'a>)>),
    /// The whole body, as the one unnamed argument.
    Whole {
        /// The argument.
        argument: &'a Argument,
        /// The body.
        text: Cow<'a, str>,
    },
}

/// What a query string or a form gives for one argument.
#[derive(Debug)]
pub(crate) enum Texts<'a> {
    /// One value; of several the last.
    One(&'a str),
    /// All values, for one that takes any number of them.
    All(Vec<&'a str>),
}

/// What comes out of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ResultKind {
    /// Nothing.
    Nothing,
    /// One value.
    Value,
    /// Any number of values.
    Values,
    /// One row.
    Row,
    /// Any number of rows.
    Rows,
}

pub(super) fn plan<'a>(request: &'a ApiRequest, name: &'a str, surroundings: Surroundings<'a>) -> Result<CallPlan<'a>> {
    let schema = &request.schema;
    let names = argument_names(request);
    let candidates = surroundings.catalog.functions(schema, name);
    // What is no JSON names no argument: it is the one unnamed one, or nobody takes it.
    let has_names = matches!(&request.body, None | Some(Payload::Json { .. } | Payload::Raw { media: RawMedia::Json, .. }));
    let fitting: Vec<&Function> = candidates.iter().filter(|function| has_names && takes(function, &names)).collect();
    let function = match fitting.as_slice() {
        [one] => *one,
        [] => match candidates.iter().filter(|function| takes_whole(function, request)).collect::<Vec<_>>().as_slice() {
            [one] => *one,
            [] => return Err(no_function(surroundings.catalog, schema, name, &names, Searched::of(request))),
            several => return Err(several_functions(several)),
        },
        several => return Err(several_functions(several)),
    };
    let arguments = arguments(request, function, fitting.is_empty())?;
    let returns = &function.returns;
    if request.preferences.rows_max().is_some() && !returns.is_set {
        let message = "Function must return SETOF or TABLE when max-affected preference is used with handling=strict";
        return Err(Error::new(Kind::BadRequest, "PGRST128", message));
    }
    // Several calls give several results.
    let is_set = returns.is_set || matches!(&arguments, Arguments::Named { each: true, .. });
    let result = match (returns.kind, is_set) {
        (ReturnKind::Void, _) => ResultKind::Nothing,
        (ReturnKind::Scalar | ReturnKind::Record, false) => ResultKind::Value,
        (ReturnKind::Scalar | ReturnKind::Record, true) => ResultKind::Values,
        (ReturnKind::Row, false) => ResultKind::Row,
        (ReturnKind::Row, true) => ResultKind::Rows,
    };
    let relation = returns.schema.as_deref().zip(returns.relation.as_deref());
    let relation = relation.and_then(|(schema, name)| surroundings.catalog.relation(schema, name));
    let origin = Origin { name: relation.map_or(name, |relation| &relation.name), relation };
    let rows = read::rows(request, origin, surroundings)?;
    let read_only = request.action == Action::CallRead || function.volatility != Volatility::Volatile;
    Ok(CallPlan { function, arguments, result, relation, rows, read_only })
}

/// Returns the names that the request gives values for.
fn argument_names(request: &ApiRequest) -> Vec<&str> {
    match (&request.action, &request.body) {
        (Action::CallRead, _) | (_, None) => {
            // A form may have as many as fit into a body: each is looked for once, and not in a list.
            let names: IndexSet<&str> = request.query.arguments.iter().map(|(name, _)| name.as_str()).collect();
            // What looks like a filter is one: `eq.7` is no value of an argument.
            names.into_iter().filter(|name| !(request.action == Action::CallRead && is_filter(request, name))).collect()
        }
        (_, Some(Payload::Json { keys, .. })) => match &request.query.columns {
            Some(columns) => columns.iter().map(String::as_str).collect(),
            None => keys.iter().map(String::as_str).collect(),
        },
        _ => Vec::new(),
    }
}

fn is_filter(request: &ApiRequest, name: &str) -> bool {
    request.query.conditions.iter().any(|(path, condition)| {
        path.is_empty() && matches!(condition, crate::request::Condition::Filter(filter) if filter.field.name == name)
    })
}

pub(super) fn takes(function: &Function, names: &[&str]) -> bool {
    let arguments = &function.arguments;
    names.iter().all(|name| arguments.iter().any(|argument| argument.name == *name))
        && arguments.iter().all(|argument| argument.has_default || names.contains(&argument.name.as_str()))
}

/// Tells whether a function takes the whole body as its one unnamed argument.
fn takes_whole(function: &Function, request: &ApiRequest) -> bool {
    let [argument] = function.arguments.as_slice() else { return false };
    if !argument.name.is_empty() || request.action != Action::Call {
        return false;
    }
    let fits: &[&str] = match &request.body {
        Some(Payload::Json { .. } | Payload::Raw { media: RawMedia::Json, .. }) => &["json", "jsonb"],
        Some(Payload::Raw { media: RawMedia::Text, .. }) => &["text"],
        Some(Payload::Raw { media: RawMedia::Xml, .. }) => &["xml"],
        Some(Payload::Raw { media: RawMedia::Bytes, .. }) => &["bytea"],
        None => &[],
    };
    fits.contains(&argument.data_type.base.as_str())
}

fn arguments<'a>(request: &'a ApiRequest, function: &'a Function, whole: bool) -> Result<Arguments<'a>> {
    if whole {
        let Some(argument) = function.arguments.first() else { return Ok(Arguments::None) };
        let text = match &request.body {
            Some(Payload::Raw { bytes, media: RawMedia::Bytes }) => Cow::Owned(bytea(bytes)),
            Some(Payload::Raw { bytes, .. } | Payload::Json { text: bytes, .. }) => Cow::Borrowed(utf8(bytes)?),
            None => Cow::Borrowed(""),
        };
        return Ok(Arguments::Whole { argument, text });
    }
    let names = argument_names(request);
    let given: Vec<&Argument> = function.arguments.iter().filter(|argument| names.contains(&argument.name.as_str())).collect();
    if given.is_empty() {
        return Ok(Arguments::None);
    }
    Ok(match &request.body {
        None => Arguments::Texts(given.into_iter().map(|argument| (argument, texts(request, argument))).collect()),
        Some(Payload::Json { text, is_array, .. }) => Arguments::Named { given, json: Cow::Borrowed(utf8(text)?), each: *is_array },
        _ => Arguments::None,
    })
}

/// Returns what the query string or the form gives for an argument.
fn texts<'a>(request: &'a ApiRequest, argument: &Argument) -> Texts<'a> {
    let mut values = request.query.arguments.iter().filter(|(name, _)| *name == argument.name).map(|(_, value)| value.as_str());
    if argument.variadic { Texts::All(values.collect()) } else { Texts::One(values.next_back().unwrap_or_default()) }
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| Error::new(Kind::BadRequest, "PGRST102", "Empty or invalid json").with_source(error))
}

fn bytea(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2).saturating_add(2));
    text.push_str("\\x");
    for byte in bytes {
        // Writing into a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

/// No function takes these arguments. What is no JSON is looked for as one argument without a name, of one type.
pub(super) fn no_function(catalog: &Catalog, schema: &str, name: &str, names: &[&str], body: Searched) -> Error {
    let mut names = names.to_vec();
    names.sort_unstable();
    let names = names.as_slice();
    let mut listed = names.iter().take(LISTED_MAX).copied().collect::<Vec<_>>().join(", ");
    if names.len() > LISTED_MAX {
        listed.push_str(", ...");
    }
    let (shown, with) = match names {
        [] => (" without parameters".to_owned(), " without parameters".to_owned()),
        [_] => (format!("({listed})"), format!(" with parameter {listed}")),
        _ => (format!("({listed})"), format!(" with parameters {listed}")),
    };
    let (shown, searched) = match body {
        Searched::Names => (shown, with),
        Searched::NamesOrJson => (shown, format!("{with} or with a single unnamed json/jsonb parameter")),
        Searched::Whole(data_type) => (String::new(), format!(" with a single unnamed {data_type} parameter")),
    };
    let message = format!("Could not find the function {schema}.{name}{shown} in the schema cache");
    let details = format!("Searched for the function {schema}.{name}{searched}, but no matches were found in the schema cache.");
    let error = Error::new(Kind::NotFound, "PGRST202", message).with_details(details);
    match meant(catalog, schema, name, names).filter(|_| !matches!(body, Searched::Whole(_))) {
        Some(meant) => error.with_hint(format!("Perhaps you meant to call the function {schema}.{meant}")),
        None => error,
    }
}

/// What a call can be of beside its arguments' names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Searched {
    /// Nothing.
    Names,
    /// One argument that takes all JSON.
    NamesOrJson,
    /// Only one argument that takes the body, of this type.
    Whole(&'static str),
}

impl Searched {
    fn of(request: &ApiRequest) -> Self {
        match &request.body {
            None => Self::Names,
            Some(Payload::Json { .. } | Payload::Raw { media: RawMedia::Json, .. }) => Self::NamesOrJson,
            Some(Payload::Raw { media: RawMedia::Text, .. }) => Self::Whole("text"),
            Some(Payload::Raw { media: RawMedia::Xml, .. }) => Self::Whole("xml"),
            Some(Payload::Raw { media: RawMedia::Bytes, .. }) => Self::Whole("bytea"),
        }
    }
}

/// Returns the function that was probably meant: one of that name with nearly these parameters, or else one with nearly that name.
fn meant(catalog: &Catalog, schema: &str, name: &str, names: &[&str]) -> Option<String> {
    let of_name = catalog.functions(schema, name);
    if of_name.is_empty() {
        return fuzzy::nearest(name, catalog.function_names(schema), ALIKE).map(str::to_owned);
    }
    let lists: Vec<String> =
        of_name.iter().map(|function| list(function.arguments.iter().map(|argument| argument.name.as_str()).collect())).collect();
    fuzzy::nearest(&list(names.to_vec()), lists.iter().map(String::as_str), ALIKE_OF_FEW).map(|list| format!("{name}{list}"))
}

/// Writes names in the order of the alphabet, so that lists of the same names are the same.
fn list(mut names: Vec<&str>) -> String {
    names.sort_unstable();
    format!("({})", names.join(", "))
}

fn several_functions(several: &[&Function]) -> Error {
    let typed = |function: &&Function| {
        let arguments: Vec<String> =
            function.arguments.iter().map(|argument| format!("{} => {}", argument.name, argument.formatted_type)).collect();
        format!("{}.{}({})", function.schema, function.name, arguments.join(", "))
    };
    let listed: Vec<String> = several.iter().map(typed).collect();
    let message = format!("Could not choose the best candidate function between: {}", listed.join(", "));
    Error::new(Kind::Status(300), "PGRST203", message)
        .with_hint("Try renaming the parameters or the function itself in the database so function overloading can be resolved")
}
