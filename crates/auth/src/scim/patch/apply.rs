//! One operation at one path.
//!
//! Invariant: values are read as [`intake`] reads them; whatever becomes empty is taken away.

use serde_json::{Map, Value};

use super::effort::{Effort, weight};
use super::lists;
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
pub(super) fn at((kind, effort): (ResourceKind, &mut Effort), resource: &mut Map<String, Value>, verb: Verb, aim: Aim<'_>) -> Outcome<()> {
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
    effort.compare(1, elements.len())?;
    match (&target.within, below) {
        (None, None) => whole(list, effort, &mut elements, (verb, value))?,
        (None, Some(sub)) => {
            if verb != Verb::Remove {
                effort.write(value, elements.len())?;
            }
            each(list, &mut elements, (verb, sub, value))?;
        }
        (Some(filter), below) => chosen((list, effort), &mut elements, filter, (verb, below, value))?,
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
fn whole(list: &'static Attribute, effort: &mut Effort, elements: &mut Vec<Value>, (verb, value): (Verb, &Value)) -> Outcome<()> {
    let given = match intake::value(list, value)? {
        Some(Value::Array(given)) => given,
        _ => Vec::new(),
    };
    match verb {
        // With a value only these are taken away, as one directory wants it.
        Verb::Remove if !given.is_empty() => lists::take_away(elements, &given, effort)?,
        Verb::Remove => elements.clear(),
        Verb::Replace => *elements = given,
        Verb::Add => {
            // A preferred one is the only one.
            if given.iter().any(intake::is_primary) {
                prefer(elements, None);
            }
            lists::add(elements, given, effort)?;
        }
    }
    Ok(())
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
    (list, effort): (&'static Attribute, &mut Effort),
    elements: &mut Vec<Value>,
    filter: &Filter,
    change: (Verb, Option<&'static Attribute>, &Value),
) -> Outcome<()> {
    let (verb, below, value) = change;
    // Each condition reads of every element at most all that it has, and what it is compared with.
    let read = elements.iter().map(weight).fold(filter.weight().saturating_mul(elements.len()), usize::saturating_add);
    effort.compare(read, filter.conditions())?;
    let mut found = elements.iter().map(|element| matches(list, filter, element)).collect::<Outcome<Vec<bool>>>()?;
    if verb != Verb::Remove {
        effort.write(value, found.iter().filter(|is_found| **is_found).count())?;
    }
    if !found.contains(&true) && verb != Verb::Remove {
        // Directories count on it that an address which is not there yet is made by the condition that names it.
        let made = equalities(list, filter).ok_or_else(|| Refused::target("No element fulfils the condition of the path"))?;
        let members = made.into_iter().map(|(attribute, value)| (attribute.name.to_owned(), value)).collect();
        let made = intake::single(list, &Value::Object(members))?;
        found.push(true);
        elements.push(made.unwrap_or_default());
    }
    let mut is_found = found.iter();
    let mut failed = None;
    elements.retain_mut(|element| {
        if is_found.next() != Some(&true) || failed.is_some() {
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
    let is_preferred = |(is_found, element): (&bool, &Value)| *is_found && intake::is_primary(element);
    if let Some(at) = found.iter().zip(elements.iter()).position(is_preferred).filter(|_| verb != Verb::Remove) {
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
