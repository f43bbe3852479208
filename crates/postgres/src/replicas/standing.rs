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
pub(super) struct Standing(Mutex<State>);

#[derive(Debug)]
struct State {
    now: Result<Known, Out>,
    /// What the look before found.
    before: Option<Look>,
    /// It was further than the log of the primary, which therefore is another one, until it is started or set up anew.
    strayed: Option<Look>,
}

/// What a look at a replica found.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// When its answer came.
    pub(super) at: Instant,
    pub(super) replayed: LogPosition,
    /// Since when its PostgreSQL runs.
    pub(super) started: Option<String>,
}

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

    /// Tells whether the log ended before what a replica had replayed by then, so that it is not the log which that replica replays.
    fn is_passed_by(&self, look: &Look) -> bool {
        self.0.back().is_some_and(|(asked, end)| *asked > look.at && *end < look.replayed)
    }
}

impl Standing {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { now: Err(Out::Unknown), before: None, strayed: None }))
    }

    /// Notes what a look found. Returns what it was out for before, if it is in again. A replica that has replayed what the primary never
    /// wrote is out: the primary was restored to an earlier moment, or one that was less far took its place.
    pub(super) fn note(&self, ends: &Ends, look: Look) -> Result<Option<Out>, Out> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.strayed.as_ref().is_some_and(|strayed| strayed.started != look.started || look.replayed < strayed.replayed) {
            (state.strayed, state.before) = (None, None);
        }
        if state.strayed.is_none() && state.before.as_ref().is_some_and(|before| ends.is_passed_by(before)) {
            state.strayed = state.before.take();
        }
        let replayed = look.replayed;
        state.before = Some(look);
        if state.strayed.is_some() {
            return Err(Out::Foreign);
        }
        let before = match &state.now {
            Ok(known) if known.replayed <= replayed => known.as_of,
            Ok(_) | Err(_) => None,
        };
        let as_of = ends.reached(replayed).max(before);
        Ok(std::mem::replace(&mut state.now, Ok(Known { as_of, replayed })).err())
    }

    /// Takes it out. Tells whether it was in until now.
    pub(super) fn leave(&self, why: Out) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut state.now, Err(why)).is_ok()
    }

    /// Tells whether a read may have it that allows so much lag: how far it must be for that, which it was at the last look. Whoever reads
    /// there makes sure that it is so still.
    pub(super) fn fits(&self, needs: Needs, lag_max: Duration) -> Option<LogPosition> {
        let Ok(Known { as_of: Some(as_of), replayed }) = self.now() else { return None };
        let fits = as_of.elapsed() <= lag_max
            && needs.written.is_none_or(|written| written < as_of)
            && needs.position.is_none_or(|position| position <= replayed);
        fits.then_some(replayed)
    }

    /// Tells whether it is read from at all.
    pub(super) fn is_in(&self) -> bool {
        self.now().is_ok()
    }

    /// Returns how old is what can be read there, or why nothing is.
    pub(super) fn lag(&self) -> Result<Option<Duration>, Out> {
        self.now().map(|known| known.as_of.map(|as_of| as_of.elapsed()))
    }

    fn now(&self) -> Result<Known, Out> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAG_MAX: Duration = Duration::from_secs(1);

    fn at(position: u64) -> LogPosition {
        LogPosition(position)
    }

    fn look(position: u64) -> Look {
        Look { at: Instant::now(), replayed: at(position), started: Some("today".to_owned()) }
    }

    #[test]
    fn a_replica_has_what_was_written_before_the_end_that_it_reached() {
        let now = Instant::now();
        let before = |ms: u64| now.checked_sub(Duration::from_millis(ms)).unwrap();
        let (standing, mut ends) = (Standing::new(), Ends::default());
        assert!(standing.fits(Needs::default(), LAG_MAX).is_none());
        ends.note(before(300), at(100));
        ends.note(before(200), at(200));
        ends.note(before(100), at(300));
        assert_eq!(standing.note(&ends, look(250)), Ok(Some(Out::Unknown)));
        assert_eq!(standing.fits(Needs::default(), LAG_MAX), Some(at(250)));
        let written = |ms| Needs { written: Some(before(ms)), position: None };
        assert_eq!(standing.fits(written(201), LAG_MAX), Some(at(250)));
        assert!([200, 150].iter().all(|ms| standing.fits(written(*ms), LAG_MAX).is_none()));
        let position = |position| Needs { written: None, position: Some(at(position)) };
        assert!(standing.fits(position(250), LAG_MAX).is_some() && standing.fits(position(251), LAG_MAX).is_none());
        assert_eq!(standing.fits(Needs::default(), Duration::from_millis(199)), None);
        assert_eq!(standing.note(&ends, look(300)), Ok(None));
        assert!(standing.fits(written(150), LAG_MAX).is_some());
    }

    #[test]
    fn one_that_left_is_read_from_when_it_is_back_and_has_caught_up() {
        let (standing, mut ends) = (Standing::new(), Ends::default());
        ends.note(Instant::now(), at(100));
        assert_eq!(standing.note(&ends, look(100)), Ok(Some(Out::Unknown)));
        assert!(standing.leave(Out::Away) && !standing.leave(Out::Promoted));
        assert_eq!(standing.lag().unwrap_err(), Out::Promoted);
        assert_eq!(standing.note(&ends, look(99)), Ok(Some(Out::Promoted)));
        assert!(standing.fits(Needs::default(), LAG_MAX).is_none());
        assert_eq!(standing.note(&ends, look(100)), Ok(None));
        assert_eq!(standing.fits(Needs::default(), LAG_MAX), Some(at(100)));
    }

    #[test]
    fn another_history_begins_anew_and_who_follows_the_old_one_is_foreign() {
        let (standing, mut ends) = (Standing::new(), Ends::default());
        ends.note(Instant::now(), at(500));
        assert_eq!(standing.note(&ends, look(600)), Ok(Some(Out::Unknown)), "written since the primary was asked");
        // The primary was restored to an earlier moment.
        ends.note(Instant::now(), at(100));
        assert_eq!(ends.0.len(), 1);
        for end in [100, 599, 700] {
            ends.note(Instant::now(), at(end));
            assert_eq!(standing.note(&ends, look(600)), Err(Out::Foreign), "{end}");
            standing.leave(Out::Foreign);
            assert_eq!(standing.fits(Needs::default(), LAG_MAX), None);
        }
        // Set up anew from that primary, and further than the old one was.
        assert_eq!(standing.note(&ends, Look { started: Some("tomorrow".to_owned()), ..look(700) }), Ok(Some(Out::Foreign)));
        assert!(standing.fits(Needs::default(), LAG_MAX).is_some());
    }

    #[test]
    fn what_is_written_between_two_looks_makes_nobody_foreign() {
        let (standing, mut ends) = (Standing::new(), Ends::default());
        for end in [100, 200, 300] {
            ends.note(Instant::now(), at(end));
            // The primary went on while the replica was asked.
            assert!(standing.note(&ends, look(end + 50)).is_ok());
        }
    }
}
