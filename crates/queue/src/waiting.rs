//! What this process took and has not begun, in the order in which it begins.
//!
//! Invariant: companies take turns, so that what was taken for one waits for at most one task of each of the others, however many those
//! have here; within a company the order is that of the claims.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use crate::claims::Claimed;

/// Tasks that were taken and have not begun.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// Each company that has some here, once.
    turns: VecDeque<Uuid>,
    of: HashMap<Uuid, VecDeque<Claimed>>,
    count: usize,
}

impl Waiting {
    pub(crate) fn len(&self) -> usize {
        self.count
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

    /// Takes the next one: the first of the company whose turn it is.
    pub(crate) fn next(&mut self) -> Option<Claimed> {
        let company_id = self.turns.pop_front()?;
        let tasks = self.of.get_mut(&company_id)?;
        let next = tasks.pop_front();
        if tasks.is_empty() {
            self.of.remove(&company_id);
        } else {
            self.turns.push_back(company_id);
        }
        self.count = self.count.saturating_sub(usize::from(next.is_some()));
        next
    }

    /// Returns those that were taken first of each company.
    pub(crate) fn first(&self) -> impl Iterator<Item = &Claimed> {
        self.of.values().filter_map(VecDeque::front)
    }

    /// Takes everything out.
    pub(crate) fn clear(&mut self) -> Vec<Claimed> {
        let all = std::mem::take(self);
        all.of.into_values().flatten().collect()
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
            since: Instant::now(),
        }
    }

    fn all(waiting: &mut Waiting) -> Vec<u128> {
        std::iter::from_fn(|| waiting.next()).map(|task| task.id.as_u128()).collect()
    }

    #[test]
    fn companies_take_turns_and_what_came_last_does_not_wait_for_all_that_others_have() {
        let mut waiting = Waiting::default();
        waiting.add((0..100).map(|number| task(1, number)));
        assert_eq!(waiting.next().unwrap().id.as_u128(), 0);
        waiting.add([task(2, 200), task(3, 300), task(2, 201)]);
        assert_eq!((waiting.len(), waiting.first().count()), (102, 3));
        let order = all(&mut waiting);
        assert_eq!(order[..8], [1, 200, 300, 2, 201, 3, 4, 5]);
        assert_eq!((order.len(), waiting.len(), waiting.next().is_none()), (102, 0, true));
    }

    #[test]
    fn what_is_taken_out_is_all_of_it() {
        let mut waiting = Waiting::default();
        waiting.add([task(1, 1), task(2, 2), task(1, 3)]);
        assert_eq!(waiting.clear().len(), 3);
        assert_eq!((waiting.len(), waiting.first().count(), all(&mut waiting)), (0, 0, vec![]));
    }
}
