//! How long the steps of a request took.

use std::time::{Duration, Instant};

use axum::response::Response;

/// The steps; stands in the extensions of an answer that succeeded.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Reading what the request says.
    pub parse: Duration,
    /// Checking it against the catalog.
    pub plan: Duration,
    /// Everything in the database.
    pub transaction: Duration,
    since: Instant,
}

impl Timing {
    /// Returns how long it is since then: the time of what became of the outcome.
    pub fn response(&self) -> Duration {
        self.since.elapsed()
    }

    pub(crate) fn begin() -> Self {
        Self { parse: Duration::ZERO, plan: Duration::ZERO, transaction: Duration::ZERO, since: Instant::now() }
    }

    pub(crate) fn parsed(&mut self) {
        self.parse = self.lap();
    }

    pub(crate) fn planned(&mut self) {
        self.plan = self.lap();
    }

    /// Puts the steps beside the answer.
    pub(crate) fn on(mut self, mut response: Response) -> Response {
        self.transaction = self.lap();
        response.extensions_mut().insert(self);
        response
    }

    fn lap(&mut self) -> Duration {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut self.since, now))
    }
}
