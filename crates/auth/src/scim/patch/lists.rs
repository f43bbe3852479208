//! Elements that are added to a list or taken from it.
//!
//! Invariant: elements that have a value are found by it, so that a thousand members come into ten thousand without each being compared with
//! each; whatever has none counts.

use std::collections::HashMap;

use serde_json::Value;

use super::effort::{Effort, weight};
use crate::scim::error::Outcome;
use crate::scim::intake::is_primary;

/// Adds elements. One that is there already stays as it is, unless the new one is the preferred one and takes its place.
pub(super) fn add(elements: &mut Vec<Value>, given: Vec<Value>, effort: &mut Effort) -> Outcome<()> {
    let mut places = Places::of(elements);
    let mut slots: Vec<Option<Value>> = std::mem::take(elements).into_iter().map(Some).collect();
    for new in given {
        let mut there = Vec::new();
        for place in places.of_one(&new, slots.len(), effort)? {
            if slots.get(place).and_then(Option::as_ref).is_some_and(|old| same(&new, old)) {
                there.push(place);
            }
        }
        if !there.is_empty() && !is_primary(&new) {
            continue;
        }
        for place in there {
            if let Some(slot) = slots.get_mut(place) {
                *slot = None;
            }
        }
        places.note(&new, slots.len());
        slots.push(Some(new));
    }
    elements.extend(slots.into_iter().flatten());
    Ok(())
}

/// Takes away whatever one of the given elements says.
pub(super) fn take_away(elements: &mut Vec<Value>, given: &[Value], effort: &mut Effort) -> Outcome<()> {
    let places = Places::of(elements);
    let mut is_gone = vec![false; elements.len()];
    for gone in given {
        for place in places.of_one(gone, elements.len(), effort)? {
            if let (Some(is_gone), Some(old)) = (is_gone.get_mut(place), elements.get(place)) {
                *is_gone = *is_gone || same(gone, old);
            }
        }
    }
    let mut is_gone = is_gone.into_iter();
    elements.retain(|_| is_gone.next() != Some(true));
    Ok(())
}

/// Where the elements of each value stand.
struct Places(HashMap<Value, Vec<usize>>);

impl Places {
    fn of(elements: &[Value]) -> Self {
        let mut places = Self(HashMap::with_capacity(elements.len()));
        for (place, element) in elements.iter().enumerate() {
            places.note(element, place);
        }
        places
    }

    fn note(&mut self, element: &Value, place: usize) {
        if let Some(value) = element.get("value") {
            self.0.entry(value.clone()).or_default().push(place);
        }
    }

    /// Returns where something may stand that is what `said` says: where its value does, and without one anywhere.
    fn of_one(&self, said: &Value, length: usize, effort: &mut Effort) -> Outcome<Vec<usize>> {
        let places = match said.get("value") {
            Some(value) => self.0.get(value).cloned().unwrap_or_default(),
            None => (0..length).collect(),
        };
        effort.compare(weight(said), places.len())?;
        Ok(places)
    }
}

/// Tells whether an element is what another one says, whatever else it has.
fn same(said: &Value, element: &Value) -> bool {
    let said = said.as_object().into_iter().flatten();
    let mut said = said.filter(|(name, _)| !matches!(name.as_str(), "display" | "$ref" | "primary")).peekable();
    said.peek().is_some() && said.all(|(name, value)| element.get(name) == Some(value))
}
