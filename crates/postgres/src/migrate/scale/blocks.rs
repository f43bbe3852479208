//! The blocks that are to be written, handed out one by one.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use super::plan::Plan;

/// One block: of which company, and which of its blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Block {
    pub(super) company: u64,
    pub(super) number: u64,
}

/// All blocks of a plan but the first, which everything else of the first company hangs on.
pub(super) struct Blocks {
    left: Mutex<Left>,
    all: u64,
    started: Instant,
}

struct Left {
    next: Vec<Block>,
    done: u64,
}

impl Blocks {
    pub(super) const FIRST: Block = Block { company: 1, number: 0 };

    pub(super) fn of(plan: &Plan) -> Self {
        // The large company's blocks lie between those of the others, so that nothing waits for one company's pages.
        let mut large: Vec<Block> = (1..plan.large).map(|number| Block { company: 1, number }).collect();
        let mut small: Vec<Block> = (2..=plan.companies).map(|company| Block { company, number: 0 }).collect();
        let mut next = Vec::with_capacity(large.len() + small.len());
        while !(large.is_empty() && small.is_empty()) {
            next.extend(large.pop());
            next.extend(small.drain(small.len().saturating_sub(5)..));
        }
        Self { left: Mutex::new(Left { next, done: 1 }), all: plan.blocks(), started: Instant::now() }
    }

    pub(super) fn take(&self) -> Option<Block> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).next.pop()
    }

    /// No other block is handed out.
    pub(super) fn stop(&self) {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).next.clear();
    }

    /// Notes a block that is written; returns what there is to say at every twentieth part of the way.
    pub(super) fn done(&self) -> Option<String> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.done += 1;
        let (done, all) = (left.done, self.all);
        let is_step = done == all || done * 20 / all > (done - 1) * 20 / all;
        let seconds = self.started.elapsed().as_secs();
        is_step.then(|| format!("{done} of {all} blocks of 1,000 customers, {seconds} s, about {} s left", seconds * (all - done) / done))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::{Block, Blocks, Plan};

    #[test]
    fn every_block_is_handed_out_once() {
        let plan = Plan::of(0.05).unwrap();
        let blocks = Blocks::of(&plan);
        let mut taken: Vec<Block> = std::iter::from_fn(|| blocks.take()).collect();
        taken.push(Blocks::FIRST);
        assert_eq!(u64::try_from(taken.len()).unwrap(), plan.blocks());
        taken.sort_by_key(|block| (block.company, block.number));
        taken.dedup();
        assert_eq!(u64::try_from(taken.len()).unwrap(), plan.blocks());
        assert_eq!(taken.iter().filter(|block| block.company == 1).count(), 10);
        blocks.stop();
        assert_eq!(blocks.take(), None);
    }
}
