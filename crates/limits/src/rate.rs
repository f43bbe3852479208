//! The generic cell rate algorithm: of a bucket it is known when it will be full again, and nothing else.
//!
//! Invariant: a clock that was set back leaves nobody waiting longer than an empty bucket needs.

/// How large a bucket is and how fast it fills.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    max: u32,
    seconds: u32,
    burst: u32,
}

/// What a bucket has after a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Left {
    /// How many more may follow at once.
    pub remaining: u32,
    /// After how many seconds it is full again.
    pub full_in_seconds: u32,
}

impl Rate {
    /// So many in so many seconds, all of them at once if somebody likes.
    pub const fn new(max: u32, seconds: u32) -> Self {
        Self { max, seconds, burst: max }
    }

    /// So many at once; nobody is helped by a bucket in which nothing fits.
    #[must_use]
    pub const fn with_burst(self, burst: u32) -> Self {
        Self { burst: if burst == 0 { 1 } else { burst }, ..self }
    }

    /// Returns how many come back within [`Self::seconds`].
    pub fn max(self) -> u32 {
        self.max
    }

    /// Returns within how many seconds they come back.
    pub fn seconds(self) -> u32 {
        self.seconds
    }

    /// Microseconds until one comes back.
    pub(crate) fn interval(self) -> i64 {
        (i64::from(self.seconds) * 1_000_000 / i64::from(self.max.max(1))).max(1)
    }

    /// Microseconds until an empty bucket is full.
    pub(crate) fn depth(self) -> i64 {
        self.interval() * i64::from(self.burst.max(1))
    }

    /// Microseconds that so many stand for. Who asks for more than there ever is gets what there is.
    pub(crate) fn price(self, cost: u32) -> i64 {
        self.interval() * i64::from(cost.min(self.burst.max(1)))
    }

    /// Returns when the bucket is full again if so many are taken that will be full at this moment, or the microseconds to wait for them.
    pub(crate) fn after(self, full_at: Option<i64>, now: i64, cost: u32) -> Result<i64, i64> {
        let next = self.bounded(full_at, now) + self.price(cost);
        let missing = next - now - self.depth();
        if missing <= 0 { Ok(next) } else { Err(missing) }
    }

    /// Tells whether a bucket is deep enough for what would be full only after so many microseconds, or the microseconds to wait.
    pub(crate) fn fits(self, full_in: i64) -> Result<i64, i64> {
        let missing = full_in - self.depth();
        if missing <= 0 { Ok(full_in) } else { Err(missing) }
    }

    /// Returns what is in a bucket that will be full at this moment.
    pub(crate) fn left(self, full_at: Option<i64>, now: i64) -> Left {
        let missing = self.bounded(full_at, now) - now;
        let remaining = (self.depth() - missing).max(0) / self.interval();
        Left { remaining: u32::try_from(remaining).unwrap_or(u32::MAX), full_in_seconds: seconds(missing) }
    }

    fn bounded(self, full_at: Option<i64>, now: i64) -> i64 {
        full_at.unwrap_or(now).clamp(now, now + self.depth())
    }
}

/// Returns whole seconds, rounded up: who waits that long has waited long enough.
pub(crate) fn seconds(microseconds: i64) -> u32 {
    u32::try_from(microseconds.max(0).unsigned_abs().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_262_400_000_000;
    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_bucket_empties_at_once_and_fills_evenly() {
        let rate = Rate::new(3, 60);
        let mut full_at = None;
        for left in [2, 1, 0] {
            full_at = Some(rate.after(full_at, NOW, 1).unwrap());
            assert_eq!(rate.left(full_at, NOW).remaining, left);
        }
        assert_eq!(rate.after(full_at, NOW, 1), Err(20 * SECOND));
        assert_eq!(rate.after(full_at, NOW + 5 * SECOND, 1), Err(15 * SECOND));
        assert_eq!(rate.left(full_at, NOW + 20 * SECOND), Left { remaining: 1, full_in_seconds: 40 });
        assert!(rate.after(full_at, NOW + 20 * SECOND, 1).is_ok());
        // The clock is set back by an hour.
        assert_eq!(rate.after(full_at, NOW - 3600 * SECOND, 1), Err(20 * SECOND));
    }

    #[test]
    fn fewer_at_once_come_back_as_fast() {
        // 60 a minute, and no more than 2 of them at once.
        let rate = Rate::new(60, 60).with_burst(2);
        let full_at = Some(rate.after(None, NOW, 2).unwrap());
        assert_eq!(rate.after(full_at, NOW, 1), Err(SECOND));
        assert_eq!(rate.after(full_at, NOW + SECOND, 2), Err(SECOND));
        assert_eq!(rate.left(full_at, NOW + SECOND), Left { remaining: 1, full_in_seconds: 1 });
        assert_eq!(rate.left(full_at, NOW + 60 * SECOND), Left { remaining: 2, full_in_seconds: 0 }, "no more than fit in");
    }

    #[test]
    fn what_costs_more_than_there_ever_is_costs_all_there_is() {
        let rate = Rate::new(10, 60);
        let full_at = Some(rate.after(None, NOW, 4000).unwrap());
        assert_eq!(rate.left(full_at, NOW), Left { remaining: 0, full_in_seconds: 60 });
        assert_eq!(rate.after(full_at, NOW + 30 * SECOND, 4000), Err(30 * SECOND));
    }
}
