//! `select`: columns, paths, casts, aggregates and embedded tables.

use kernel::{Error, Kind, Result};

use super::ParseLimits;
use super::cursor::Cursor;
use super::field::path;
use super::syntax::{Aggregate, Embed, Field, JoinKind, SelectItem};

/// Reads the whole of `select`. Nothing means everything.
pub(super) fn select(text: &str, limits: &ParseLimits) -> Result<Vec<SelectItem>> {
    let cursor = Cursor::new("select parameter", text);
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut left = limits.select_items_max;
    let items = items(&cursor, limits, 0, &mut left)?;
    cursor.end()?;
    Ok(items)
}

fn items(cursor: &Cursor<'_>, limits: &ParseLimits, depth: usize, left: &mut usize) -> Result<Vec<SelectItem>> {
    if depth > limits.embed_depth_max {
        return Err(too_deep(limits.embed_depth_max));
    }
    let mut items = Vec::new();
    loop {
        *left = left.checked_sub(1).ok_or_else(|| cursor.too_much("items", limits.select_items_max))?;
        cursor.skip_spaces();
        items.push(item(cursor, limits, depth, left)?);
        cursor.skip_spaces();
        if !cursor.eat(",") {
            return Ok(items);
        }
    }
}

fn too_deep(levels_max: usize) -> Error {
    Error::new(Kind::BadRequest, "embedding_too_deep", "Related tables are embedded too deep in each other")
        .with_hint(format!("At most {levels_max} levels may be embedded in each other."))
}

fn item(cursor: &Cursor<'_>, limits: &ParseLimits, depth: usize, left: &mut usize) -> Result<SelectItem> {
    if cursor.eat("...") {
        let (alias, name, _) = aliased(cursor)?;
        return embed(cursor, limits, (depth, left), Named { alias, name, spread: true });
    }
    if cursor.eat("*") {
        return Ok(SelectItem::Star);
    }
    let (alias, name, in_quotes) = aliased(cursor)?;
    // In quotes it is a table of that name.
    if name == "count" && !in_quotes && cursor.eat("()") {
        let aggregate_cast = cast(cursor)?;
        return Ok(SelectItem::Field { field: None, aggregate: Some(Aggregate::Count), cast: None, aggregate_cast, alias });
    }
    if matches!(cursor.peek(), Some('!' | '(')) {
        return embed(cursor, limits, (depth, left), Named { alias, name, spread: false });
    }
    let field = Some(Field { name, path: path(cursor)? });
    let cast_before = cast(cursor)?;
    let aggregate = aggregate(cursor);
    let aggregate_cast = if aggregate.is_some() { cast(cursor)? } else { None };
    Ok(SelectItem::Field { field, aggregate, cast: cast_before, aggregate_cast, alias })
}

struct Named {
    alias: Option<String>,
    name: String,
    spread: bool,
}

/// Reads `alias:name` or `name`; tells also whether the name stands in quotes.
fn aliased(cursor: &Cursor<'_>) -> Result<(Option<String>, String, bool)> {
    let in_quotes = cursor.peek() == Some('"');
    let first = cursor.name()?;
    if cursor.rest().starts_with(':') && !cursor.rest().starts_with("::") {
        cursor.eat(":");
        let in_quotes = cursor.peek() == Some('"');
        return Ok((Some(first), cursor.name()?, in_quotes));
    }
    Ok((None, first, in_quotes))
}

fn embed(cursor: &Cursor<'_>, limits: &ParseLimits, (depth, left): (usize, &mut usize), named: Named) -> Result<SelectItem> {
    let (mut hint, mut join) = (None, None);
    while cursor.eat("!") {
        let word = cursor.name()?;
        match word.as_str() {
            "inner" if join.is_none() => join = Some(JoinKind::Inner),
            "left" if join.is_none() => join = Some(JoinKind::Left),
            _ if hint.is_none() => hint = Some(word),
            _ => return Err(cursor.failed("\"(\"")),
        }
    }
    cursor.expect("(")?;
    cursor.skip_spaces();
    let select = if cursor.peek() == Some(')') { Vec::new() } else { items(cursor, limits, depth.saturating_add(1), left)? };
    cursor.expect(")")?;
    let Named { alias, name, spread } = named;
    Ok(SelectItem::Embed(Embed { name, alias, hint, join, spread, select }))
}

