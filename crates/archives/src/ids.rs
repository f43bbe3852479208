//! New ids for old ones, wherever an old one stands: in keys, in columns that name rows of any table, in JSON, in names of files.
//!
//! Invariant: an id is replaced where it is written as PostgreSQL writes ids, and nothing else is. New ids keep the time that old ones
//! begin with, by which some tables are divided, and stand in the same order, by which keys and JSON are sorted; so that replacing them
//! back gives the very rows that were exported.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use memchr::memchr;
use uuid::Uuid;

/// Letters of an id.
const LETTERS: usize = 36;
/// Where its first dash is.
const DASH: usize = 8;
/// Bytes of an id that say when it was made.
const TIME: usize = 6;

/// Which id becomes which.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    new: HashMap<Uuid, Uuid>,
    old: HashMap<Uuid, Uuid>,
}

impl Ids {
    /// Makes a new id for each old one.
    pub(crate) fn for_all(old: &BTreeSet<Uuid>) -> Self {
        let mut ids = Self::default();
        let mut waiting: Vec<Uuid> = Vec::new();
        for id in old {
            if waiting.last().is_some_and(|last| time(last) != time(id)) {
                ids.make(&mut waiting);
            }
            waiting.push(*id);
        }
        ids.make(&mut waiting);
        ids
    }

    /// Ids of one moment: as many new ones, in the same order.
    fn make(&mut self, waiting: &mut Vec<Uuid>) {
        let mut fresh = BTreeSet::new();
        while let (true, Some(first)) = (fresh.len() < waiting.len(), waiting.first()) {
            let mut bytes: [u8; 16] = rand::random();
            for (to, from) in bytes.iter_mut().zip(first.as_bytes()).take(TIME) {
                *to = *from;
            }
            let mark = first.as_bytes().get(TIME).map_or(0x70, |byte| byte & 0xf0);
            let [_, _, _, _, _, _, version, _, variant, ..] = &mut bytes;
            *version = mark | (*version & 0x0f);
            *variant = 0x80 | (*variant & 0x3f);
            fresh.insert(Uuid::from_bytes(bytes));
        }
        for (old, new) in waiting.drain(..).zip(fresh) {
            self.add(old, new);
        }
    }

    /// Has one id become another.
    pub(crate) fn add(&mut self, old: Uuid, new: Uuid) {
        if old != new {
            self.new.insert(old, new);
            self.old.insert(new, old);
        }
    }

    /// Returns what an id becomes.
    pub(crate) fn of(&self, id: Uuid) -> Uuid {
        self.new.get(&id).copied().unwrap_or(id)
    }

    /// Replaces old ids by new ones.
    pub(crate) fn renew<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        replaced(text, &self.new)
    }

    /// Replaces new ids by old ones.
    pub(crate) fn restore<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        replaced(text, &self.old)
    }
}

/// Returns the id that a text is, as PostgreSQL writes it.
pub(crate) fn read(text: &[u8]) -> Option<Uuid> {
    let is_written = text.len() == LETTERS && !text.iter().any(u8::is_ascii_uppercase);
    if is_written { Uuid::try_parse_ascii(text).ok() } else { None }
}

fn time(id: &Uuid) -> Option<&[u8]> {
    id.as_bytes().get(..TIME)
}

fn replaced<'a>(text: &'a [u8], by: &HashMap<Uuid, Uuid>) -> Cow<'a, [u8]> {
    if by.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::new();
    // What is written already, and where the next dash is looked for.
    let (mut done, mut at) = (0, 0);
    while let Some(dash) = text.get(at..).and_then(|rest| memchr(b'-', rest)).map(|found| at + found) {
        at = dash + 1;
        let Some(begin) = dash.checked_sub(DASH).filter(|begin| *begin >= done) else { continue };
        let known = text.get(begin..begin + LETTERS).and_then(read).and_then(|id| by.get(&id));
        if let Some(id) = known {
            out.extend_from_slice(text.get(done..begin).unwrap_or_default());
            out.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
            done = begin + LETTERS;
            at = done;
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.extend_from_slice(text.get(done..).unwrap_or_default());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: [&str; 4] = [
        "01900000-0000-7000-8000-000000000001",
        "01900000-0000-7000-8000-000000000002",
        "01910000-0000-7000-8000-000000000001",
        "4be0643f-1d98-473b-97cd-ca98a65347dd",
    ];

    #[test]
    fn ids_are_replaced_everywhere_and_back() {
        let ids = Ids::for_all(&OLD.iter().map(|id| id.parse().unwrap()).collect());
        let stranger = "01900000-0000-7000-8000-00000000000f";
        let text = format!("{}\t{{\"a\": \"x{}\"}}\t{{{},{}}}\\n{}/f-{stranger}-\n", OLD[0], OLD[1], OLD[2], OLD[3], OLD[0]);
        let renewed = ids.renew(text.as_bytes()).into_owned();
        let shown = String::from_utf8(renewed.clone()).unwrap();
        assert!(OLD.iter().all(|old| !shown.contains(old)) && shown.contains(stranger), "{shown}");
        assert_eq!(ids.restore(&renewed), text.as_bytes());
    }

    #[test]
    fn new_ids_keep_their_time_and_their_order() {
        let old: BTreeSet<Uuid> =
            (0..500u128).map(|low| Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + (low << 77) + low)).collect();
        let ids = Ids::for_all(&old);
        let new: Vec<Uuid> = old.iter().map(|id| ids.of(*id)).collect();
        assert!(new.is_sorted());
        assert!(old.iter().zip(&new).all(|(old, new)| old != new && time(old) == time(new)));
    }
}
