//! Places in the order of all changes, as a client keeps them and gives them back, to this server or to another.
//!
//! Invariant: of two rows that were told, the place of the later one counts the earlier one as heard, on every server; what a place does
//! not count as heard was not told to whoever has it. A place of another history of the database counts nothing.

use std::sync::Arc;

use kernel::Place;

use super::Position;

/// Characters of a position that is believed to be ours.
const POSITION_MAX: usize = 8192;

/// Up to where somebody heard everything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// All transactions that ended in the log before this place, and so many rows of the one that ends there; all of it where it is not said.
    Log { end: u64, rows: Option<usize> },
    /// All that the snapshot before shows, and of what the one after shows everything up to a row of a transaction.
    Outbox { before: Snapshot, after: Snapshot, last: Option<(u64, usize)> },
}

/// What was visible at a moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Snapshot {
    text: Arc<str>,
    /// Everything below is visible.
    low: u64,
    /// Nothing from here on is.
    high: u64,
    /// What is not, between the two.
    open: Vec<u64>,
}

impl Snapshot {
    /// Reads `low:high:open,open`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (low, high, open) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
        let open = open.split(',').filter(|one| !one.is_empty()).map(|one| one.parse().ok()).collect::<Option<_>>()?;
        parts.next().is_none().then(|| Self { text: text.into(), low, high, open })
    }

    /// Tells whether a transaction is visible in it.
    pub(super) fn shows(&self, xid: u64) -> bool {
        xid < self.low || xid < self.high && !self.open.contains(&xid)
    }

    /// Tells whether everything is visible in it that is in another.
    fn includes(&self, other: &Self) -> bool {
        other.high <= self.high && self.open.iter().all(|xid| !other.shows(*xid))
    }
}

impl Heard {
    /// Everything of a place that was told whole.
    pub(super) fn all_of(place: &Place) -> Option<Self> {
        Some(match place {
            Place::Log(end) => Self::Log { end: *end, rows: None },
            Place::Outbox { after, .. } => {
                let after = Snapshot::read(after)?;
                Self::Outbox { before: after.clone(), after, last: None }
            }
        })
    }

    /// Reads a position; nothing where it is none of ours, or of another history.
    pub(super) fn read(position: &Position, history: &str) -> Option<Self> {
        let text = position.0.as_ref();
        if text.len() > POSITION_MAX {
            return None;
        }
        let (way, rest) = text.split_once(':')?;
        let (of, rest) = rest.split_once('/')?;
        match way {
            _ if of != history => None,
            "lsn" => Some(match rest.split_once('.') {
                None => Self::Log { end: rest.parse().ok()?, rows: None },
                Some((end, rows)) => Self::Log { end: end.parse().ok()?, rows: Some(rows.parse().ok()?) },
            }),
            "out" => {
                let mut parts = rest.split('|');
                let before = Snapshot::read(parts.next()?)?;
                let Some(after) = parts.next() else { return Some(Self::Outbox { after: before.clone(), before, last: None }) };
                let (xid, row) = parts.next()?.split_once('.')?;
                let last = Some((xid.parse().ok()?, row.parse().ok()?));
                parts.next().is_none().then_some(())?;
                Some(Self::Outbox { before, after: Snapshot::read(after)?, last })
            }
            _ => None,
        }
    }

    /// Returns it as a client keeps it, of a history.
    pub(super) fn position(&self, history: &str) -> Position {
        Position(match self {
            Self::Log { end, rows: None } => format!("lsn:{history}/{end}").into(),
            Self::Log { end, rows: Some(rows) } => format!("lsn:{history}/{end}.{rows}").into(),
            Self::Outbox { before, last: None, .. } => format!("out:{history}/{}", before.text).into(),
            Self::Outbox { before, after, last: Some((xid, row)) } => {
                format!("out:{history}/{}|{}|{xid}.{row}", before.text, after.text).into()
            }
        })
    }

    /// Tells whether a row of a transaction was heard, by its number from 1.
    pub(super) fn has(&self, xid: u64, place: &Place, row: usize) -> bool {
        match (self, place) {
            (Self::Log { end, rows }, Place::Log(ended)) => ended < end || ended == end && rows.is_none_or(|rows| row <= rows),
            (Self::Outbox { before, after, last }, Place::Outbox { .. }) => {
                before.shows(xid) || last.is_some_and(|last| after.shows(xid) && (xid, row) <= last)
            }
            _ => false,
        }
    }

    /// Tells whether nothing is missing where everything behind a place is known.
    pub(super) fn reaches(&self, begin: &Self) -> bool {
        match (self, begin) {
            // The rest of a transaction that ends where the knowledge begins is not known.
            (Self::Log { end, rows }, Self::Log { end: begin, .. }) => end > begin || end == begin && rows.is_none(),
            (Self::Outbox { before, .. }, Self::Outbox { before: begin, .. }) => before.includes(begin),
            _ => false,
        }
    }

