//! How much a scale is.
//!
//! Invariant: a company is whole blocks of 1,000 customers; the first company has a sixth of all customers, the others one block each.

use kernel::Result;

use super::super::error;

/// Customers of a block; `template.sql` makes as many.
pub(super) const CUSTOMERS: u64 = 1000;
/// Jobs of a block; `template.sql` makes as many.
pub(super) const JOBS: u64 = 4170;
/// What a block takes on disk with its indexes, measured, with what the log of changes and sorting for indexes need beside it.
const BYTES: u64 = 29_000_000;
/// Companies and blocks of the large one at scale 1.
const COMPANIES: f64 = 1000.0;
const LARGE: f64 = 200.0;
const SCALE_MAX: f64 = 4.0;

/// What a scale comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Companies.
    pub companies: u64,
    /// Blocks of the first company; every other one has one.
    pub(super) large: u64,
}

impl Plan {
    /// Returns the plan of a scale: 1.0 is a thousand companies with 1.2 million customers.
    pub fn of(scale: f64) -> Result<Self> {
        if !(scale > 0.0 && scale <= SCALE_MAX) {
            return Err(error::refused(
                error::SCALE_INVALID,
                format!("{scale} is no scale"),
                format!("Say a number above 0 and up to {SCALE_MAX}."),
            ));
        }
        Ok(Self { companies: whole(COMPANIES * scale), large: whole(LARGE * scale) })
    }

    /// Customers of all companies.
    pub fn customers(&self) -> u64 {
        self.blocks() * CUSTOMERS
    }

    /// Jobs of all companies.
    pub fn jobs(&self) -> u64 {
        self.blocks() * JOBS
    }

    /// What it will take on disk, about.
    pub fn bytes(&self) -> u64 {
        self.blocks() * BYTES
    }

    pub(super) fn blocks(&self) -> u64 {
        self.large + self.companies - 1
    }
}

/// At least one, and no more than fits: scales are small.
fn whole(count: f64) -> u64 {
    let rounded = format!("{:.0}", count.max(1.0));
    rounded.parse().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::Plan;

    #[test]
    fn the_whole_scale_is_what_was_promised() {
        let plan = Plan::of(1.0).unwrap();
        assert_eq!((plan.companies, plan.large), (1000, 200));
        assert_eq!((plan.customers(), plan.jobs()), (1_199_000, 4_999_830));
        let small = Plan::of(0.01).unwrap();
        assert_eq!((small.companies, small.large, small.blocks()), (10, 2, 11));
        assert_eq!(Plan::of(0.0001).unwrap().blocks(), 1);
        for wrong in [0.0, -1.0, 4.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Plan::of(wrong).unwrap_err().code(), super::error::SCALE_INVALID);
        }
    }
}
