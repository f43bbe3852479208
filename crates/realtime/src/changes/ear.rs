//! Listens to the change feed, and never keeps it waiting.
//!
//! Invariant: where what was heard did not fit into the queue, the gap stands in it before anything that came later.

use std::sync::{Arc, Mutex, PoisonError};

use kernel::{ChangeListener, FeedEvent, GapCause, Place};
use tokio::sync::mpsc;

/// Room for what ends a gap: that there was one, that it is over, and what came then.
const ROOM_AFTER_GAP: usize = 3;

pub(super) struct Ear {
    events: mpsc::Sender<FeedEvent>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_lost: bool,
    /// How everything began the last time, while it is told, and up to where it was told.
    opened: Option<(FeedEvent, Place)>,
}

impl Ear {
    pub(super) fn new(events: mpsc::Sender<FeedEvent>) -> Self {
        Self { events, state: Mutex::default() }
    }
}

impl State {
    fn put(&mut self, events: &mpsc::Sender<FeedEvent>, event: FeedEvent) {
        self.is_lost |= events.try_send(event).is_err();
    }

    /// How everything begins anew behind what was told last.
    fn again(&self) -> Option<FeedEvent> {
        match self.opened.as_ref()? {
            (FeedEvent::Opened { floor, tables, history, .. }, place) => {
                let (tables, history) = (Arc::clone(tables), Arc::clone(history));
                Some(FeedEvent::Opened { floor: *floor, tables, place: place.clone(), history })
            }
            _ => None,
        }
    }
}

impl ChangeListener for Ear {
    fn hear(&self, event: &FeedEvent) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_lost && self.events.capacity() >= ROOM_AFTER_GAP {
            state.is_lost = false;
            state.put(&self.events, FeedEvent::Gap(GapCause::Overrun));
            if let Some(again) = state.again() {
                state.put(&self.events, again);
            }
        }
        match event {
            FeedEvent::Opened { place, .. } => state.opened = Some((event.clone(), place.clone())),
            FeedEvent::Gap(_) => state.opened = None,
            FeedEvent::Committed(rows) => {
                if let Some((_, place)) = &mut state.opened {
                    place.clone_from(&rows.place);
                }
            }
            FeedEvent::Beat(_) => {}
        }
        if !state.is_lost {
            state.put(&self.events, event.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use kernel::ChangedRows;

    use super::*;

    fn said(event: &FeedEvent) -> String {
        match event {
            FeedEvent::Opened { place, .. } => format!("from {place:?}"),
            FeedEvent::Committed(rows) => format!("{}", rows.xid),
            FeedEvent::Beat(_) => "beat".to_owned(),
            FeedEvent::Gap(cause) => cause.name().to_owned(),
        }
    }

    #[test]
    fn what_did_not_fit_is_a_gap_before_all_that_comes() {
        let (events, mut heard) = mpsc::channel(4);
        let ear = Ear::new(events);
        ear.hear(&FeedEvent::Opened { floor: 1, tables: Arc::new(HashSet::new()), place: Place::Log(1), history: "h".into() });
        let committed =
            |xid| FeedEvent::Committed(Arc::new(ChangedRows { xid, place: Place::Log(xid), committed_at: None, changes: vec![] }));
        for xid in 2..8 {
            ear.hear(&committed(xid));
        }
        let mut all = Vec::new();
        while let Ok(event) = heard.try_recv() {
            all.push(said(&event));
        }
        assert_eq!(all, ["from Log(1)", "2", "3", "4"]);
        ear.hear(&committed(8));
        while let Ok(event) = heard.try_recv() {
            all.push(said(&event));
        }
        assert_eq!(all[4..], ["overrun", "from Log(7)", "8"]);
    }
}
