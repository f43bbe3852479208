//! One operation at one path.
//!
//! Invariant: values are read as [`intake`] reads them; whatever becomes empty is taken away.

use serde_json::{Map, Value};

use super::matching::{equalities, matches};
use super::{Aim, Verb};
use crate::scim::error::{Outcome, Refused};
use crate::scim::filter::{Filter, Target};
use crate::scim::intake;
use crate::scim::names::Route;
use crate::scim::schema::{Attribute, Kind, ResourceKind};

/// Tells whether a path names something that a directory writes: in a value without a path other names are passed over.
pub(super) fn is_writable(kind: ResourceKind, target: &Target) -> bool {
    Route::find(kind, &target.name).is_some_and(|route| !route.is_read_only())
}

/// Applies an operation where the path says.
pub(super) fn at(kind: ResourceKind, resource: &mut Map<String, Value>, verb: Verb, aim: Aim<'_>) -> Outcome<()> {
    let (target, value) = aim;
    let route = Route::find(kind, &target.name).ok_or_else(|| Refused::path(format!("There is no attribute {}", target.name)))?;
    if route.is_read_only() {
        return Err(Refused::mutability(format!("Attribute '{route}' is readOnly")));
    }
    let Some((list, below)) = route.list() else {
        if target.within.is_some() {
            return Err(Refused::path(format!("{route} is no list")));
        }
        return plain(resource, route.steps(), verb, value);
    };
    let below = match (&target.sub, below) {
        (None, []) => None,
        (None, [sub]) => Some(*sub),
        (Some(name), []) => Some(list.sub(name).ok_or_else(|| Refused::path(format!("{} has no {name}", list.name)))?),
        _ => return Err(Refused::path(format!("{route} is too long"))),
    };
    let mut elements = match resource.remove(list.name) {
        Some(Value::Array(elements)) => elements,
        _ => Vec::new(),
    };
    match (&target.within, below) {
        (None, None) => whole(list, &mut elements, verb, value)?,
        (None, Some(sub)) => each(list, &mut elements, (verb, sub, value))?,
        (Some(filter), below) => chosen(list, &mut elements, filter, (verb, below, value))?,
    }
    elements.retain(|element| element.as_object().is_some_and(|members| !members.is_empty()));
    if !elements.is_empty() {
        resource.insert(list.name.to_owned(), Value::Array(elements));
    }
    Ok(())
}

