//! Reading again only what changed since a catalog was read.
//!
//! Invariant: what comes of it is what reading everything gives. Of a relation that changed all that show something of it are read again:
//! those with a key that leads to it, and all views. Where a name changed that may stand in what another one says (a relation's, a
//! function's, a type's, a sequence's, a schema's), everything is read.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{Catalog, Document};

/// How every relation and function was when it was read, by its number.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
pub(super) struct Marks {
    /// What belongs to no single one.
    shared: String,
    relations: HashMap<u32, Mark>,
    functions: HashMap<u32, Mark>,
}

/// A name, and two numbers of which one is another after every change.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
struct Mark(String, i64, i64);

/// The relations and functions that changed: those that are new and those that are gone, too.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub(super) struct Changed {
    pub(super) relations: Vec<u32>,
    pub(super) functions: Vec<u32>,
}

impl Marks {
    /// Returns what changed; nothing where everything is to be read.
    pub(super) fn changed_since(&self, before: &Self) -> Option<Changed> {
        if self.shared != before.shared {
            return None;
        }
        let relations = changed(&before.relations, &self.relations)?;
        Some(Changed { relations, functions: changed(&before.functions, &self.functions)? })
    }
}

fn changed(before: &HashMap<u32, Mark>, now: &HashMap<u32, Mark>) -> Option<Vec<u32>> {
    let mut changed: Vec<u32> = before.keys().filter(|oid| !now.contains_key(oid)).copied().collect();
    for (oid, mark) in now {
        match before.get(oid) {
            Some(known) if known == mark => {}
            Some(Mark(name, ..)) if *name != mark.0 => return None,
            _ => changed.push(*oid),
        }
    }
    Some(changed)
}

/// Returns the whole document: what was read now, and of what did not change what a catalog has.
pub(super) fn joined(before: &Catalog, changed: &Changed, mut read: Document) -> Document {
    let gone: HashSet<u32> = changed.relations.iter().copied().chain(read.relations.iter().map(|relation| relation.oid)).collect();
    let mut names: HashSet<(String, String)> = HashSet::new();
    names.extend(read.relations.iter().map(|relation| (relation.schema.clone(), relation.name.clone())));
    for relation in before.schemas.values().flat_map(|schema| schema.relations.values()) {
        if gone.contains(&relation.oid) {
            names.insert((relation.schema.clone(), relation.name.clone()));
            continue;
        }
        // As it was read: what follows from other relations is found anew.
        let mut kept = relation.clone();
        kept.declaration = None;
        for column in &mut kept.columns {
            column.origin_comment = None;
        }
        read.relations.push(kept);
    }
    let constraints = before.constraints.iter();
    read.constraints.extend(constraints.filter(|it| !names.contains(&(it.schema.clone(), it.relation.clone()))).cloned());
    let functions = before.schemas.values().flat_map(|schema| schema.functions.values().flatten());
    let gone: HashSet<u32> = changed.functions.iter().copied().collect();
    read.functions.extend(functions.filter(|function| !gone.contains(&function.oid)).cloned());
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(shared: &str, relations: &[(u32, &str, i64)], functions: &[(u32, &str, i64)]) -> Marks {
        let map = |list: &[(u32, &str, i64)]| list.iter().map(|(oid, name, mark)| (*oid, Mark((*name).to_owned(), 1, *mark))).collect();
        Marks { shared: shared.to_owned(), relations: map(relations), functions: map(functions) }
    }

    #[test]
    fn what_is_new_other_or_gone_changed() {
        let before = marks("s", &[(1, "a", 5), (2, "b", 5), (3, "c", 5)], &[(9, "f", 5)]);
        let now = marks("s", &[(1, "a", 5), (2, "b", 6), (4, "d", 7)], &[(9, "f", 5)]);
        let mut changed = now.changed_since(&before).unwrap();
        changed.relations.sort_unstable();
        assert_eq!(changed, Changed { relations: vec![2, 3, 4], functions: vec![] });
        assert_eq!(now.changed_since(&now), Some(Changed::default()));
    }

    #[test]
    fn another_name_may_stand_anywhere() {
        let before = marks("s", &[(1, "a", 5)], &[(9, "f", 5)]);
        assert_eq!(marks("t", &[(1, "a", 5)], &[(9, "f", 5)]).changed_since(&before), None);
        assert_eq!(marks("s", &[(1, "z", 6)], &[(9, "f", 5)]).changed_since(&before), None);
        assert_eq!(marks("s", &[(1, "a", 5)], &[(9, "g", 6)]).changed_since(&before), None);
    }
}
