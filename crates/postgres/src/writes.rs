//! When this process wrote last for a company: what it keeps of that company's rows counts again when it was told of everything until then.
//!
//! Invariant: a write is noted before anybody is told that it is done, and as soon as nobody waits to be told. Companies share places, so that
//! it is never forgotten and costs no more than a word; sharing one makes a company seem to have written that did not. What the server writes
//! in its own name for a request, such as a sign-up, is noted apart: a reader of a replica waits for it, who reads what is kept does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kernel::{CompanyId, Error, Kind};

use crate::opening::Opening;
use crate::pool::Lease;
use crate::tx::Access;
use crate::wire::Connection;

/// A transaction that is to be noted when it ends.
#[derive(Default)]
pub(crate) struct Noted {
    of: Option<(Arc<OwnWrites>, Whose)>,
    sent: Option<Sent>,
}

/// Its end is on its way: whoever waits for the answer may leave, and it is done all the same.
struct Sent {
    company: Option<CompanyId>,
    connection: Arc<Connection>,
}

/// In whose name something is written.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Callers,
    /// The server's, while it answers a request.
    Requests,
}

/// Places.
const PLACES: u64 = 4096;

/// When was written, in microseconds from a beginning; 0 for never.
#[derive(Debug)]
pub(crate) struct OwnWrites {
    begun: Instant,
    places: Box<[AtomicU64]>,
    for_no_company: AtomicU64,
    for_requests: AtomicU64,
    /// For whomever.
    newest: AtomicU64,
}

impl OwnWrites {
    pub(crate) fn new() -> Self {
        let places = (0..PLACES).map(|_| AtomicU64::new(0)).collect();
        let never = || AtomicU64::new(0);
        Self { begun: Instant::now(), places, for_no_company: never(), for_requests: never(), newest: never() }
    }

    /// Notes that something was written for a company; for none it may be about any.
    pub(crate) fn note(&self, company: Option<CompanyId>) {
        let now = self.now();
        self.newest.fetch_max(now, Ordering::AcqRel);
        let place = company.map_or(Some(&self.for_no_company), |company| self.place(company));
        if let Some(place) = place {
            place.fetch_max(now, Ordering::AcqRel);
        }
    }

    /// Returns when something was written last that may be about a company.
    pub(crate) fn last(&self, company: CompanyId) -> Option<Instant> {
        let own = self.place(company).map_or(0, |place| place.load(Ordering::Acquire));
        let last = own.max(self.for_no_company.load(Ordering::Acquire));
        self.moment(last)
    }

    /// Returns when something was written last that a reader in a company, or in none, may have to find; for whomever where he is in none,
    /// and may read of all.
    pub(crate) fn last_for(&self, company: Option<CompanyId>) -> Option<Instant> {
        let own = company.map_or_else(|| self.moment(self.newest.load(Ordering::Acquire)), |company| self.last(company));
        own.max(self.moment(self.for_requests.load(Ordering::Acquire)))
    }

    fn note_request(&self) {
        self.for_requests.fetch_max(self.now(), Ordering::AcqRel);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn moment(&self, at: u64) -> Option<Instant> {
        (at > 0).then(|| self.begun.checked_add(Duration::from_micros(at))).flatten()
    }

    fn place(&self, company: CompanyId) -> Option<&AtomicU64> {
        // The end of an id is by chance.
        let (_, end) = company.0.as_u64_pair();
        self.places.get(usize::try_from(end % PLACES).unwrap_or_default())
    }
}

impl Noted {
    /// Notes it where it may write. What the server does by itself, for nobody who waits to read it, is told by the feed in time.
    pub(crate) fn of(writes: &Arc<OwnWrites>, opening: &Opening, access: Access) -> Self {
        let whose = match (access, opening.is_of_system()) {
            (Access::Read, _) => None,
            (Access::Write, false) => Some(Whose::Callers),
            (Access::Write, true) => opening.is_for_request().then_some(Whose::Requests),
        };
        Self { of: whose.map(|whose| (Arc::clone(writes), whose)), sent: None }
    }

    /// What ends it is sent next, in this company if it is known by now.
    pub(crate) fn sent(&mut self, company: Option<CompanyId>, connection: &Lease) {
        if self.of.is_some() {
            self.sent = Some(Sent { company, connection: connection.shared() });
        }
    }

    /// It ended, in this company if it is known. Nothing is kept of what was refused; of what was cut off nobody knows.
    pub(crate) fn ended(mut self, outcome: Result<Option<CompanyId>, &Error>) {
        self.sent = None;
        let Some((writes, whose)) = self.of.take() else { return };
        match outcome {
            Ok(company) => whose.note(&writes, company),
            Err(error) if error.kind() == Kind::Unavailable => whose.note(&writes, None),
            Err(_refused) => {}
        }
    }
}

impl Whose {
    fn note(self, writes: &OwnWrites, company: Option<CompanyId>) {
        match self {
            Self::Requests => writes.note_request(),
            Self::Callers => writes.note(company),
        }
    }
}

/// Nobody waits for its answer: it may be done by now, and is when the connection has nothing more to answer.
impl Drop for Noted {
    fn drop(&mut self) {
        let (Some((writes, whose)), Some(Sent { company, connection })) = (self.of.take(), self.sent.take()) else { return };
        whose.note(&writes, company);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                connection.quiet().await;
                whose.note(&writes, company);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_found_by_its_company_and_one_of_none_by_all() {
        let company = |last: u8| CompanyId(uuid::Uuid::from_bytes([last; 16]));
        let writes = OwnWrites::new();
        assert_eq!(writes.last(company(1)), None);
        let before = Instant::now();
        writes.note(Some(company(1)));
        assert!(writes.last(company(1)).is_some_and(|last| last >= before));
        assert_eq!(writes.last(company(2)), None);
        writes.note(None);
        assert!(writes.last(company(2)).is_some_and(|last| last >= before));
    }

    #[test]
    fn a_reader_of_all_companies_waits_for_each_and_everybody_for_what_a_request_made() {
        let company = |last: u8| CompanyId(uuid::Uuid::from_bytes([last; 16]));
        let writes = OwnWrites::new();
        writes.note(Some(company(1)));
        assert!(writes.last_for(None).is_some() && writes.last_for(Some(company(1))).is_some());
        assert_eq!(writes.last_for(Some(company(2))), None);
        writes.note_request();
        assert!(writes.last_for(Some(company(2))).is_some());
        assert_eq!(writes.last(company(2)), None, "what is kept is told of it by the feed");
    }
}
