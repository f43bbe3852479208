//! From a filter to a condition in SQL, over the rows that [`super::rows`] gives.
//!
//! Invariant: what a client wrote is bound, never part of the text; names in the text are those of the schema's table.

use jiff::Timestamp;
use postgres::Sql;

use super::error::{Outcome, Refused};
use super::filter::{Filter, Literal, Name, Operator};
use super::names::Route;
use super::schema::{Attribute, Kind, ResourceKind};

/// What becomes of a name that the resource does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unknown {
    /// The filter is refused.
    Refused,
    /// It has no value: where resources of several kinds are looked for.
    Absent,
}

/// Where the names of a condition are looked up.
#[derive(Clone, Copy)]
struct Place {
    kind: ResourceKind,
    unknown: Unknown,
    /// The list whose elements are looked at, `e.v` each.
    list: Option<&'static Attribute>,
}

/// Returns the condition of a filter.
pub(super) fn condition(kind: ResourceKind, filter: &Filter, unknown: Unknown) -> Outcome<Sql> {
    of(Place { kind, unknown, list: None }, filter)
}

/// Returns what resources are sorted by: of a list the primary value, or the first.
pub(super) fn sort_key(kind: ResourceKind, name: &Name) -> Option<Sql> {
    let route = Route::find(kind, name)?;
    let Some((list, below)) = route.list() else {
        let attribute = route.target().filter(|attribute| attribute.kind != Kind::Complex)?;
        return Some(lowered(attribute, scalar(kind, &route)));
    };
    let attribute = below.first().copied().or_else(|| list.sub("value"))?;
    let mut sql = Sql::new("(select ");
    sql.append(lowered(attribute, element(attribute))).text(" from jsonb_array_elements(").append(elements(list));
    sql.text(") with ordinality e (v, n) order by (e.v ->> 'primary')::boolean desc nulls last, e.n limit 1)");
    Some(sql)
}

fn of(place: Place, filter: &Filter) -> Outcome<Sql> {
    match filter {
        Filter::And(left, right) => joined(place, left, " and ", right),
        Filter::Or(left, right) => joined(place, left, " or ", right),
        Filter::Not(inner) => {
            let mut sql = Sql::new("(not coalesce(");
            sql.append(of(place, inner)?).text(", false))");
            Ok(sql)
        }
        Filter::Present(name) => Ok(place.route(name)?.map_or_else(nothing, |route| present(place, &route))),
        Filter::Compare(name, operator, literal) => match place.route(name)? {
            Some(route) => compare(place, &route, *operator, literal),
            None => Ok(nothing()),
        },
        Filter::Within(name, inner) => {
            let Some(route) = place.route(name)? else { return Ok(nothing()) };
            let list = route.target().filter(|attribute| attribute.multi && attribute.kind == Kind::Complex);
            let list = list.ok_or_else(|| Refused::filter(format!("{route} is no list")))?;
            Ok(any(list, of(Place { list: Some(list), ..place }, inner)?))
        }
    }
}

fn joined(place: Place, left: &Filter, word: &'static str, right: &Filter) -> Outcome<Sql> {
    let mut sql = Sql::new("(");
    sql.append(of(place, left)?).text(word).append(of(place, right)?).text(")");
    Ok(sql)
}

fn nothing() -> Sql {
    Sql::new("false")
}

impl Place {
    /// Finds what a name means here.
    fn route(self, name: &Name) -> Outcome<Option<Found>> {
        let found = match self.list {
            Some(list) if name.schema.is_none() && name.sub.is_none() => list.sub(&name.attribute).map(Found::Element),
            Some(_) => None,
            None => Route::find(self.kind, name).map(Found::Route),
        };
        if found.is_none() && self.unknown == Unknown::Refused {
            let shown: String = name.to_string().chars().take(100).collect();
            return Err(Refused::filter(format!("There is no attribute {shown} to filter by")));
        }
        Ok(found)
    }
}

/// What a name means: an attribute of the resource, or of the element that is looked at.
enum Found {
    Route(Route),
    Element(&'static Attribute),
}

impl Found {
    fn target(&self) -> Option<&'static Attribute> {
        match self {
            Self::Route(route) => route.target(),
            Self::Element(attribute) => Some(attribute),
        }
    }
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Route(route) => route.fmt(f),
            Self::Element(attribute) => f.write_str(attribute.name),
        }
    }
}

