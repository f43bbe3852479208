//! What was tried and what was found.
//!
//! Invariant: what was never really tried is a finding, too: a refusal proves nothing of a function that always refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What a run found.
#[derive(Debug)]
pub struct Report {
    /// How many attempts were made.
    pub cells: usize,
    /// How many ended how: the words of each outcome.
    pub outcomes: BTreeMap<String, usize>,
    /// What is not as promised.
    pub findings: Vec<String>,
    /// The functions that were called, and what refused the last call of each unless one came to an end.
    pub(crate) called: BTreeMap<String, Option<String>>,
    /// The keys of tables, and whether a row was pointed elsewhere by them.
    pub(crate) pointed: BTreeMap<String, bool>,
    /// The keys of tables that somebody may add rows to, and whether a new row was pointed elsewhere by them.
    pub(crate) pointed_anew: BTreeMap<String, bool>,
    /// Statements of callers that lack the right to the table.
    pub(crate) refused: BTreeSet<String>,
    begun: Instant,
    /// How long it took.
    pub took: Duration,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            cells: 0,
            outcomes: BTreeMap::new(),
            findings: Vec::new(),
            called: BTreeMap::new(),
            pointed: BTreeMap::new(),
            pointed_anew: BTreeMap::new(),
            refused: BTreeSet::new(),
            begun: Instant::now(),
            took: Duration::ZERO,
        }
    }
}

impl Report {
    /// Counts an attempt.
    pub(crate) fn count(&mut self, outcome: impl std::fmt::Debug) {
        self.cells = self.cells.saturating_add(1);
        let count = self.outcomes.entry(format!("{outcome:?}").to_lowercase()).or_default();
        *count = count.saturating_add(1);
    }

    /// Adds what was found elsewhere.
    pub(crate) fn add(&mut self, other: Self) {
        self.cells = self.cells.saturating_add(other.cells);
        for (outcome, count) in other.outcomes {
            let sum = self.outcomes.entry(outcome).or_default();
            *sum = sum.saturating_add(count);
        }
        self.findings.extend(other.findings);
        for (key, was) in other.pointed {
            *self.pointed.entry(key).or_default() |= was;
        }
        for (key, was) in other.pointed_anew {
            *self.pointed_anew.entry(key).or_default() |= was;
        }
        for (function, refusal) in other.called {
            self.note_call(function, refusal);
        }
    }

    /// Notes what refused a call, or that nothing did.
    pub(crate) fn note_call(&mut self, function: String, refusal: Option<String>) {
        let last = self.called.entry(function).or_insert_with(|| refusal.clone());
        if last.is_some() {
            *last = refusal;
        }
    }

    /// Says what was never really tried, once everybody had his turn.
    pub(crate) fn conclude(&mut self) {
        for (function, refusal) in &self.called {
            if let Some(refusal) = refusal {
                self.findings.push(format!("no call of {function} came to an end: {refusal}"));
            }
        }
        let never = self.pointed.iter().filter(|(_, was)| !**was);
        self.findings.extend(never.map(|(key, _)| format!("there is nothing of another company to point {key} at")));
        let never = self.pointed_anew.iter().filter(|(_, was)| !**was);
        self.findings.extend(never.map(|(key, _)| format!("no new row could be pointed at another company's by {key}")));
        self.took = self.begun.elapsed();
    }

    /// Says in one line what was done.
    pub fn summary(&self) -> String {
        let counts: Vec<String> = self.outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        format!("{} attempts in {:.1} s: {}", self.cells, self.took.as_secs_f64(), counts.join(", "))
    }
}