    /// Tells whether the position of a row that is told now counts everything as heard that this one does.
    pub(super) fn is_within(&self, xid: u64, place: &Place, row: usize) -> bool {
        let (Self::Outbox { before, after, last }, Place::Outbox { before: looked, after: found }) = (self, place) else { return true };
        let (Some(looked), Some(found)) = (Snapshot::read(looked), Snapshot::read(found)) else { return false };
        let is_rest = |last: (u64, usize)| looked.includes(after) || found.includes(after) && last <= (xid, row);
        looked.includes(before) && last.is_none_or(is_rest)
    }

    /// Tells whether a transaction that is told now, and every later one, was not heard.
    pub(super) fn is_behind(&self, place: &Place) -> bool {
        match (self, place) {
            (Self::Log { end, .. }, Place::Log(ended)) => ended > end,
            (Self::Outbox { after, .. }, Place::Outbox { before, .. }) => {
                Snapshot::read(before).is_some_and(|before| before.includes(after))
            }
            _ => true,
        }
    }
}

/// The position of somebody of whom no short text says what he heard: he came from a server that looked at other moments, and hears now
/// what that one had not told. If he comes back with it, he reads anew.
pub(super) fn nowhere() -> Position {
    Position("out:".into())
}

/// Returns the position of a row of a transaction, by its number from 1; of the last one it is that of the whole transaction.
pub(super) fn position(history: &str, (xid, place): (u64, &Place), row: usize, is_last: bool) -> Position {
    Position(match place {
        Place::Log(end) if is_last => format!("lsn:{history}/{end}").into(),
        Place::Log(end) => format!("lsn:{history}/{end}.{row}").into(),
        Place::Outbox { before, after } => format!("out:{history}/{before}|{after}|{xid}.{row}").into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str) -> Heard {
        let (way, rest) = text.split_once(':').unwrap();
        Heard::read(&Position(format!("{way}:h/{rest}").into()), "h").unwrap()
    }

    fn look(before: &str, after: &str) -> Place {
        Place::Outbox { before: before.into(), after: after.into() }
    }

    #[test]
    fn positions_come_back_as_they_went_out() {
        let read = |text: &str| Heard::read(&Position(text.into()), "h");
        for text in ["lsn:h/77", "lsn:h/77.3", "out:h/5:9:6,7", "out:h/5:9:6|8:12:|9.4"] {
            assert_eq!(read(text).unwrap().position("h").0.as_ref(), text);
        }
        for text in ["lsn:h/", "lsn:h/x", "lsn:h/1.y", "out:h/1:2", "out:h/1:2:|3:4:", "out:h/1:2:|3:4:|5", "gone:h/1", "out:h/1:2:x"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read(&format!("lsn:h/{}", "1".repeat(POSITION_MAX))), None);
    }

    #[test]
    fn a_position_of_another_history_or_of_none_is_none_of_ours() {
        for text in ["lsn:g/77", "lsn:/77", "lsn:77", "lsn:77.3", "out:g/5:9:6,7", "out:5:9:6,7", "out:5:9:6|8:12:|9.4", "out:", "lsn", ""]
        {
            assert_eq!(Heard::read(&Position(text.into()), "h"), None, "{text}");
        }
        assert_eq!(Heard::read(&nowhere(), "h"), None);
    }

    #[test]
    fn in_the_log_what_ended_later_was_not_heard() {
        let place = Place::Log(50);
        assert!(heard("lsn:50").has(1, &place, 9) && heard("lsn:51").has(1, &place, 1));
        assert!(!heard("lsn:49").has(1, &place, 1));
        assert!(heard("lsn:50.2").has(1, &place, 2) && !heard("lsn:50.2").has(1, &place, 3));
        assert!(heard("lsn:49").is_behind(&place) && !heard("lsn:50.2").is_behind(&place));
        assert!(!heard("lsn:50.2").reaches(&heard("lsn:50")) && heard("lsn:51.1").reaches(&heard("lsn:50")));
        assert!(heard("lsn:50").reaches(&heard("lsn:50")) && !heard("lsn:49.7").reaches(&heard("lsn:50")));
    }

    #[test]
    fn in_the_outbox_a_late_transaction_was_not_heard() {
        // At the first look 7 was under way, at the second it was not.
        let place = look("7:10:7", "12:12:");
        let before = heard("out:7:10:7");
        assert!(before.has(6, &place, 1) && before.has(8, &place, 1) && !before.has(7, &place, 1) && !before.has(11, &place, 1));
        let between = heard("out:7:10:7|12:12:|7.2");
        assert!(between.has(7, &place, 2) && !between.has(7, &place, 3) && !between.has(10, &place, 1));
        // Another server looked once in between: whatever it looked at, the same rows count as heard.
        assert!(!between.has(10, &look("8:11:8", "12:12:"), 1));
        assert!(before.reaches(&heard("out:6:6:")) && !before.reaches(&heard("out:8:8:")));
        assert!(before.is_behind(&place) && !before.is_behind(&look("6:6:", "12:12:")));
        assert!(!heard("lsn:5").has(1, &place, 1) && !heard("lsn:5").reaches(&before));
    }
}