fn present(place: Place, found: &Found) -> Sql {
    let route = match found {
        Found::Element(attribute) => return is_there(element(attribute)),
        Found::Route(route) => route,
    };
    match route.list() {
        Some((list, [])) => any(list, Sql::new("true")),
        Some((list, [attribute, ..])) => any(list, is_there(element(attribute))),
        // A complex one is there when something of it is: nothing empty is kept.
        None => is_there(scalar(place.kind, route)),
    }
}

fn is_there(value: Sql) -> Sql {
    let mut sql = Sql::new("(");
    sql.append(value).text(" is not null)");
    sql
}

fn compare(place: Place, found: &Found, operator: Operator, literal: &Literal) -> Outcome<Sql> {
    if *literal == Literal::Null {
        let mut sql = present(place, found);
        return match operator {
            Operator::NotEqual => Ok(sql),
            Operator::Equal => {
                let mut absent = Sql::new("(not ");
                absent.append(std::mem::take(&mut sql)).text(")");
                Ok(absent)
            }
            _ => Err(Refused::filter(format!("null is only compared by eq and ne, not by {operator}"))),
        };
    }
    let complex = || Refused::filter(format!("{found} has no value of its own; name one of its attributes"));
    match found {
        Found::Element(attribute) => test(attribute, element(attribute), operator, literal),
        Found::Route(route) => {
            if let Some((list, below)) = route.list() {
                let attribute = below.first().copied().or_else(|| list.sub("value")).ok_or_else(complex)?;
                return Ok(any(list, test(attribute, element(attribute), operator, literal)?));
            }
            let attribute = found.target().ok_or_else(complex)?;
            // `manager eq "26118915"` means its value.
            let valued = (attribute.kind == Kind::Complex).then(|| route.below("value").ok_or_else(complex)).transpose()?;
            let route = valued.as_ref().unwrap_or(route);
            let attribute = route.target().ok_or_else(complex)?;
            test(attribute, scalar(place.kind, route), operator, literal)
        }
    }
}

/// Compares one value.
fn test(attribute: &'static Attribute, value: Sql, operator: Operator, literal: &Literal) -> Outcome<Sql> {
    let mismatch = || Refused::filter(format!("{} cannot be compared by {operator} with {literal}", attribute.name));
    match (attribute.kind, literal) {
        (Kind::Boolean, literal) => {
            let wanted = match literal {
                Literal::Boolean(wanted) => *wanted,
                Literal::Text(text) if text.eq_ignore_ascii_case("true") => true,
                Literal::Text(text) if text.eq_ignore_ascii_case("false") => false,
                _ => return Err(mismatch()),
            };
            let mut sql = Sql::new("(coalesce((");
            sql.append(value).text(")::boolean, false) ");
            sql.text(match operator {
                Operator::Equal => "= ",
                Operator::NotEqual => "<> ",
                _ => return Err(mismatch()),
            });
            sql.bind(wanted).text("::boolean)");
            Ok(sql)
        }
        (Kind::DateTime, Literal::Text(text)) => {
            let moment: Timestamp = text.parse().ok().ok_or_else(|| Refused::filter(format!("{literal} is no date and time")))?;
            let mut sql = Sql::new("(");
            sql.append(value).text(ordering(operator).ok_or_else(mismatch)?).bind(moment).text("::timestamptz)");
            Ok(sql)
        }
        (Kind::Text | Kind::Reference, Literal::Text(text)) => Ok(compare_text(attribute, value, operator, text)),
        _ => Err(mismatch()),
    }
}

fn compare_text(attribute: &'static Attribute, value: Sql, operator: Operator, text: &str) -> Sql {
    let value = lowered(attribute, value);
    let wanted = || {
        let mut sql = Sql::default();
        if attribute.exact {
            sql.bind(text).text("::text");
        } else {
            sql.text("lower(").bind(text).text("::text)");
        }
        sql
    };
    let mut sql = Sql::new("(");
    match operator {
        Operator::Contains => sql.text("strpos(").append(value).text(", ").append(wanted()).text(") > 0)"),
        Operator::StartsWith => sql.text("starts_with(").append(value).text(", ").append(wanted()).text("))"),
        Operator::EndsWith => sql.text("right(").append(value).text(", length(").append(wanted()).text(")) = ").append(wanted()).text(")"),
        Operator::NotEqual => sql.append(value).text(" is distinct from ").append(wanted()).text(")"),
        _ => {
            // Byte by byte, so that the same resources are found on every machine.
            sql.append(value).text(" collate \"C\"").text(ordering(operator).unwrap_or(" = ")).append(wanted()).text(")")
        }
    };
    sql
}

