//! The buckets of this process: of each the moment when it will be full, in microseconds, in parts that are locked one by one.
//!
//! Invariant: never more buckets than allowed, whoever asks from however many addresses; those that were used least go first. A bucket
//! that is not known is full.

use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::buckets::{Demand, Taken, short};
use crate::key::Key;

/// Enough that two requests seldom meet.
const PARTS: usize = 64;

type Part = LruCache<Key, i64>;

/// The buckets of this process.
pub(crate) struct Local {
    parts: Box<[Mutex<Part>]>,
    part_max: usize,
}

/// Parts that are held, by their number.
type Held<'a> = Vec<(usize, MutexGuard<'a, Part>)>;

impl Local {
    pub(crate) fn new(buckets_max: u32) -> Self {
        let part_max = usize::try_from(buckets_max).unwrap_or(usize::MAX) / PARTS;
        Self { parts: (0..PARTS).map(|_| Mutex::new(LruCache::unbounded())).collect(), part_max: part_max.max(1) }
    }

    /// Looks whether all can be had, and takes them if so and if they are to be taken.
    pub(crate) fn take(&self, demands: &[Demand], now: i64, is_taken: bool) -> Taken {
        let mut held = self.hold(demands);
        let mut after = Vec::with_capacity(demands.len());
        for demand in demands {
            let full_at = part(&mut held, demand.key).and_then(|part| part.get(&demand.key).copied());
            after.push(demand.rate.after(full_at, now, demand.cost));
        }
        if let Some(wait) = short(&after) {
            return wait;
        }
        let first = demands.first().zip(after.first()).map(|(demand, after)| demand.rate.left(after.ok(), now));
        if is_taken {
            for (demand, full_at) in demands.iter().zip(after.iter().flatten()) {
                self.put(&mut held, demand.key, *full_at);
            }
        }
        Taken::Yes(first)
    }

    /// Puts back what was taken.
    pub(crate) fn put_back(&self, demands: &[Demand]) {
        let mut held = self.hold(demands);
        for demand in demands {
            if let Some(full_at) = part(&mut held, demand.key).and_then(|part| part.get_mut(&demand.key)) {
                *full_at -= demand.rate.price(demand.cost);
            }
        }
    }

    /// Keeps what was learned elsewhere of a bucket.
    pub(crate) fn learn(&self, key: Key, full_at: i64) {
        let Some(mut part) = self.part(number(key)) else { return };
        part.put(key, full_at);
        if part.len() > self.part_max {
            part.pop_lru();
        }
    }

    /// Makes a bucket full.
    pub(crate) fn fill(&self, key: Key) {
        self.part(number(key)).and_then(|mut part| part.pop(&key));
    }

    /// Takes the parts in the order of their numbers, so that no two requests wait for each other.
    fn hold(&self, demands: &[Demand]) -> Held<'_> {
        let mut numbers: Vec<usize> = demands.iter().map(|demand| number(demand.key)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.into_iter().filter_map(|number| Some((number, self.part(number)?))).collect()
    }

    fn part(&self, number: usize) -> Option<MutexGuard<'_, Part>> {
        // Nothing that holds it can leave it half changed.
        self.parts.get(number).map(|part| part.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, held: &mut Held<'_>, key: Key, full_at: i64) {
        let Some(part) = part(held, key) else { return };
        part.put(key, full_at);
        if part.len() > self.part_max {
            part.pop_lru();
        }
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        (0..PARTS).filter_map(|number| self.part(number)).map(|part| part.len()).sum()
    }
}

fn part<'a>(held: &'a mut Held<'_>, key: Key) -> Option<&'a mut Part> {
    let number = number(key);
    held.iter_mut().find(|(held, _)| *held == number).map(|(_, part)| &mut **part)
}

/// Keys are hashes: every byte of one is as good as another.
fn number(key: Key) -> usize {
    usize::from(key.first().copied().unwrap_or_default()) % PARTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rate;

    fn one(byte: u8, max: u32) -> Demand {
        Demand { key: [byte; 16], rate: Rate::new(max, 60), cost: 1 }
    }

    #[test]
    fn of_several_none_is_taken_where_one_is_empty() {
        let local = Local::new(1000);
        // 3 and 67 are in one part.
        let (wide, tight, near) = (one(3, 10), one(4, 1), one(67, 10));
        assert!(matches!(local.take(&[wide, tight, near], 0, true), Taken::Yes(_)));
        for _ in 0..20 {
            assert_eq!(local.take(&[wide, tight, near], 0, true), Taken::Wait { at: 1, seconds: 60 });
        }
        for left in (0..9).rev() {
            let Taken::Yes(Some(found)) = local.take(&[wide], 0, true) else { panic!("the wide one was taken from") };
            assert_eq!(found.remaining, left);
        }
        assert_eq!(local.take(&[wide, tight], 0, true), Taken::Wait { at: 1, seconds: 60 }, "the longest wait is told");
    }

    #[test]
    fn there_are_never_more_than_allowed_and_the_used_ones_stay() {
        let local = Local::new(1000);
        let used = one(0, 1);
        assert!(matches!(local.take(&[used], 0, true), Taken::Yes(_)));
        for number in 0_u32..5000 {
            let [a, b, c, d] = number.to_be_bytes();
            let key = [d, c, b, a, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9];
            local.take(&[Demand { key, ..one(0, 1) }], 0, true);
            assert!(matches!(local.take(&[used], 0, true), Taken::Wait { .. }), "asking is use");
        }
        assert!(local.count() <= 1000, "{}", local.count());
    }
}
