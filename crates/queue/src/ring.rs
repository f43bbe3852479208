//! Whose turn it is: companies with tasks stand in a ring, and each claim takes from those that hold the least of this process, by their
//! shares; of as many, from the next ones.
//!
//! Invariant: as long as anybody has tasks, all room is used; and while several have, a company gets more only where it holds less. What
//! takes long is held long: shares are of the process, and not of the number of tasks.

use std::collections::{HashSet, VecDeque};

use serde_json::{Value, json};
use uuid::Uuid;

/// One task's part of what its company holds, before its weight.
const LOAD_OF_ONE: u64 = 1_000_000;

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
    pub(crate) weight: u16,
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

    /// Looks from the start again in a company: some of its tasks became ready that stand before where the last claim ended.
    pub(crate) fn look_anew(&mut self, company_id: Uuid) {
        self.add(company_id, None);
        if let Some(share) = self.shares.iter_mut().find(|share| share.company_id == company_id) {
            share.from = None;
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

    /// Takes out the companies that hold the least, at most so many, and splits the rows between them by their weights and what they hold.
    pub(crate) fn turn(&mut self, rows: usize, companies_max: usize, held: impl Fn(Uuid) -> usize) -> Vec<Wanted> {
        let most = companies_max.min(rows);
        if self.shares.len() <= most {
            let chosen = self.shares.drain(..).collect();
            return self.split(chosen, rows, held);
        }
        let mut loads: Vec<(u64, usize)> =
            self.shares.iter().enumerate().map(|(place, share)| (load(held(share.company_id), share.weight), place)).collect();
        loads.sort_unstable();
        let least: HashSet<usize> = loads.into_iter().take(most).map(|(_, place)| place).collect();
        let chosen = self.draw(|place, _| least.contains(&place));
        self.split(chosen, rows, held)
    }

    /// Takes out the next companies that were not taken from since they were told of, at most so many, in the same way.
    pub(crate) fn turn_of_new(&mut self, rows: usize, companies_max: usize, held: impl Fn(Uuid) -> usize) -> Vec<Wanted> {
        let mut left = companies_max.min(rows).min(self.new);
        if left == 0 {
            return Vec::new();
        }
        let chosen = self.draw(|_, share| share.is_new && take_one(&mut left));
        self.split(chosen, rows, held)
    }

    /// Takes out the next companies that hold nothing, one row of each.
    pub(crate) fn turn_of_absent(&mut self, rows: usize, companies_max: usize, held: impl Fn(Uuid) -> usize) -> Vec<Wanted> {
        let mut left = companies_max.min(rows);
        if left == 0 || !self.shares.iter().any(|share| held(share.company_id) == 0) {
            return Vec::new();
        }
        let chosen = self.draw(|_, share| held(share.company_id) == 0 && take_one(&mut left));
        let count = chosen.len();
        self.split(chosen, count, held)
    }

    fn draw(&mut self, mut is_chosen: impl FnMut(usize, &Share) -> bool) -> Vec<Share> {
        let mut chosen = Vec::new();
        for (place, share) in std::mem::take(&mut self.shares).into_iter().enumerate() {
            if is_chosen(place, &share) {
                chosen.push(share);
            } else {
                self.shares.push_back(share);
            }
        }
        chosen
    }

    /// Tells whether there is a company that was not taken from since it was told of.
    pub(crate) fn has_new(&self) -> bool {
        self.new > 0
    }

    fn split(&mut self, chosen: Vec<Share>, rows: usize, held: impl Fn(Uuid) -> usize) -> Vec<Wanted> {
        let mut loads: Vec<usize> = chosen.iter().map(|share| held(share.company_id)).collect();
        let mut given = vec![0_usize; chosen.len()];
        for _ in 0..rows {
            // The first of those that would hold the least with one more.
            let least = loads.iter_mut().zip(&mut given).zip(&chosen).min_by_key(|((held, _), share)| load(**held + 1, share.weight));
            let Some(((held, given), _)) = least else { break };
            *held += 1;
            *given += 1;
        }
        let mut wanted = Vec::with_capacity(chosen.len());
        let mut unasked = Vec::new();
        for (share, rows) in chosen.into_iter().zip(given) {
            if rows == 0 {
                unasked.push(share);
                continue;
            }
            self.new = self.new.saturating_sub(usize::from(share.is_new));
            wanted.push(Wanted { company_id: share.company_id, rows, from: share.from, weight: share.weight, round: self.round });
        }
        // Who holds too much is next when he does not.
        unasked.into_iter().rev().for_each(|share| self.shares.push_front(share));
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

/// What a company holds, by its weight.
fn load(held: usize, weight: u16) -> u64 {
    u64::try_from(held).unwrap_or(u64::MAX).saturating_mul(LOAD_OF_ONE) / u64::from(weight.max(1))
}

fn take_one(left: &mut usize) -> bool {
    let is_left = *left > 0;
    *left = left.saturating_sub(1);
    is_left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn nothing(_: Uuid) -> usize {
        0
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
        let wanted = ring.turn(100, 25, nothing);
        assert_eq!(rows(&wanted), [(1, 50), (2, 50)]);
        // The second has three tasks and is served; all room goes to the first then.
        for one in wanted {
            let got = if one.company_id == id(2) { 3 } else { 50 };
            ring.back(one, got, None);
        }
        assert_eq!(rows(&ring.turn(100, 25, nothing)), [(1, 100)]);
    }

    #[test]
    fn shares_go_by_weight_and_nothing_is_left_over() {
        let mut ring = Ring::default();
        for (company, weight) in [(1, 3), (2, 1), (3, 1)] {
            ring.add(id(company), Some(weight));
        }
        assert_eq!(rows(&ring.turn(10, 25, nothing)), [(1, 6), (2, 2), (3, 2)]);
        for (company, weight) in [(1, 1), (2, 1), (3, 1)] {
            ring.known.remove(&id(company));
            ring.add(id(company), Some(weight));
        }
        let wanted = ring.turn(10, 25, nothing);
        assert_eq!(wanted.iter().map(|one| one.rows).sum::<usize>(), 10);
        assert!(wanted.iter().all(|one| (3..=4).contains(&one.rows)), "{wanted:?}");
    }

    #[test]
    fn who_was_not_asked_is_next() {
        let mut ring = Ring::default();
        (1..=5).for_each(|company| ring.add(id(company), Some(1)));
        let first = ring.turn(4, 2, nothing);
        assert_eq!(rows(&first), [(1, 2), (2, 2)]);
        for one in first {
            ring.back(one, 2, None);
        }
        assert_eq!(rows(&ring.turn(3, 25, nothing)), [(3, 1), (4, 1), (5, 1)], "fewer rows than companies: one each");
        assert_eq!(rows(&ring.turn(1, 25, nothing)), [(1, 1)]);
        assert!(Ring::default().turn(10, 5, nothing).is_empty());
    }

    #[test]
    fn who_is_told_of_while_it_is_taken_from_is_asked_again() {
        let mut ring = Ring::default();
        ring.add(id(1), None);
        let wanted = ring.turn(5, 1, nothing).remove(0);
        ring.add(id(1), None);
        ring.back(wanted, 0, None);
        assert!(ring.has_new());
        let wanted = ring.turn(5, 1, nothing).remove(0);
        ring.add(id(1), None);
        ring.back(wanted, 5, None);
        assert!(!ring.has_new(), "it had as many as were asked for");
        let wanted = ring.turn(5, 1, nothing).remove(0);
        ring.back(wanted, 0, None);
        assert_eq!((ring.is_empty(), ring.known.len()), (true, 0));
    }

    #[test]
    fn a_place_is_kept_until_rewound() {
        let mut ring = Ring::default();
        ring.add(id(1), Some(1));
        let place = Place { rank: 0, run_at: jiff::Timestamp::UNIX_EPOCH, id: id(9) };
        let wanted = ring.turn(2, 1, nothing).remove(0);
        ring.back(wanted, 2, Some(place.clone()));
        let wanted = ring.turn(2, 1, nothing).remove(0);
        assert_eq!(wanted.from, Some(place));
        ring.back(wanted, 2, None);
        ring.rewind();
        assert_eq!(ring.turn(2, 1, nothing).remove(0).from, None);
    }

    #[test]
    fn who_was_just_told_of_may_be_taken_from_before_all_others_and_once() {
        let mut ring = Ring::default();
        (1..=3).for_each(|company| ring.add(id(company), Some(1)));
        for one in ring.turn(3, 25, nothing) {
            ring.back(one, 1, None);
        }
        assert!(!ring.has_new() && ring.turn_of_new(50, 25, nothing).is_empty(), "all were taken from");
        ring.add(id(4), None);
        ring.add(id(1), None);
        assert!(ring.has_new());
        let wanted = ring.turn_of_new(50, 25, nothing).remove(0);
        assert_eq!((wanted.company_id, wanted.rows, ring.shares.len()), (id(4), 50, 3));
        ring.back(wanted, 50, None);
        assert!(!ring.has_new(), "now it is one like the others");
        // One that had nothing more is new when it is told of again.
        let wanted = ring.turn(4, 25, nothing).remove(0);
        ring.back(wanted, 0, None);
        ring.add(id(1), None);
        assert_eq!(rows(&ring.turn_of_new(50, 25, nothing)), [(1, 50)]);
    }

    #[test]
    fn who_is_taken_from_while_all_is_looked_at_anew_is_looked_at_anew_too() {
        let mut ring = Ring::default();
        ring.add(id(1), Some(1));
        let place = Place { rank: 0, run_at: jiff::Timestamp::UNIX_EPOCH, id: id(9) };
        let wanted = ring.turn(2, 1, nothing).remove(0);
        ring.rewind();
        ring.back(wanted, 2, Some(place));
        assert_eq!(ring.turn(2, 1, nothing).remove(0).from, None);
    }

    #[test]
    fn who_holds_less_gets_what_comes_free_by_weight() {
        let mut ring = Ring::default();
        (1..=3).for_each(|company| ring.add(id(company), Some(1)));
        let held = |company: Uuid| if company == id(1) { 8 } else { 0 };
        let wanted = ring.turn(4, 25, held);
        assert_eq!(rows(&wanted), [(2, 2), (3, 2)], "nothing of whoever holds more");
        for one in wanted {
            let got = one.rows;
            ring.back(one, got, None);
        }
        // With more room it gets what is left when all hold as much.
        assert_eq!(rows(&ring.turn(19, 25, held)), [(1, 1), (2, 9), (3, 9)]);
        let mut ring = Ring::default();
        ring.add(id(1), Some(4));
        ring.add(id(2), Some(1));
        assert_eq!(rows(&ring.turn(2, 25, held)), [(2, 2)], "eight at a weight of four are as much as two");
        ring.add(id(3), Some(1));
        assert_eq!(rows(&ring.turn(1, 1, held)), [(3, 1)], "the least first, wherever it stands");
        assert_eq!(rows(&ring.turn(5, 25, held)), [(1, 5)], "alone it gets everything");
    }

    #[test]
    fn who_holds_nothing_may_be_taken_from_by_itself() {
        let mut ring = Ring::default();
        (1..=4).for_each(|company| ring.add(id(company), Some(1)));
        let held = |company: Uuid| usize::from(company.as_u128() < 2) * 64;
        let wanted = ring.turn_of_absent(2, 25, held);
        assert_eq!(rows(&wanted), [(2, 1), (3, 1)]);
        for one in wanted {
            ring.back(one, 1, None);
        }
        assert!(ring.turn_of_absent(5, 25, |_| 1).is_empty());
    }

    #[test]
    fn whose_tasks_became_ready_again_is_looked_at_from_the_start() {
        let mut ring = Ring::default();
        ring.add(id(1), Some(1));
        let place = Place { rank: 0, run_at: jiff::Timestamp::UNIX_EPOCH, id: id(9) };
        let wanted = ring.turn(2, 1, nothing).remove(0);
        ring.back(wanted, 2, Some(place.clone()));
        ring.look_anew(id(1));
        let wanted = ring.turn(2, 1, nothing).remove(0);
        assert_eq!(wanted.from, None);
        ring.look_anew(id(1));
        ring.back(wanted, 2, Some(place));
        assert_eq!(ring.turn(2, 1, nothing).remove(0).from, None, "also if it was told of while it was taken from");
    }
}
