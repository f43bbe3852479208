//! Whose turn it is: companies with tasks stand in a ring, and each claim takes from the next ones in it, by their shares.
//!
//! Invariant: as long as anybody has tasks, all room is used; and while several have, no company gets more than its share of a claim.

use std::collections::{HashSet, VecDeque};

use serde_json::{Value, json};
use uuid::Uuid;

/// A place in a company's order: everything before it was claimed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) rank: i16,
    pub(crate) run_at: jiff::Timestamp,
    pub(crate) id: Uuid,
}

/// What a claim asks of one company.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    pub(crate) company_id: Uuid,
    pub(crate) rows: usize,
    pub(crate) from: Option<Place>,
    weight: u16,
    round: u64,
}

impl Wanted {
    /// Returns it as `app.claim_tasks` takes it.
    pub(crate) fn to_json(&self) -> Value {
        let (rank, run_at, id) = match &self.from {
            Some(place) => (place.rank, place.run_at.to_string(), place.id),
            None => (i16::MIN, "-infinity".to_owned(), Uuid::nil()),
        };
        json!({ "company_id": self.company_id, "rows": self.rows, "rank": rank, "run_at": run_at, "id": id })
    }
}

#[derive(Debug)]
struct Share {
    company_id: Uuid,
    weight: u16,
    from: Option<Place>,
    /// It was told of when nothing was known of it, and was not taken from yet.
    is_new: bool,
}

/// The companies that are known to have tasks.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    shares: VecDeque<Share>,
    known: HashSet<Uuid>,
    /// Told of while they were being taken from: what they have may have come after that.
    again: HashSet<Uuid>,
    /// How often it was looked from the start again.
    round: u64,
    /// How many are new.
    new: usize,
}

impl Ring {
    /// Adds a company behind all others, unless it is there. One without a weight was told of, the others were found.
    pub(crate) fn add(&mut self, company_id: Uuid, weight: Option<u16>) {
        if self.known.insert(company_id) {
            let is_new = weight.is_none();
            self.new = self.new.saturating_add(usize::from(is_new));
            self.shares.push_back(Share { company_id, weight: weight.unwrap_or(1).max(1), from: None, is_new });
        } else if let Some(share) = self.shares.iter_mut().find(|share| share.company_id == company_id) {
            share.weight = weight.unwrap_or(share.weight).max(1);
        } else {
            self.again.insert(company_id);
        }
    }

    /// How many companies are known to have tasks.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }

    /// Looks from the start again in every company: what was committed late may stand before where the last claim ended.
    pub(crate) fn rewind(&mut self) {
        self.round = self.round.wrapping_add(1);
        self.shares.iter_mut().for_each(|share| share.from = None);
    }

    /// Takes the next companies out, at most so many, and splits the rows between them by their weights.
    pub(crate) fn turn(&mut self, rows: usize, companies_max: usize) -> Vec<Wanted> {
        let count = self.shares.len().min(companies_max).min(rows);
        let chosen: Vec<Share> = self.shares.drain(..count).collect();
        self.split(chosen, rows)
    }

    /// Takes out the next companies that were not taken from since they were told of, at most so many, in the same way.
    pub(crate) fn turn_of_new(&mut self, rows: usize, companies_max: usize) -> Vec<Wanted> {
        let most = companies_max.min(rows).min(self.new);
        let mut chosen = Vec::new();
        if most == 0 {
            return Vec::new();
        }
        for share in std::mem::take(&mut self.shares) {
            if share.is_new && chosen.len() < most {
                chosen.push(share);
            } else {
                self.shares.push_back(share);
            }
        }
        self.split(chosen, rows)
    }

    /// Tells whether there is a company that was not taken from since it was told of.
    pub(crate) fn has_new(&self) -> bool {
        self.new > 0
    }

    fn split(&mut self, chosen: Vec<Share>, rows: usize) -> Vec<Wanted> {
        self.new = self.new.saturating_sub(chosen.iter().filter(|share| share.is_new).count());
        let weights: usize = chosen.iter().map(|share| usize::from(share.weight)).sum();
        let mut wanted: Vec<Wanted> = chosen
            .into_iter()
            .map(|share| Wanted {
                company_id: share.company_id,
                rows: (rows * usize::from(share.weight) / weights.max(1)).max(1),
                from: share.from,
                weight: share.weight,
                round: self.round,
            })
            .collect();
        // Rounding gives and takes a row here and there.
        let mut given: usize = wanted.iter().map(|one| one.rows).sum();
        for one in wanted.iter_mut().rev() {
            let less = given.saturating_sub(rows).min(one.rows - 1);
            one.rows -= less;
            given -= less;
        }
        if let Some(first) = wanted.first_mut() {
            first.rows += rows.saturating_sub(given);
        }
        wanted
    }

