//! How far a replica is: the moment before which it has everything.
//!
//! Invariant: the moment is taken before the primary is asked where its log ends, and counts once the replica has replayed the log until
//! there. So whatever was committed before that moment, by whatever server, can be read at the replica.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::LogPosition;

/// Looks at the primary that are remembered: a replica that is a little behind has replayed what an earlier one found.
const LOOKS_MAX: usize = 256;

/// Why a replica is not read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Out {
    /// Nobody looked yet.
    Unknown,
    /// It does not answer.
    Away,
    /// It takes writes of its own: it is nobody's replica any more.
    Promoted,
    /// It is a copy of another database.
    Foreign,
}

impl Out {
    /// Returns it in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Away => "away",
            Self::Promoted => "promoted",
            Self::Foreign => "foreign",
        }
    }
}

/// What is known of one replica.
#[derive(Debug)]
pub(super) struct Standing(Mutex<Result<Known, Out>>);

/// A replica that answers.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// It has everything that was committed before.
    as_of: Option<Instant>,
    replayed: LogPosition,
}

/// What a read needs of a replica.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needs {
    /// What was committed before must be there.
    pub(super) written: Option<Instant>,
    /// The log must have been replayed until there.
    pub(super) position: Option<LogPosition>,
}

/// Where the primary's log ended, and when it was asked.
#[derive(Debug, Default)]
pub(super) struct Ends(VecDeque<(Instant, LogPosition)>);

impl Ends {
    /// Remembers one more look.
    pub(super) fn note(&mut self, asked: Instant, end: LogPosition) {
        // Another history began where the log became shorter.
        if self.0.back().is_some_and(|(_, last)| end < *last) {
            self.0.clear();
        }
        if self.0.len() >= LOOKS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((asked, end));
    }

    /// Returns the latest moment at which the log ended no later than here.
    fn reached(&self, replayed: LogPosition) -> Option<Instant> {
        self.0.iter().rev().find(|(_, end)| *end <= replayed).map(|(asked, _)| *asked)
    }
}

impl Standing {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Err(Out::Unknown)))
    }

    /// Notes what a look found. Returns what it was out for before, or is out for now, where that changed.
    pub(super) fn note(&self, ends: &Ends, replayed: LogPosition) -> Option<Out> {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match &*standing {
            Ok(known) if known.replayed <= replayed => known.as_of,
            Ok(_) | Err(_) => None,
        };
        let as_of = ends.reached(replayed).max(before);
        std::mem::replace(&mut *standing, Ok(Known { as_of, replayed })).err()
    }

    /// Takes it out. Tells whether it was in until now.
    pub(super) fn leave(&self, why: Out) -> bool {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *standing, Err(why)).is_ok()
    }

    /// Tells whether a read may have it that allows so much lag.
    pub(super) fn fits(&self, needs: Needs, lag_max: Duration) -> bool {
        let standing = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(Known { as_of: Some(as_of), replayed }) = standing else { return false };
        as_of.elapsed() <= lag_max
            && needs.written.is_none_or(|written| written < as_of)
            && needs.position.is_none_or(|position| position <= replayed)
    }

    /// Returns how old is what can be read there, or why nothing is.
    pub(super) fn lag(&self) -> Result<Option<Duration>, Out> {
        let standing = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        standing.map(|known| known.as_of.map(|as_of| as_of.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAG_MAX: Duration = Duration::from_secs(1);

    fn at(position: u64) -> LogPosition {
        LogPosition(position)
    }

    #[test]
    fn a_replica_has_what_was_written_before_the_end_that_it_reached() {
        let now = Instant::now();
        let before = |ms: u64| now.checked_sub(Duration::from_millis(ms)).unwrap();
        let (standing, mut ends) = (Standing::new(), Ends::default());
        assert!(!standing.fits(Needs::default(), LAG_MAX));
        ends.note(before(300), at(100));
        ends.note(before(200), at(200));
        ends.note(before(100), at(300));
        assert_eq!(standing.note(&ends, at(250)), Some(Out::Unknown));
        assert!(standing.fits(Needs::default(), LAG_MAX));
        let written = |ms| Needs { written: Some(before(ms)), position: None };
        assert!(standing.fits(written(201), LAG_MAX));
        assert!(!standing.fits(written(200), LAG_MAX) && !standing.fits(written(150), LAG_MAX));
        let position = |position| Needs { written: None, position: Some(at(position)) };
        assert!(standing.fits(position(250), LAG_MAX) && !standing.fits(position(251), LAG_MAX));
        assert!(!standing.fits(Needs::default(), Duration::from_millis(199)));
        assert_eq!(standing.note(&ends, at(300)), None);
        assert!(standing.fits(written(150), LAG_MAX));
    }

    #[test]
    fn one_that_left_is_read_from_when_it_is_back_and_has_caught_up() {
        let (standing, mut ends) = (Standing::new(), Ends::default());
        ends.note(Instant::now(), at(100));
        assert_eq!(standing.note(&ends, at(100)), Some(Out::Unknown));
        assert!(standing.leave(Out::Away) && !standing.leave(Out::Promoted));
        assert_eq!(standing.lag().unwrap_err(), Out::Promoted);
        assert_eq!(standing.note(&ends, at(99)), Some(Out::Promoted));
        assert!(!standing.fits(Needs::default(), LAG_MAX));
        assert_eq!(standing.note(&ends, at(100)), None);
        assert!(standing.fits(Needs::default(), LAG_MAX));
    }

    #[test]
    fn another_history_begins_anew() {
        let (standing, mut ends) = (Standing::new(), Ends::default());
        ends.note(Instant::now(), at(500));
        standing.note(&ends, at(500));
        ends.note(Instant::now(), at(100));
        assert_eq!(ends.reached(at(600)), ends.0.back().map(|(asked, _)| *asked));
        assert_eq!(ends.0.len(), 1);
    }
}
