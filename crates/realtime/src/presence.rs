//! Who is present in one channel: entries under keys, as clients track them.
//!
//! Invariant: an entry belongs to one member of one server, and goes with it; each change is one diff, in which the clients of Phoenix find
//! what left by its `phx_ref`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::hub::MemberId;
use crate::wire;

/// Whose an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Holder {
    pub(crate) node: Uuid,
    pub(crate) member: MemberId,
}

/// An entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) holder: Holder,
    /// What it is called.
    pub(crate) reference: Box<str>,
    /// Its JSON, refs included.
    pub(crate) json: Box<str>,
}

/// The entries of a channel, by key.
#[derive(Debug, Default)]
pub(crate) struct Presences {
    keys: BTreeMap<Box<str>, Vec<Entry>>,
    count: usize,
}

/// What changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Diff {
    pub(crate) joins: Vec<(Box<str>, Entry)>,
    pub(crate) leaves: Vec<(Box<str>, Entry)>,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

/// Makes an entry of what a client tracks, in place of an earlier one if there is one.
pub(crate) fn entry(holder: Holder, payload: Map<String, Value>, before: Option<&str>) -> Entry {
    let (node, _) = holder.node.as_u64_pair();
    let reference = format!("{:x}-{:x}", node >> 32, NEXT.fetch_add(1, Ordering::Relaxed));
    let mut whole = Map::with_capacity(payload.len() + 2);
    whole.insert("phx_ref".to_owned(), Value::from(reference.as_str()));
    if let Some(before) = before {
        whole.insert("phx_ref_prev".to_owned(), Value::from(before));
    }
    whole.extend(payload.into_iter().filter(|(key, _)| key != "phx_ref" && key != "phx_ref_prev"));
    Entry { holder, reference: reference.into(), json: Value::Object(whole).to_string().into() }
}

impl Presences {
    /// Returns how many entries there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Returns the key and the name of a member's entry.
    pub(crate) fn of(&self, holder: Holder) -> Option<(&str, &str)> {
        let found = self.keys.iter().flat_map(|(key, entries)| entries.iter().map(move |entry| (key, entry)));
        let (key, entry) = found.into_iter().find(|(_, entry)| entry.holder == holder)?;
        Some((key, &entry.reference))
    }

    /// Tells whether there is an entry of this name.
    pub(crate) fn has(&self, reference: &str) -> bool {
        self.keys.values().flatten().any(|entry| &*entry.reference == reference)
    }

    /// Puts a member's entry in, in place of the one that it had.
    pub(crate) fn put(&mut self, key: &str, entry: Entry) -> Diff {
        let mut diff = self.remove(|known| known.holder == entry.holder);
        self.keys.entry(key.into()).or_default().push(entry.clone());
        self.count += 1;
        diff.joins.push((key.into(), entry));
        diff
    }

    /// Takes entries out.
    pub(crate) fn remove(&mut self, goes: impl Fn(&Entry) -> bool) -> Diff {
        let mut diff = Diff::default();
        self.keys.retain(|key, entries| {
            for entry in entries.extract_if(.., |entry| goes(entry)) {
                diff.leaves.push((key.clone(), entry));
            }
            !entries.is_empty()
        });
        self.count = self.count.saturating_sub(diff.leaves.len());
        diff
    }

    /// Returns all of them, as `presence_state` has it.
    pub(crate) fn state(&self) -> String {
        by_key(self.keys.iter().flat_map(|(key, entries)| entries.iter().map(move |entry| (key, entry))))
    }

    /// Returns those of one server.
    pub(crate) fn held_by(&self, node: Uuid) -> Vec<(Box<str>, Entry)> {
        let all = self.keys.iter().flat_map(|(key, entries)| entries.iter().map(move |entry| (key.clone(), entry.clone())));
        all.filter(|(_, entry)| entry.holder.node == node).collect()
    }
}

impl Diff {
    /// Tells whether nothing changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.joins.is_empty() && self.leaves.is_empty()
    }

    /// Returns it as `presence_diff` has it.
    pub(crate) fn json(&self) -> String {
        let of = |side: &[(Box<str>, Entry)]| {
            let mut sorted: Vec<(&Box<str>, &Entry)> = side.iter().map(|(key, entry)| (key, entry)).collect();
            sorted.sort_by_key(|(key, _)| *key);
            by_key(sorted.into_iter())
        };
        format!("{{\"joins\":{},\"leaves\":{}}}", of(&self.joins), of(&self.leaves))
    }
}

/// Writes entries, which come sorted by key.
fn by_key<'a>(entries: impl Iterator<Item = (&'a Box<str>, &'a Entry)>) -> String {
    let mut text = String::from("{");
    let mut last: Option<&str> = None;
    for (key, entry) in entries {
        if last == Some(key) {
            text.push(',');
        } else {
            let end = if last.is_some() { "]}," } else { "" };
            // Writing into a String cannot fail.
            let _infallible = write!(text, "{end}{}:{{\"metas\":[", wire::quoted(key));
        }
        text.push_str(&entry.json);
        last = Some(key);
    }
    text.push_str(if last.is_some() { "]}}" } else { "}" });
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holder(member: u64) -> Holder {
        Holder { node: Uuid::nil(), member: MemberId(member) }
    }

    fn tracked(presences: &mut Presences, member: u64, key: &str, status: &str) -> Value {
        let before = presences.of(holder(member)).map(|(_, reference)| reference.to_owned());
        let Value::Object(payload) = json!({ "status": status, "phx_ref": "forged" }) else { panic!() };
        let diff = presences.put(key, entry(holder(member), payload, before.as_deref()));
        serde_json::from_str(&diff.json()).unwrap()
    }

    #[test]
    fn an_update_is_one_diff_that_names_what_it_replaces() {
        let mut presences = Presences::default();
        assert_eq!(presences.state(), "{}");
        let joined = tracked(&mut presences, 1, "ann", "in");
        assert_eq!((&joined["joins"]["ann"]["metas"][0]["status"], &joined["leaves"]), (&json!("in"), &json!({})));
        let first = joined["joins"]["ann"]["metas"][0]["phx_ref"].clone();
        assert_ne!(first, json!("forged"));
        let changed = tracked(&mut presences, 1, "ann", "away");
        assert_eq!(changed["leaves"]["ann"]["metas"][0]["phx_ref"], first);
        assert_eq!(changed["joins"]["ann"]["metas"][0]["phx_ref_prev"], first);
        tracked(&mut presences, 2, "ann", "elsewhere");
        tracked(&mut presences, 3, "bob", "in");
        let state: Value = serde_json::from_str(&presences.state()).unwrap();
        assert_eq!(state["ann"]["metas"].as_array().unwrap().len(), 2);
        assert_eq!((state["bob"]["metas"].as_array().unwrap().len(), presences.count()), (1, 3));
        let left = presences.remove(|entry| entry.holder == holder(2));
        let left: Value = serde_json::from_str(&left.json()).unwrap();
        assert_eq!(left["leaves"]["ann"]["metas"][0]["status"], "elsewhere");
        assert!(presences.remove(|entry| entry.holder == holder(9)).is_empty());
        assert_eq!(presences.count(), 2);
    }
}