    /// Puts a company back: one that gave all that was asked of it stays in the ring, the others have no more.
    pub(crate) fn back(&mut self, wanted: Wanted, got: usize, last: Option<Place>) {
        let is_again = self.again.remove(&wanted.company_id);
        let is_out = got < wanted.rows;
        if is_out && !is_again {
            self.known.remove(&wanted.company_id);
            return;
        }
        // It had no more, and was told of meanwhile: as if that had come a moment later.
        let is_new = is_out && is_again;
        self.new = self.new.saturating_add(usize::from(is_new));
        let is_old = is_again || wanted.round != self.round;
        let last = if is_old { None } else { last.or(wanted.from) };
        self.shares.push_back(Share { company_id: wanted.company_id, weight: wanted.weight, from: last, is_new });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn rows(wanted: &[Wanted]) -> Vec<(u128, usize)> {
        wanted.iter().map(|one| (one.company_id.as_u128(), one.rows)).collect()
    }

    #[test]
    fn a_small_company_is_served_beside_a_large_one() {
        let mut ring = Ring::default();
        ring.add(id(1), Some(1));
        ring.add(id(2), Some(1));
        ring.add(id(1), Some(1));
        assert_eq!(ring.shares.len(), 2);
        assert!(!ring.is_empty());
        let wanted = ring.turn(100, 25);
        assert_eq!(rows(&wanted), [(1, 50), (2, 50)]);
        // The second has three tasks and is served; all room goes to the first then.
        for one in wanted {
            let got = if one.company_id == id(2) { 3 } else { 50 };
            ring.back(one, got, None);
        }
        assert_eq!(rows(&ring.turn(100, 25)), [(1, 100)]);
    }

    #[test]
    fn shares_go_by_weight_and_nothing_is_left_over() {
        let mut ring = Ring::default();
        for (company, weight) in [(1, 3), (2, 1), (3, 1)] {
            ring.add(id(company), Some(weight));
        }
        assert_eq!(rows(&ring.turn(10, 25)), [(1, 6), (2, 2), (3, 2)]);
        for (company, weight) in [(1, 1), (2, 1), (3, 1)] {
            ring.known.remove(&id(company));
            ring.add(id(company), Some(weight));
        }
        let wanted = ring.turn(10, 25);
        assert_eq!(wanted.iter().map(|one| one.rows).sum::<usize>(), 10);
        assert!(wanted.iter().all(|one| (3..=4).contains(&one.rows)), "{wanted:?}");
    }

    #[test]
    fn who_was_not_asked_is_next() {
        let mut ring = Ring::default();
        (1..=5).for_each(|company| ring.add(id(company), Some(1)));
        let first = ring.turn(4, 2);
        assert_eq!(rows(&first), [(1, 2), (2, 2)]);
        for one in first {
            ring.back(one, 2, None);
        }
        assert_eq!(rows(&ring.turn(3, 25)), [(3, 1), (4, 1), (5, 1)], "fewer rows than companies: one each");
        assert_eq!(rows(&ring.turn(1, 25)), [(1, 1)]);
        assert!(Ring::default().turn(10, 5).is_empty());
    }

    #[test]
    fn who_is_told_of_while_it_is_taken_from_is_asked_again() {
        let mut ring = Ring::default();
        ring.add(id(1), None);
        let wanted = ring.turn(5, 1).remove(0);
        ring.add(id(1), None);
        ring.back(wanted, 0, None);
        assert!(ring.has_new());
        let wanted = ring.turn(5, 1).remove(0);
        ring.add(id(1), None);
        ring.back(wanted, 5, None);
        assert!(!ring.has_new(), "it had as many as were asked for");
        let wanted = ring.turn(5, 1).remove(0);
        ring.back(wanted, 0, None);
        assert_eq!((ring.is_empty(), ring.known.len()), (true, 0));
    }

    #[test]
    fn a_place_is_kept_until_rewound() {
        let mut ring = Ring::default();
        ring.add(id(1), Some(1));
        let place = Place { rank: 0, run_at: jiff::Timestamp::UNIX_EPOCH, id: id(9) };
        let wanted = ring.turn(2, 1).remove(0);
        ring.back(wanted, 2, Some(place.clone()));
        let wanted = ring.turn(2, 1).remove(0);
        assert_eq!(wanted.from, Some(place));
        ring.back(wanted, 2, None);
        ring.rewind();
        assert_eq!(ring.turn(2, 1).remove(0).from, None);
    }

    #[test]
    fn who_was_just_told_of_may_be_taken_from_before_all_others_and_once() {
        let mut ring = Ring::default();
        (1..=3).for_each(|company| ring.add(id(company), Some(1)));
        for one in ring.turn(3, 25) {
            ring.back(one, 1, None);
        }
        assert!(!ring.has_new() && ring.turn_of_new(50, 25).is_empty(), "all were taken from");
        ring.add(id(4), None);
        ring.add(id(1), None);
        assert!(ring.has_new());
        let wanted = ring.turn_of_new(50, 25).remove(0);
        assert_eq!((wanted.company_id, wanted.rows, ring.shares.len()), (id(4), 50, 3));
        ring.back(wanted, 50, None);
        assert!(!ring.has_new(), "now it is one like the others");
        // One that had nothing more is new when it is told of again.
        let wanted = ring.turn(4, 25).remove(0);
        ring.back(wanted, 0, None);
        ring.add(id(1), None);
        assert_eq!(rows(&ring.turn_of_new(50, 25)), [(1, 50)]);
    }

    #[test]
    fn who_is_taken_from_while_all_is_looked_at_anew_is_looked_at_anew_too() {
        let mut ring = Ring::default();
        ring.add(id(1), Some(1));
        let place = Place { rank: 0, run_at: jiff::Timestamp::UNIX_EPOCH, id: id(9) };
        let wanted = ring.turn(2, 1).remove(0);
        ring.rewind();
        ring.back(wanted, 2, Some(place));
        assert_eq!(ring.turn(2, 1).remove(0).from, None);
    }
}