fn ordering(operator: Operator) -> Option<&'static str> {
    match operator {
        Operator::Equal => Some(" = "),
        Operator::NotEqual => Some(" <> "),
        Operator::Greater => Some(" > "),
        Operator::GreaterOrEqual => Some(" >= "),
        Operator::Less => Some(" < "),
        Operator::LessOrEqual => Some(" <= "),
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => None,
    }
}

fn lowered(attribute: &Attribute, value: Sql) -> Sql {
    if attribute.exact || !matches!(attribute.kind, Kind::Text | Kind::Reference) {
        return value;
    }
    let mut sql = Sql::new("lower(");
    sql.append(value).text(")");
    sql
}

/// There is an element of a list for which a condition holds.
fn any(list: &'static Attribute, condition: Sql) -> Sql {
    let mut sql = Sql::new("exists (select from jsonb_array_elements(");
    sql.append(elements(list)).text(") e (v) where ").append(condition).text(")");
    sql
}

/// A list of the resource.
fn elements(list: &'static Attribute) -> Sql {
    match list.name {
        "groups" => Sql::new(super::rows::GROUPS_OF),
        "members" => Sql::new(super::rows::MEMBERS_OF),
        name => {
            let mut sql = Sql::new("r.attributes -> '");
            sql.text(name).text("'");
            sql
        }
    }
}

/// An attribute of an element.
fn element(attribute: &'static Attribute) -> Sql {
    let mut sql = Sql::new("(e.v ->> '");
    sql.text(attribute.name).text("')");
    sql
}

/// What is no list, of the resource.
fn scalar(kind: ResourceKind, route: &Route) -> Sql {
    let names: Vec<&'static str> = route.steps().iter().map(|attribute| attribute.name).collect();
    match names.as_slice() {
        ["id" | "meta"] => return Sql::new("r.id::text"),
        ["active"] => return Sql::new("r.active"),
        ["meta", "created"] => return Sql::new("r.created_at"),
        ["meta", "lastModified"] => return Sql::new("r.updated_at"),
        ["meta", "version"] => return Sql::new("('W/\"' || r.version || '\"')"),
        ["meta", "resourceType"] if kind == ResourceKind::User => return Sql::new("'User'::text"),
        ["meta", "resourceType"] => return Sql::new("'Group'::text"),
        _ => {}
    }
    let mut sql = Sql::new("(r.attributes");
    let last = names.len().saturating_sub(1);
    for (at, name) in names.into_iter().enumerate() {
        sql.text(if at == last { " ->> '" } else { " -> '" }).text(name).text("'");
    }
    sql.text(")");
    sql
}

#[cfg(test)]
mod tests {
    use super::super::filter::parse;
    use super::*;

    fn rendered(text: &str) -> (String, Vec<Option<String>>) {
        let (text, values) = condition(ResourceKind::User, &parse(text).unwrap(), Unknown::Refused).unwrap().render();
        (text, values.iter().map(|value| value.as_str().map(str::to_owned)).collect())
    }

    #[test]
    fn values_are_bound_and_names_are_the_tables() {
        let (text, values) = rendered(r#"USERNAME eq "x' or 1=1 --" and emails[type eq "work"] and not (active eq "True")"#);
        assert_eq!(
            text,
            "(((lower((r.attributes ->> 'userName')) collate \"C\" = lower($1::text)) \
             and exists (select from jsonb_array_elements(r.attributes -> 'emails') e (v) \
             where (lower((e.v ->> 'type')) collate \"C\" = lower($2::text)))) \
             and (not coalesce((coalesce((r.active)::boolean, false) = $3::boolean), false)))"
        );
        assert_eq!(values, [Some("x' or 1=1 --".to_owned()), Some("work".to_owned()), Some("true".to_owned())]);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        for text in [
            "active gt true",
            r#"active eq "perhaps""#,
            "userName eq true",
            "userName eq 7",
            r#"meta.created gt "yesterday""#,
            r#"meta.created co "2011-05-13T04:42:34Z""#,
            r#"name eq "Jensen""#,
            "title gt null",
            r#"userName[value eq "x"]"#,
            r#"emails[volume eq "x"]"#,
            r#"password eq "x""#,
            r#"members.value eq "x""#,
        ] {
            let refused = condition(ResourceKind::User, &parse(text).unwrap(), Unknown::Refused).err();
            assert!(format!("{refused:?}").contains("invalidFilter"), "{text}");
        }
        let lenient = condition(ResourceKind::User, &parse(r#"members.value eq "x""#).unwrap(), Unknown::Absent).unwrap();
        assert_eq!(lenient.render().0, "false");
    }
}
