//! Requests written out again: what was read, printed, reads the same. With it the grammar is tested from both sides, from values
//! that are made up and from texts that are.
//!
//! Invariant: names and values are printed in quotes wherever the dialect has them, so that no character of theirs means anything.

use http::{HeaderMap, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select as one_of;

use super::ParseLimits;
use super::preferences::{Count, Handling, Missing, Page, Preferences, Representation, Resolution, TransactionEnd, preferences};
use super::query_string::query;
use super::syntax::{
    Action, Aggregate, Condition, Direction, Embed, EmbedPath, Field, Filter, FullText, IsValue, JoinKind, LogicOperator, NullsPosition,
    Operation, Operator, OrderTerm, PathOperand, PathStep, Quantifier, Query, Range, SelectItem,
};

/// The word of each operator; the first nine take `any` and `all`.
const OPERATORS: [(Operator, &str); 18] = [
    (Operator::Eq, "eq"),
    (Operator::Like, "like"),
    (Operator::Ilike, "ilike"),
    (Operator::Gt, "gt"),
    (Operator::Gte, "gte"),
    (Operator::Lt, "lt"),
    (Operator::Lte, "lte"),
    (Operator::Match, "match"),
    (Operator::Imatch, "imatch"),
    (Operator::Neq, "neq"),
    (Operator::Contains, "cs"),
    (Operator::ContainedIn, "cd"),
    (Operator::Overlaps, "ov"),
    (Operator::StrictlyLeft, "sl"),
    (Operator::StrictlyRight, "sr"),
    (Operator::NotRight, "nxr"),
    (Operator::NotLeft, "nxl"),
    (Operator::Adjacent, "adj"),
];
const QUANTIFIED: usize = 9;
const IS: [(IsValue, &str); 5] = [
    (IsValue::Null, "null"),
    (IsValue::NotNull, "not_null"),
    (IsValue::True, "true"),
    (IsValue::False, "false"),
    (IsValue::Unknown, "unknown"),
];
const FULL_TEXT: [(FullText, &str); 4] =
    [(FullText::Query, "fts"), (FullText::Plain, "plfts"), (FullText::Phrase, "phfts"), (FullText::WebSearch, "wfts")];
const AGGREGATES: [(Aggregate, &str); 5] = [
    (Aggregate::Avg, ".avg()"),
    (Aggregate::Count, ".count()"),
    (Aggregate::Max, ".max()"),
    (Aggregate::Min, ".min()"),
    (Aggregate::Sum, ".sum()"),
];

/// Returns the word that stands for a value.
fn word<T: PartialEq>(words: &[(T, &'static str)], value: &T) -> &'static str {
    words.iter().find(|(known, _)| known == value).unwrap().1
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn joined<T>(parts: &[T], print: impl Fn(&T) -> String) -> String {
    parts.iter().map(print).collect::<Vec<_>>().join(",")
}

/// Prints a query string.
fn print_query(query: &Query) -> String {
    let mut pairs: Vec<(String, String)> = Vec::new();
    if !query.select.is_empty() {
        pairs.push(("select".to_owned(), joined(&query.select, print_item)));
    }
    pairs.extend(query.conditions.iter().map(|(path, condition)| print_condition(path, condition)));
    pairs.extend(query.orders.iter().map(|(path, terms)| (under(path, "order"), joined(terms, print_term))));
    for (path, range) in &query.ranges {
        pairs.extend(range.limit.map(|limit| (under(path, "limit"), limit.to_string())));
        pairs.push((under(path, "offset"), range.offset.to_string()));
    }
    for (name, columns) in [("columns", &query.columns), ("on_conflict", &query.on_conflict)] {
        pairs.extend(columns.iter().map(|names| (name.to_owned(), joined(names, |name| quoted(name)))));
    }
    pairs.extend(query.arguments.iter().cloned());
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect::<Vec<_>>().join("&")
}

/// Returns a reserved word with the embeds that it is for, which stand there as they are.
fn under(path: &EmbedPath, word: &str) -> String {
    path.iter().map(String::as_str).chain([word]).collect::<Vec<_>>().join(".")
}

fn print_item(item: &SelectItem) -> String {
    match item {
        SelectItem::Star => "*".to_owned(),
        SelectItem::Field { field, aggregate, cast, aggregate_cast, alias } => {
            let of = |cast: &Option<String>| cast.as_ref().map_or_else(String::new, |cast| format!("::{cast}"));
            let called = field.as_ref().map_or_else(
                || "count()".to_owned(),
                |field| {
                    let aggregate = aggregate.map_or("", |aggregate| word(&AGGREGATES, &aggregate));
                    format!("{}{}{aggregate}", print_field(field), of(cast))
                },
            );
            format!("{}{called}{}", print_alias(alias.as_deref()), of(aggregate_cast))
        }
        SelectItem::Embed(Embed { name, alias, hint, join, spread, select }) => {
            let join = match join {
                Some(JoinKind::Inner) => "!inner",
                Some(JoinKind::Left) => "!left",
                None => "",
            };
            // Behind the join any word is a hint.
            let hint = hint.as_ref().map_or_else(String::new, |hint| format!("!{}", quoted(hint)));
            let (spread, alias) = (if *spread { "..." } else { "" }, print_alias(alias.as_deref()));
            format!("{spread}{alias}{}{join}{hint}({})", quoted(name), joined(select, print_item))
        }
    }
}

fn print_alias(alias: Option<&str>) -> String {
    alias.map_or_else(String::new, |alias| format!("{}:", quoted(alias)))
}

fn print_field(field: &Field) -> String {
    let step = |step: &PathStep| {
        let arrow = if step.as_text { "->>" } else { "->" };
        match &step.operand {
            PathOperand::Key(key) => format!("{arrow}{}", quoted(key)),
            PathOperand::Index(index) => format!("{arrow}{index}"),
        }
    };
    format!("{}{}", quoted(&field.name), field.path.iter().map(step).collect::<String>())
}

/// Prints a condition of the top level: its name and its value.
fn print_condition(path: &EmbedPath, condition: &Condition) -> (String, String) {
    match condition {
        Condition::Logic { negated, operator, children } => {
            let word = format!("{}{}", if *negated { "not." } else { "" }, print_operator(*operator));
            (under(path, &word), format!("({})", joined(children, print_node)))
        }
        Condition::Filter(filter) => {
            let names: Vec<String> = path.iter().map(|name| quoted(name)).chain([print_field(&filter.field)]).collect();
            (names.join("."), print_filter(filter, str::to_owned))
        }
    }
}

fn print_operator(operator: LogicOperator) -> &'static str {
    match operator {
        LogicOperator::And => "and",
        LogicOperator::Or => "or",
    }
}

/// Prints a condition inside of a tree.
fn print_node(condition: &Condition) -> String {
    match condition {
        Condition::Logic { negated, operator, children } => {
            let not = if *negated { "not." } else { "" };
            format!("{not}{}({})", print_operator(*operator), joined(children, print_node))
        }
        Condition::Filter(filter) => format!("{}.{}", print_field(&filter.field), print_filter(filter, quoted)),
    }
}

fn print_filter(filter: &Filter, value: impl Fn(&str) -> String) -> String {
    let operation = match &filter.operation {
        Operation::Compare(operator, text) => format!("{}.{}", word(&OPERATORS, operator), value(text)),
        Operation::Quantified(operator, quantifier, text) => {
            let quantifier = if *quantifier == Quantifier::Any { "any" } else { "all" };
            format!("{}({quantifier}).{}", word(&OPERATORS, operator), value(text))
        }
        Operation::In(values) => format!("in.({})", joined(values, |text| quoted(text))),
        Operation::Is(what) => format!("is.{}", word(&IS, what)),
        Operation::IsDistinct(text) => format!("isdistinct.{}", value(text)),
        Operation::FullText(how, configuration, text) => {
            let configuration = configuration.as_ref().map_or_else(String::new, |name| format!("({name})"));
            format!("{}{configuration}.{}", word(&FULL_TEXT, how), value(text))
        }
    };
    format!("{}{operation}", if filter.negated { "not." } else { "" })
}

fn print_term(term: &OrderTerm) -> String {
    let field = print_field(&term.field);
    let field = term.embed.as_ref().map_or_else(|| field.clone(), |embed| format!("{}({field})", quoted(embed)));
    let direction = match term.direction {
        Some(Direction::Ascending) => ".asc",
        Some(Direction::Descending) => ".desc",
        None => "",
    };
    let nulls = match term.nulls {
        Some(NullsPosition::First) => ".nullsfirst",
        Some(NullsPosition::Last) => ".nullslast",
        None => "",
    };
    format!("{field}{direction}{nulls}")
}

const RESOLUTIONS: [(Resolution, &str); 2] =
    [(Resolution::MergeDuplicates, "resolution=merge-duplicates"), (Resolution::IgnoreDuplicates, "resolution=ignore-duplicates")];
const RETURNS: [(Representation, &str); 3] = [
    (Representation::Minimal, "return=minimal"),
    (Representation::HeadersOnly, "return=headers-only"),
    (Representation::Full, "return=representation"),
];
const COUNTS: [(Count, &str); 3] =
    [(Count::Exact, "count=exact"), (Count::Planned, "count=planned"), (Count::Estimated, "count=estimated")];
const MISSING: [(Missing, &str); 2] = [(Missing::Default, "missing=default"), (Missing::Null, "missing=null")];
const ENDS: [(TransactionEnd, &str); 2] = [(TransactionEnd::Commit, "tx=commit"), (TransactionEnd::Rollback, "tx=rollback")];
const HANDLINGS: [(Handling, &str); 2] = [(Handling::Strict, "handling=strict"), (Handling::Lenient, "handling=lenient")];

/// Prints what `Prefer` says.
fn print_preferences(said: &Preferences) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(said.resolution.map(|value| word(&RESOLUTIONS, &value).to_owned()));
    parts.extend(said.representation.map(|value| word(&RETURNS, &value).to_owned()));
    parts.extend(said.count.map(|value| word(&COUNTS, &value).to_owned()));
    parts.extend(said.missing.map(|value| word(&MISSING, &value).to_owned()));
    parts.extend(said.transaction.map(|value| word(&ENDS, &value).to_owned()));
    parts.extend(said.handling.map(|value| word(&HANDLINGS, &value).to_owned()));
    parts.extend(said.timezone.as_ref().map(|zone| format!("timezone={zone}")));
    parts.extend(said.max_affected.map(|rows| format!("max-affected={rows}")));
    parts.extend(said.page.as_ref().map(|page| match page {
        Page::First => "paging=cursor".to_owned(),
        Page::After(cursor) => format!("after={cursor}"),
    }));
    parts.extend(said.deleted.then(|| "deleted=include".to_owned()));
    parts.extend(said.unknown.iter().cloned());
    parts.join(", ")
}

fn read(text: &str, action: Action) -> kernel::Result<Query> {
    query(text, action, &ParseLimits::default())
}

fn read_preferences(text: &str) -> kernel::Result<Preferences> {
    preferences(&HeaderMap::from_iter([(http::HeaderName::from_static("prefer"), HeaderValue::from_str(text).unwrap())]))
}

/// Any name, and any value: PostgreSQL's text has every character but zero.
fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{1,5}",
        "[^\u{0}]{1,6}",
        one_of(vec!["inner", "left", "count", "not", "and", "or", "select", "a.b", "x->y", " "]).prop_map(str::to_owned)
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[^\u{0}]{0,10}", "[\"\\\\(){},.*%:-]{0,6}"]
}

fn any_field() -> impl Strategy<Value = Field> {
    let operand = prop_oneof![any_name().prop_map(PathOperand::Key), any::<i64>().prop_map(PathOperand::Index)];
    let step = (any::<bool>(), operand).prop_map(|(as_text, operand)| PathStep { as_text, operand });
    (any_name(), prop::collection::vec(step, 0..3)).prop_map(|(name, path)| Field { name, path })
}

fn any_operation() -> impl Strategy<Value = Operation> {
    // In patterns a star is the other sign already.
    let compared = |operator: Operator, text: String| match operator {
        Operator::Like | Operator::Ilike => (operator, text.replace('*', "%")),
        _ => (operator, text),
    };
    let operator = |count: usize| one_of(OPERATORS[..count].to_vec()).prop_map(|(operator, _)| operator);
    prop_oneof![
        (operator(OPERATORS.len()), any_text()).prop_map(move |(operator, text)| {
            let (operator, text) = compared(operator, text);
            Operation::Compare(operator, text)
        }),
        (operator(QUANTIFIED), any::<bool>(), any_text()).prop_map(move |(operator, any, text)| {
            let (operator, text) = compared(operator, text);
            Operation::Quantified(operator, if any { Quantifier::Any } else { Quantifier::All }, text)
        }),
        prop::collection::vec(any_text(), 0..4).prop_map(Operation::In),
        one_of(IS.to_vec()).prop_map(|(what, _)| Operation::Is(what)),
        any_text().prop_map(Operation::IsDistinct),
        (one_of(FULL_TEXT.to_vec()), of("[a-z_.]{1,8}"), any_text()).prop_map(|((how, _), configuration, text)| Operation::FullText(
            how,
            configuration,
            text
        )),
    ]
}

fn any_condition() -> impl Strategy<Value = Condition> {
    let filter = (any_field(), any::<bool>(), any_operation())
        .prop_map(|(field, negated, operation)| Condition::Filter(Filter { field, negated, operation }));
    filter.prop_recursive(4, 16, 3, |inner| {
        (any::<bool>(), any::<bool>(), prop::collection::vec(inner, 1..4)).prop_map(|(negated, and, children)| {
            let operator = if and { LogicOperator::And } else { LogicOperator::Or };
            Condition::Logic { negated, operator, children }
        })
    })
}

fn any_item() -> impl Strategy<Value = SelectItem> {
    let cast = || of("[a-z][a-z0-9_ ]{0,6}[a-z]");
    let aggregate = of(one_of(AGGREGATES.to_vec()).prop_map(|(aggregate, _)| aggregate));
    let field = (any_field(), aggregate, cast(), cast(), of(any_name())).prop_map(|(field, aggregate, cast, aggregate_cast, alias)| {
        let aggregate_cast = aggregate_cast.filter(|_| aggregate.is_some());
        SelectItem::Field { field: Some(field), aggregate, cast, aggregate_cast, alias }
    });
    let count = (cast(), of(any_name())).prop_map(|(aggregate_cast, alias)| SelectItem::Field {
        field: None,
        aggregate: Some(Aggregate::Count),
        cast: None,
        aggregate_cast,
        alias,
    });
    prop_oneof![Just(SelectItem::Star), field, count].prop_recursive(4, 16, 4, |inner| {
        let join = of(one_of(vec![JoinKind::Inner, JoinKind::Left]));
        (any_name(), of(any_name()), of(any_name()), join, any::<bool>(), prop::collection::vec(inner, 0..4)).prop_map(
            |(name, alias, hint, join, spread, select)| {
                // Where nothing is said of the join, these words are it.
                let hint = hint.filter(|hint| join.is_some() || (hint != "inner" && hint != "left"));
                SelectItem::Embed(Embed { name, alias, hint, join, spread, select })
            },
        )
    })
}

fn any_term() -> impl Strategy<Value = OrderTerm> {
    let direction = of(one_of(vec![Direction::Ascending, Direction::Descending]));
    let nulls = of(one_of(vec![NullsPosition::First, NullsPosition::Last]));
    (of(any_name()), any_field(), direction, nulls).prop_map(|(embed, field, direction, nulls)| OrderTerm {
        embed,
        field,
        direction,
        nulls,
    })
}

/// Embeds before a reserved word stand there without quotes.
fn any_path() -> impl Strategy<Value = EmbedPath> {
    prop::collection::vec("[a-z_ é]{1,4}".prop_filter("a word of its own", |name| name != "not"), 0..3)
}

fn any_query() -> impl Strategy<Value = Query> {
    let condition = (any_path(), any_condition());
    let order = (any_path(), prop::collection::vec(any_term(), 0..3));
    let range = (of(0..i64::MAX), 0..i64::MAX).prop_map(|(limit, offset)| Range { limit, offset });
    let ranges = prop::collection::btree_map(any_path(), range, 0..3);
    let names = || of(prop::collection::vec(any_name(), 0..4));
    (
        prop::collection::vec(any_item(), 0..4),
        prop::collection::vec(condition, 0..4),
        prop::collection::vec(order, 0..3),
        ranges,
        names(),
        names(),
    )
        .prop_map(|(select, conditions, orders, ranges, columns, on_conflict)| Query {
            select,
            conditions,
            orders,
            ranges: ranges.into_iter().collect(),
            columns,
            on_conflict,
            arguments: Vec::new(),
        })
}

fn any_preferences() -> impl Strategy<Value = Preferences> {
    let known = (
        of(one_of(RESOLUTIONS.to_vec())),
        of(one_of(RETURNS.to_vec())),
        of(one_of(COUNTS.to_vec())),
        of(one_of(MISSING.to_vec())),
        of(one_of(ENDS.to_vec())),
        of(one_of(HANDLINGS.to_vec())),
    );
    let page = of(prop_oneof![Just(Page::First), "[A-Za-z0-9_-]{1,20}".prop_map(Page::After)]);
    let others = (of("[A-Za-z/'\";_+-]{1,12}"), of(0..i64::MAX), page, any::<bool>());
    (known, others).prop_map(|(known, (timezone, max_affected, page, deleted))| {
        let (resolution, representation, count, missing, transaction, handling) = known;
        Preferences {
            resolution: resolution.map(|(value, _)| value),
            representation: representation.map(|(value, _)| value),
            count: count.map(|(value, _)| value),
            missing: missing.map(|(value, _)| value),
            transaction: transaction.map(|(value, _)| value),
            handling: handling.map(|(value, _)| value),
            timezone,
            max_affected,
            page,
            deleted,
            unknown: Vec::new(),
        }
    })
}

/// Pieces of the language, and of what has a meaning in it.
fn any_pieces() -> impl Strategy<Value = String> {
    let pieces = vec![
        "select=",
        "order=",
        "or=",
        "and=",
        "not.",
        "(",
        ")",
        ",",
        ".",
        "eq.",
        "in.",
        "a",
        "b",
        "->",
        "->>",
        "::",
        "\"",
        "*",
        "!inner",
        "!b",
        "...",
        "&",
        "limit=",
        "offset=",
        "columns=",
        "on_conflict=",
        "1",
        "-",
        "{",
        "}",
        "count()",
        ".sum()",
        "fts(english).",
        "like(any).",
        "is.null",
        "é",
        "%22",
        "+",
        ":",
        "a.order=",
        "a=eq.",
        "&a=",
        "a(b)",
        ".desc",
        ".nullslast",
        "\\",
        "%5C",
        "7",
    ];
    prop::collection::vec(one_of(pieces), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_query_that_is_printed_reads_the_same(made in any_query()) {
        let printed = print_query(&made);
        prop_assert_eq!(read(&printed, Action::Read).map_err(|error| format!("{printed}: {error} {:?}", error.details())), Ok(made));
    }

    #[test]
    fn a_text_that_is_read_prints_what_reads_the_same(text in any_pieces()) {
        for action in [Action::Read, Action::Call] {
            if let Ok(once) = read(&text, action) {
                let printed = print_query(&once);
                prop_assert_eq!(read(&printed, action).map_err(|error| format!("{printed}: {error}")), Ok(once), "{}", text);
            }
        }
    }

    #[test]
    fn preferences_that_are_printed_read_the_same(made in any_preferences()) {
        prop_assert_eq!(read_preferences(&print_preferences(&made)).map_err(|error| error.to_string()), Ok(made));
    }

    #[test]
    fn preferences_that_are_read_print_what_reads_the_same(text in "([a-z=, -]{0,6}|return=|count=exact|tx=|timezone=|max-affected=[0-9]{0,20}|handling=|strict|lenient|deleted=include|,){0,12}") {
        if let Ok(once) = read_preferences(&text) {
            prop_assert_eq!(read_preferences(&print_preferences(&once)).map_err(|error| error.to_string()), Ok(once), "{}", text);
        }
    }
}