/// What is no list: an attribute, an attribute of it, or one of an extension.
fn plain(within: &mut Map<String, Value>, steps: &[&'static Attribute], verb: Verb, value: &Value) -> Outcome<()> {
    let Some((first, rest)) = steps.split_first() else { return Ok(()) };
    if !rest.is_empty() {
        let mut inner = match within.remove(first.name) {
            Some(Value::Object(inner)) => inner,
            _ => Map::new(),
        };
        plain(&mut inner, rest, verb, value)?;
        if !inner.is_empty() {
            within.insert(first.name.to_owned(), Value::Object(inner));
        }
        return Ok(());
    }
    if verb == Verb::Remove {
        if first.required {
            return Err(Refused::mutability(format!("Attribute '{}' is required", first.name)));
        }
        within.remove(first.name);
        return Ok(());
    }
    let given = intake::value(first, value)?;
    // Of a complex one both operations leave what the value does not name.
    if first.kind == Kind::Complex
        && let (Some(Value::Object(old)), Some(Value::Object(new))) = (within.get_mut(first.name), &given)
    {
        old.extend(new.clone());
        return Ok(());
    }
    match given {
        Some(given) => within.insert(first.name.to_owned(), given),
        None => within.remove(first.name),
    };
    Ok(())
}

/// A whole list.
fn whole(list: &'static Attribute, elements: &mut Vec<Value>, verb: Verb, value: &Value) -> Outcome<()> {
    let given = match intake::value(list, value)? {
        Some(Value::Array(given)) => given,
        _ => Vec::new(),
    };
    match verb {
        // With a value only these are taken away, as one directory wants it.
        Verb::Remove if !given.is_empty() => {
            elements.retain(|old| !given.iter().any(|gone| same(gone, old)));
        }
        Verb::Remove => elements.clear(),
        Verb::Replace => *elements = given,
        Verb::Add => {
            for new in given {
                add(elements, new);
            }
        }
    }
    Ok(())
}

/// Adds an element; an equal one is there already, and a preferred one is the only one.
fn add(elements: &mut Vec<Value>, new: Value) {
    if elements.iter().any(|old| same(&new, old)) && !intake::is_primary(&new) {
        return;
    }
    elements.retain(|old| !same(&new, old));
    if intake::is_primary(&new) {
        prefer(elements, None);
    }
    elements.push(new);
}

/// Tells whether an element is what another one says, whatever else it has.
fn same(said: &Value, element: &Value) -> bool {
    let said = said.as_object().into_iter().flatten();
    let mut said = said.filter(|(name, _)| !matches!(name.as_str(), "display" | "$ref" | "primary")).peekable();
    said.peek().is_some() && said.all(|(name, value)| element.get(name) == Some(value))
}

/// Leaves one preferred element at most.
fn prefer(elements: &mut [Value], at: Option<usize>) {
    for (position, element) in elements.iter_mut().enumerate() {
        if Some(position) != at
            && intake::is_primary(element)
            && let Some(members) = element.as_object_mut()
        {
            members.remove("primary");
        }
    }
}

type Change<'a> = (Verb, &'static Attribute, &'a Value);

/// An attribute of every element.
fn each(list: &'static Attribute, elements: &mut [Value], change: Change<'_>) -> Outcome<()> {
    if elements.is_empty() && change.0 != Verb::Remove {
        return Err(Refused::target(format!("{} has no element", list.name)));
    }
    for element in elements.iter_mut() {
        set(element, change)?;
    }
    Ok(())
}

/// The elements that fulfil a condition, or an attribute of these.
fn chosen(
    list: &'static Attribute,
    elements: &mut Vec<Value>,
    filter: &Filter,
    change: (Verb, Option<&'static Attribute>, &Value),
) -> Outcome<()> {
    let (verb, below, value) = change;
    let mut found = Vec::new();
    for (position, element) in elements.iter().enumerate() {
        if matches(list, filter, element)? {
            found.push(position);
        }
    }
    if found.is_empty() && verb != Verb::Remove {
        // Directories count on it that an address which is not there yet is made by the condition that names it.
        let made = equalities(list, filter).ok_or_else(|| Refused::target("No element fulfils the condition of the path"))?;
        let members = made.into_iter().map(|(attribute, value)| (attribute.name.to_owned(), value)).collect();
        let made = intake::single(list, &Value::Object(members))?;
        found.push(elements.len());
        elements.push(made.unwrap_or_default());
    }
    let mut position = 0_usize;
    let mut failed = None;
    elements.retain_mut(|element| {
        let is_found = found.contains(&position);
        position = position.saturating_add(1);
        if !is_found || failed.is_some() {
            return true;
        }
        let done = match (verb, below) {
            (Verb::Remove, None) => return false,
            (_, Some(sub)) => set(element, (verb, sub, value)),
            (_, None) => merge(list, element, value),
        };
        failed = done.err();
        true
    });
    failed.map_or(Ok(()), Err)?;
    if let Some(at) = found.iter().copied().find(|at| elements.get(*at).is_some_and(intake::is_primary)).filter(|_| verb != Verb::Remove) {
        prefer(elements, Some(at));
    }
    Ok(())
}

fn set(element: &mut Value, (verb, attribute, value): Change<'_>) -> Outcome<()> {
    let given = if verb == Verb::Remove { None } else { intake::single(attribute, value)? };
    if let Some(members) = element.as_object_mut() {
        match given {
            Some(given) => members.insert(attribute.name.to_owned(), given),
            None => members.remove(attribute.name),
        };
    }
    Ok(())
}

fn merge(list: &'static Attribute, element: &mut Value, value: &Value) -> Outcome<()> {
    let one = match value {
        Value::Array(values) if values.len() == 1 => values.first().unwrap_or(value),
        _ => value,
    };
    if let (Some(Value::Object(new)), Some(old)) = (intake::single(list, one)?, element.as_object_mut()) {
        old.extend(new);
    }
    Ok(())
}