fn cast(cursor: &Cursor<'_>) -> Result<Option<String>> {
    if !cursor.eat("::") {
        return Ok(None);
    }
    let name = cursor.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ' ' | '$' | '[' | ']')).trim();
    if name.is_empty() { Err(cursor.failed("the name of a type")) } else { Ok(Some(name.to_owned())) }
}

fn aggregate(cursor: &Cursor<'_>) -> Option<Aggregate> {
    [
        (".avg()", Aggregate::Avg),
        (".count()", Aggregate::Count),
        (".max()", Aggregate::Max),
        (".min()", Aggregate::Min),
        (".sum()", Aggregate::Sum),
    ]
    .into_iter()
    .find_map(|(words, aggregate)| cursor.eat(words).then_some(aggregate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<SelectItem>> {
        select(text, &ParseLimits::default())
    }

    fn column(name: &str) -> SelectItem {
        let field = Some(Field { name: name.to_owned(), path: Vec::new() });
        SelectItem::Field { field, aggregate: None, cast: None, aggregate_cast: None, alias: None }
    }

    #[test]
    fn columns_have_aliases_casts_and_aggregates() {
        assert_eq!(read("a, b,*").unwrap(), [column("a"), column("b"), SelectItem::Star]);
        let SelectItem::Field { field, cast, alias, .. } = &read("short:long_name::double precision").unwrap()[0] else { panic!() };
        let names = (field.as_ref().map(|field| field.name.as_str()), cast.as_deref(), alias.as_deref());
        assert_eq!(names, (Some("long_name"), Some("double precision"), Some("short")));
        let SelectItem::Field { aggregate, cast, aggregate_cast, .. } = &read("price::int.sum()::text").unwrap()[0] else { panic!() };
        assert_eq!((*aggregate, cast.as_deref(), aggregate_cast.as_deref()), (Some(Aggregate::Sum), Some("int"), Some("text")));
        let SelectItem::Field { field: None, aggregate: Some(Aggregate::Count), .. } = &read("count()").unwrap()[0] else { panic!() };
        assert_eq!(read("count").unwrap(), [column("count")]);
        let SelectItem::Embed(table) = &read(r#"n:"count"()"#).unwrap()[0] else { panic!("a table of that name") };
        assert_eq!((table.name.as_str(), table.alias.as_deref()), ("count", Some("n")));
        assert_eq!(read("").unwrap(), []);
    }

    #[test]
    fn related_tables_nest() {
        let items = read("id,owner:users!jobs_owner_fkey!inner(name,...company(name)),notes()").unwrap();
        let SelectItem::Embed(owner) = &items[1] else { panic!() };
        assert_eq!((owner.name.as_str(), owner.alias.as_deref()), ("users", Some("owner")));
        assert_eq!((owner.hint.as_deref(), owner.join), (Some("jobs_owner_fkey"), Some(JoinKind::Inner)));
        let SelectItem::Embed(company) = &owner.select[1] else { panic!() };
        assert!(company.spread && company.select == [column("name")]);
        let SelectItem::Embed(notes) = &items[2] else { panic!() };
        assert_eq!(notes.select, []);
    }

    #[test]
    fn what_is_no_select_is_an_error() {
        let deep = "a(".repeat(100) + &")".repeat(100);
        assert_eq!(read(&deep).unwrap_err().code(), "embedding_too_deep");
        for bad in ["a,", ",a", "a(b", "a)", "a!x!y!z(b)", "a::", "a:", "...a"] {
            assert_eq!(read(bad).unwrap_err().code(), "PGRST100", "{bad}");
        }
    }
}
