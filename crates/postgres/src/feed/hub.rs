//! Tells the listeners: each from a queue of its own, so that a slow one keeps nobody waiting.
//!
//! Invariant: a listener whose queue is full loses what does not fit, and is told of the gap before it hears anything else.

use std::sync::Arc;

use kernel::{ChangeListener, FeedEvent, GapCause, Place};
use tokio::sync::mpsc;

/// Room for what ends a gap: that there was one, that it is over, and what came then.
const ROOM_AFTER_GAP: usize = 3;

/// The listeners.
pub(super) struct Hub {
    seats: Vec<Seat>,
    queue_max: usize,
    /// How everything began the last time, while it is told.
    opened: Option<FeedEvent>,
    /// The highest transaction that was told.
    last_xid: u64,
    /// Behind which place everything is told.
    last_place: Option<Place>,
}

struct Seat {
    queue: mpsc::Sender<FeedEvent>,
    lost: bool,
}

impl Hub {
    /// Makes a hub whose listeners may lag by so many events.
    pub(super) fn new(queue_max: usize) -> Self {
        Self { seats: Vec::new(), queue_max: queue_max.max(2 * ROOM_AFTER_GAP), opened: None, last_xid: 0, last_place: None }
    }

    /// Adds a listener. It listens until the hub is dropped.
    pub(super) fn seat(&mut self, listener: Arc<dyn ChangeListener>) {
        let (queue, mut events) = mpsc::channel(self.queue_max);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                listener.hear(&event);
            }
        });
        self.seats.push(Seat { queue, lost: false });
    }

    /// Tells everybody.
    pub(super) fn tell(&mut self, event: &FeedEvent) {
        match event {
            FeedEvent::Opened { place, .. } => {
                self.last_place = Some(place.clone());
                self.opened = Some(event.clone());
            }
            FeedEvent::Gap(cause) => {
                self.opened = None;
                metrics::counter!("change_feed_gaps_total", "cause" => cause.name()).increment(1);
            }
            FeedEvent::Committed(rows) => self.pass(rows.xid, &rows.place),
            FeedEvent::Beat(_) => {}
        }
        let again = self.again();
        for seat in &mut self.seats {
            seat.tell(event, again.as_ref());
        }
    }

    /// Tells that changes of a transaction are not told: what was read before it does not count, and all goes on.
    pub(super) fn skip(&mut self, xid: u64, place: &Place, cause: GapCause) {
        self.pass(xid, place);
        let again = self.again();
        self.tell(&FeedEvent::Gap(cause));
        if let Some(again) = again {
            self.tell(&again);
        }
    }

    fn pass(&mut self, xid: u64, place: &Place) {
        self.last_xid = self.last_xid.max(xid);
        self.last_place = Some(place.clone());
    }

    /// Returns how everything begins anew behind the last transaction that was told.
    fn again(&self) -> Option<FeedEvent> {
        match self.opened.as_ref()? {
            FeedEvent::Opened { floor, tables, place, history } => {
                let floor = (*floor).max(self.last_xid.saturating_add(1));
                let place = self.last_place.as_ref().unwrap_or(place).clone();
                Some(FeedEvent::Opened { floor, tables: Arc::clone(tables), place, history: Arc::clone(history) })
            }
            FeedEvent::Committed(_) | FeedEvent::Beat(_) | FeedEvent::Gap(_) => None,
        }
    }
}

impl Seat {
    fn tell(&mut self, event: &FeedEvent, again: Option<&FeedEvent>) {
        if self.lost {
            if self.queue.capacity() < ROOM_AFTER_GAP {
                return;
            }
            self.lost = false;
            self.put(FeedEvent::Gap(GapCause::Overrun));
            if let Some(again) = again {
                self.put(again.clone());
            }
        }
        self.put(event.clone());
    }

    fn put(&mut self, event: FeedEvent) {
        if self.queue.try_send(event).is_err() {
            if !self.lost {
                metrics::counter!("change_feed_gaps_total", "cause" => GapCause::Overrun.name()).increment(1);
            }
            self.lost = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;
    use std::sync::mpsc as std_mpsc;
    use std::time::Instant;

    use kernel::ChangedRows;

    use super::*;

    /// Takes an event each time it is let.
    struct Slow {
        turns: Mutex<std_mpsc::Receiver<()>>,
        heard: mpsc::UnboundedSender<String>,
    }

    impl ChangeListener for Slow {
        fn hear(&self, event: &FeedEvent) {
            self.turns.lock().unwrap().recv().unwrap();
            let said = match event {
                FeedEvent::Opened { floor, .. } => format!("from {floor}"),
                FeedEvent::Committed(rows) => format!("{}", rows.xid),
                FeedEvent::Beat(_) => "beat".to_owned(),
                FeedEvent::Gap(cause) => cause.name().to_owned(),
            };
            self.heard.send(said).unwrap();
        }
    }

    fn committed(xid: u64) -> FeedEvent {
        FeedEvent::Committed(Arc::new(ChangedRows { xid, place: Place::Log(xid), committed_at: None, changes: vec![] }))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_lags_is_told_of_the_gap_first() {
        let mut hub = Hub::new(6);
        let (turn, turns) = std_mpsc::channel();
        let (heard, mut said) = mpsc::unbounded_channel();
        hub.seat(Arc::new(Slow { turns: Mutex::new(turns), heard }));
        hub.tell(&FeedEvent::Opened { floor: 5, tables: Arc::new(HashSet::new()), place: Place::Log(4), history: "h".into() });
        // One may be on its way to the listener; six fit into the queue.
        for xid in 10..30 {
            hub.tell(&committed(xid));
        }
        let mut before = Vec::new();
        for _ in 0..6 {
            turn.send(()).unwrap();
            before.push(said.recv().await.unwrap());
        }
        assert_eq!(before, ["from 5", "10", "11", "12", "13", "14"]);
        hub.tell(&FeedEvent::Beat(Instant::now()));
        let mut after = Vec::new();
        while after.last().is_none_or(|last| last != "beat") {
            turn.send(()).unwrap();
            after.push(said.recv().await.unwrap());
        }
        // Whether the first one had left the queue decides about the seventh.
        let lost = after.iter().position(|said| said == "overrun").unwrap();
        assert!(lost <= 1, "{after:?}");
        assert_eq!(after[lost..], ["overrun", "from 30", "beat"]);
    }

    #[tokio::test]
    async fn a_transaction_that_is_not_told_begins_anew() {
        let mut hub = Hub::new(100);
        let (turn, turns) = std_mpsc::channel();
        let (heard, mut said) = mpsc::unbounded_channel();
        hub.seat(Arc::new(Slow { turns: Mutex::new(turns), heard }));
        for _ in 0..10 {
            turn.send(()).unwrap();
        }
        hub.skip(3, &Place::Log(3), GapCause::TooLarge);
        hub.tell(&FeedEvent::Opened { floor: 5, tables: Arc::new(HashSet::new()), place: Place::Log(4), history: "h".into() });
        hub.tell(&committed(8));
        hub.skip(7, &Place::Log(7), GapCause::Truncated);
        hub.tell(&committed(9));
        let mut all = Vec::new();
        for _ in 0..6 {
            all.push(said.recv().await.unwrap());
        }
        assert_eq!(all, ["too_large", "from 5", "8", "truncated", "from 9", "9"]);
    }
}
