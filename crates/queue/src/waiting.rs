//! What this process took and has not begun, in the order in which it begins.
//!
//! Invariant: companies take turns, so that what was taken for one waits for at most one task of each of the others, however many those
//! have here; of those whose turn is near the one begins that runs the least by its weight, so that whose tasks take long does not run in
//! every place. Within a company the order is that of the claims.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use crate::claims::Claimed;

/// How many companies are compared whose turn is near.
const NEAR: usize = 16;
/// One task's part of what its company runs, before its weight.
const LOAD_OF_ONE: usize = 1_000_000;

/// Tasks that were taken and have not begun, and how many run.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// Each company that has some here, once.
    turns: VecDeque<Uuid>,
    of: HashMap<Uuid, VecDeque<Claimed>>,
    count: usize,
    /// How many of each company run.
    running: HashMap<Uuid, usize>,
    running_count: usize,
}

impl Waiting {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// How many of a company wait or run here.
    pub(crate) fn held(&self, company_id: Uuid) -> usize {
        self.of.get(&company_id).map_or(0, VecDeque::len).saturating_add(self.running_of(company_id))
    }

    fn running_of(&self, company_id: Uuid) -> usize {
        self.running.get(&company_id).copied().unwrap_or_default()
    }

    /// Puts tasks behind what their companies have here.
    pub(crate) fn add(&mut self, claimed: impl IntoIterator<Item = Claimed>) {
        for task in claimed {
            let company_id = task.company_id;
            let tasks = self.of.entry(company_id).or_default();
            if tasks.is_empty() {
                self.turns.push_back(company_id);
            }
            tasks.push_back(task);
            self.count = self.count.saturating_add(1);
        }
    }

    /// Takes the next one, which runs from now on. Where so many run already it is one of a company of which nothing does.
    pub(crate) fn next(&mut self, running_max: usize) -> Option<Claimed> {
        let place =
            if self.running_count < running_max { self.least_near() } else { self.turns.iter().position(|one| self.running_of(*one) == 0) };
        let company_id = self.turns.remove(place?)?;
        let tasks = self.of.get_mut(&company_id)?;
        let next = tasks.pop_front()?;
        if tasks.is_empty() {
            self.of.remove(&company_id);
        } else {
            self.turns.push_back(company_id);
        }
        self.count = self.count.saturating_sub(1);
        *self.running.entry(company_id).or_default() += 1;
        self.running_count = self.running_count.saturating_add(1);
        Some(next)
    }

    /// The first of those whose turn is near that run the least.
    fn least_near(&self) -> Option<usize> {
        let load = |company_id: &Uuid| {
            let weight = self.of.get(company_id).and_then(VecDeque::front).map_or(1, |first| usize::from(first.weight).max(1));
            self.running_of(*company_id).saturating_mul(LOAD_OF_ONE) / weight
        };
        self.turns.iter().take(NEAR).map(load).enumerate().min_by_key(|(_, load)| *load).map(|(place, _)| place)
    }

    /// One of a company ended. Tells whether one that waits may begin by that beside what whoever did it begins next.
    pub(crate) fn ended(&mut self, company_id: Uuid, running_max: usize) -> bool {
        if let Some(running) = self.running.get_mut(&company_id) {
            *running = running.saturating_sub(1);
            if *running == 0 {
                self.running.remove(&company_id);
            }
        }
        self.running_count = self.running_count.saturating_sub(1);
        self.count > 0 && self.running_count.saturating_add(1) >= running_max
    }

    /// Returns those that were taken first of each company.
    pub(crate) fn first(&self) -> impl Iterator<Item = &Claimed> {
        self.of.values().filter_map(VecDeque::front)
    }

    /// Takes out everything that has not begun.
    pub(crate) fn clear(&mut self) -> Vec<Claimed> {
        self.turns.clear();
        self.count = 0;
        std::mem::take(&mut self.of).into_values().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tokio::time::Instant;

    use super::*;

    fn task(company: u128, number: u128) -> Claimed {
        let (company_id, id) = (Uuid::from_u128(company), Uuid::from_u128(number));
        Claimed {
            company_id,
            id,
            kind: "test".to_owned(),
            attempt: 1,
            payload: Value::Null,
            asker: None,
            mark: None,
            trace: None,
            weight: 1,
            since: Instant::now(),
        }
    }

    /// Everything, each ended before the next one begins.
    fn all(waiting: &mut Waiting) -> Vec<u128> {
        std::iter::from_fn(|| {
            let task = waiting.next(64)?;
            waiting.ended(task.company_id, 64);
            Some(task.id.as_u128())
        })
        .collect()
    }

    #[test]
    fn companies_take_turns_and_what_came_last_does_not_wait_for_all_that_others_have() {
        let mut waiting = Waiting::default();
        waiting.add((0..100).map(|number| task(1, number)));
        assert_eq!(waiting.next(64).unwrap().id.as_u128(), 0);
        waiting.ended(Uuid::from_u128(1), 64);
        waiting.add([task(2, 200), task(3, 300), task(2, 201)]);
        assert_eq!((waiting.len(), waiting.first().count()), (102, 3));
        let order = all(&mut waiting);
        assert_eq!(order[..8], [1, 200, 300, 2, 201, 3, 4, 5]);
        assert_eq!((order.len(), waiting.len(), waiting.next(64).is_none()), (102, 0, true));
    }

    #[test]
    fn what_is_taken_out_is_all_of_it() {
        let mut waiting = Waiting::default();
        waiting.add([task(1, 1), task(2, 2), task(1, 3)]);
        assert_eq!(waiting.clear().len(), 3);
        assert_eq!((waiting.len(), waiting.first().count(), all(&mut waiting)), (0, 0, vec![]));
    }

    #[test]
    fn whose_tasks_take_long_does_not_run_in_every_place() {
        let mut waiting = Waiting::default();
        waiting.add((0..9).map(|number| task(1, number)));
        for number in 0..4 {
            assert_eq!(waiting.next(4).unwrap().id.as_u128(), number);
        }
        assert!(waiting.next(4).is_none(), "it has no place beside the usual ones");
        waiting.add([task(2, 20), task(2, 21), task(2, 22), task(3, 30)]);
        // Whoever runs nothing begins all the same, and once.
        assert_eq!([waiting.next(4), waiting.next(4)].map(|task| task.unwrap().id.as_u128()), [20, 30]);
        assert!(waiting.next(4).is_none());
        assert_eq!((waiting.held(Uuid::from_u128(1)), waiting.held(Uuid::from_u128(2)), waiting.running_count), (9, 3, 6));
        // What comes free goes to whoever runs less, until both run as many.
        let mut begun = Vec::new();
        for ended in [3, 1, 1, 1, 2] {
            waiting.ended(Uuid::from_u128(ended), 4);
            begun.extend(waiting.next(4).map(|task| task.id.as_u128()));
        }
        assert_eq!(begun, [21, 4, 22]);
    }
}
