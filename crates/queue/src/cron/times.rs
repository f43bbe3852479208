//! When a schedule comes, on the clock of its zone.
//!
//! Invariant: an entry with hours of its own comes once for each time that it names: a time that a change of the clock skips comes at
//! the change, one that comes twice counts the first time. An entry whose hours are a star follows the time that goes by.

use std::time::Duration;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp, ToSpan};

use super::expression::Expression;

/// Days that are looked at: the same weekday and day of a month come again within forty years.
const DAYS_MAX: u32 = 41 * 366;
/// More than any change of a clock.
const SLACK_HOURS: i64 = 5;

impl Expression {
    /// Returns when it comes next after a moment; nothing if it never does.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let local = zone.to_datetime(after);
        let floor = local.checked_sub(SLACK_HOURS.hours()).ok()?;
        let mut day = floor.date();
        for _ in 0..DAYS_MAX {
            if self.is_day(day) {
                let next = [Some(day), day.tomorrow().ok().filter(|next| self.is_day(*next))]
                    .into_iter()
                    .flatten()
                    .filter_map(|day| self.first_on(day, after, floor, zone))
                    .min();
                if next.is_some() {
                    return next;
                }
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// Returns the first moment of a day after another moment. Times before the floor are not looked at.
    fn first_on(&self, day: Date, after: Timestamp, floor: DateTime, zone: &TimeZone) -> Option<Timestamp> {
        let mut first: Option<(Timestamp, DateTime)> = None;
        for time in self.hours.iter().flat_map(|hour| self.minutes.iter().map(move |minute| day.at(*hour, *minute, 0, 0))) {
            // What lies so far behind the best one cannot come before it.
            if first.is_some_and(|(_, best)| best.checked_add(SLACK_HOURS.hours()).is_ok_and(|end| time > end)) {
                break;
            }
            if time < floor {
                continue;
            }
            for moment in self.moments(time, zone).into_iter().flatten() {
                if moment > after && first.is_none_or(|(best, _)| moment < best) {
                    first = Some((moment, time));
                }
            }
        }
        first.map(|(moment, _)| moment)
    }

    /// Returns the moments at which a time of the day counts.
    fn moments(&self, time: DateTime, zone: &TimeZone) -> [Option<Timestamp>; 2] {
        match zone.to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => [offset.to_timestamp(time).ok(), None],
            AmbiguousOffset::Gap { .. } if self.is_hourly => [None, None],
            AmbiguousOffset::Gap { before, .. } => [before.to_timestamp(time).ok().and_then(|moment| change_before(moment, zone)), None],
            AmbiguousOffset::Fold { before, after } => {
                [before.to_timestamp(time).ok(), after.to_timestamp(time).ok().filter(|_| self.is_hourly)]
            }
        }
    }
}

/// Returns the last change of the clock up to a moment.
fn change_before(moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    zone.preceding(moment.checked_add(Span::new().seconds(1)).ok()?).next().map(|change| change.timestamp())
}

/// What becomes of times that nobody was there for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missed {
    /// They are passed over.
    Skip,
    /// The last of them is made up for.
    One,
    /// Each of them is, as far back as the window reaches.
    All,
}

impl Missed {
    /// Reads its name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "skip" => Some(Self::Skip),
            "one" => Some(Self::One),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

/// How far back times are made up for.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// A time that is late by no more was not missed.
    pub late: Duration,
    /// How far back missed times are looked for.
    pub window: Duration,
    /// How many are made up for at once.
    pub runs_max: usize,
}

/// What is due of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Due {
    /// The times that are run now, in order.
    pub runs: Vec<Timestamp>,
    /// When it comes next; never, if nothing.
    pub next: Option<Timestamp>,
}

/// Returns what is due at a moment of an entry that was to come at another one.
pub fn due(expression: &Expression, zone: &TimeZone, (planned, now): (Timestamp, Timestamp), missed: Missed, reach: Reach) -> Due {
    if planned > now {
        return Due { runs: Vec::new(), next: Some(planned) };
    }
    let back = |reach: Duration| now.checked_sub(reach).unwrap_or(Timestamp::MIN);
    let since = match missed {
        Missed::Skip => back(reach.late),
        Missed::One | Missed::All => back(reach.window.max(reach.late)),
    };
    let mut next = if planned >= since {
        Some(planned)
    } else {
        // A moment earlier, so that what comes at that very moment is there.
        expression.next_after(since.checked_sub(Duration::from_secs(1)).unwrap_or(since), zone)
    };
    let mut runs = Vec::new();
    while let Some(time) = next.filter(|time| *time <= now) {
        if runs.len() == reach.runs_max.max(1) {
            // The oldest go.
            runs.remove(0);
        }
        runs.push(time);
        next = expression.next_after(time, zone);
    }
    match missed {
        // However long ago it was.
        Missed::One if runs.is_empty() => runs.push(planned),
        Missed::One => {
            let in_time = back(reach.late);
            let last = runs.len() - 1;
            runs = runs.into_iter().enumerate().filter(|(place, time)| *place == last || *time >= in_time).map(|(_, time)| time).collect();
        }
        Missed::Skip | Missed::All => {}
    }
    Due { runs, next }
}
