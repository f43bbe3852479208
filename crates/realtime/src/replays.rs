//! Which messages a member of a channel was told that has some told again.
//!
//! Invariant: a message is told once, whether it comes live first or is told again first.

use std::collections::HashSet;

use uuid::Uuid;

/// The messages, by what tells them apart.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    /// While it is read what is to be told again: what came live meanwhile. Then what was told again, until it comes live.
    told: HashSet<Uuid>,
    is_over: bool,
}

impl Replays {
    /// Notes that a message comes live; tells whether it is new.
    pub(crate) fn comes(&mut self, id: Uuid) -> bool {
        if self.is_over { !self.told.remove(&id) } else { self.told.insert(id) }
    }

    /// Notes what is told again, and returns which of it is new. It is asked once.
    pub(crate) fn again(&mut self, ids: impl Iterator<Item = Uuid>) -> HashSet<Uuid> {
        let new: HashSet<Uuid> = ids.filter(|id| !self.told.contains(id)).collect();
        (self.told, self.is_over) = (new.clone(), true);
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_told_once() {
        let [before, first, second, live] = [1_u128, 2, 3, 4].map(Uuid::from_u128);
        let mut replays = Replays::default();
        assert!(replays.comes(before));
        assert_eq!(replays.again([before, first, second].into_iter()), HashSet::from([first, second]));
        assert!(!replays.comes(first) && replays.comes(live) && !replays.comes(second));
    }
}
