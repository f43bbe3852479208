//! Watches that a connection gets on: headers arrive in time, an idle one is let go, an answer is read.
//!
//! The HTTP library has a time limit for headers too, but it runs while a connection lies idle between two requests, and
//! would close those that clients keep for later after ten seconds.
//!
//! Invariant: at every moment a connection is in one phase (waiting, receiving a head, working), and each has its limit; working has
//! the limit of the request itself.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::Version;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::config::Limits;

/// What is to be done with a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Nothing.
    Fine,
    /// It has lain idle; it may go in order.
    Idle,
    /// Its headers do not come.
    HeadersTooSlow,
    /// The client does not read its answer.
    ReaderTooSlow,
}

/// The clock of one connection.
#[derive(Debug)]
pub(super) struct Pace {
    header_time: Duration,
    idle_time: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    in_flight: usize,
    /// Several requests share the connection, so that bytes that come do not mean a new head.
    multiplexed: bool,
    idle_since: Instant,
    head_since: Option<Instant>,
    unread_since: Option<Instant>,
}

impl Pace {
    pub(super) fn new(limits: &Limits) -> Self {
        let now = Instant::now();
        Self {
            header_time: Duration::from_millis(limits.header_time_ms),
            idle_time: Duration::from_millis(limits.idle_time_ms),
            // A client that connects and says nothing is slow with its headers.
            state: Mutex::new(State { in_flight: 0, multiplexed: false, idle_since: now, head_since: Some(now), unread_since: None }),
        }
    }

    /// Notes that a request's head is complete.
    pub(super) fn begin(self: &Arc<Self>, version: Version) -> InFlight {
        let mut state = self.state();
        state.in_flight += 1;
        state.head_since = None;
        state.multiplexed |= version == Version::HTTP_2;
        InFlight(Arc::clone(self))
    }

    /// Returns when it is worth looking again.
    pub(super) fn next_look(&self) -> Instant {
        let state = self.state();
        let due = [self.head_due(&state), self.idle_due(&state), self.reader_due(&state)];
        let soon = Instant::now() + self.header_time.min(self.idle_time);
        due.into_iter().flatten().fold(soon, Instant::min)
    }

    pub(super) fn verdict(&self) -> Verdict {
        let (state, now) = (self.state(), Instant::now());
        let over = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        if over(self.head_due(&state)) {
            Verdict::HeadersTooSlow
        } else if over(self.reader_due(&state)) {
            Verdict::ReaderTooSlow
        } else if over(self.idle_due(&state)) {
            Verdict::Idle
        } else {
            Verdict::Fine
        }
    }

    fn head_due(&self, state: &State) -> Option<Instant> {
        state.head_since.map(|since| since + self.header_time)
    }

    fn idle_due(&self, state: &State) -> Option<Instant> {
        (state.in_flight == 0 && state.head_since.is_none()).then(|| state.idle_since + self.idle_time)
    }

    fn reader_due(&self, state: &State) -> Option<Instant> {
        state.unread_since.map(|since| since + self.idle_time)
    }

    fn received(&self) {
        let mut state = self.state();
        if state.in_flight == 0 && state.head_since.is_none() && !state.multiplexed {
            state.head_since = Some(Instant::now());
        }
    }

    fn sent(&self, waits: bool) {
        let mut state = self.state();
        match (waits, state.unread_since) {
            (true, None) => state.unread_since = Some(Instant::now()),
            (false, Some(_)) => state.unread_since = None,
            (true, Some(_)) | (false, None) => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is being worked on. Dropped when its answer has been handed over, or given up.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Pace>);

impl InFlight {
    /// Binds this to an answer's body.
    pub(super) fn until_sent(self, body: Body) -> Sending {
        Sending { body, _in_flight: self }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight = state.in_flight.saturating_sub(1);
        state.idle_since = Instant::now();
    }
}

/// An answer's body that keeps its request in flight.
#[derive(Debug)]
pub(super) struct Sending {
    body: Body,
    _in_flight: InFlight,
}

impl HttpBody for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that tells its pace what it sees.
#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: S,
    pace: Arc<Pace>,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, pace: Arc<Pace>) -> Self {
        Self { stream, pace }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.pace.received();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.pace.sent(polled.is_pending());
        polled
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.pace.sent(polled.is_pending());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Arc<Pace> {
        Arc::new(Pace::new(&Limits { header_time_ms: 10_000, idle_time_ms: 75_000, ..Limits::default() }))
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_limit() {
        let pace = pace();
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(pace.verdict(), Verdict::Fine);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(pace.verdict(), Verdict::HeadersTooSlow, "a client that says nothing");

        let request = pace.begin(Version::HTTP_11);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(pace.verdict(), Verdict::Fine, "the request has its own limit");
        drop(request);
        tokio::time::advance(Duration::from_secs(74)).await;
        assert_eq!(pace.verdict(), Verdict::Fine);
        pace.received();
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(pace.verdict(), Verdict::Fine, "the next head has begun, idle time is over");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(pace.verdict(), Verdict::HeadersTooSlow);
        drop(pace.begin(Version::HTTP_11));
        tokio::time::advance(Duration::from_secs(75)).await;
        assert_eq!(pace.verdict(), Verdict::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_let_go() {
        let pace = pace();
        let _request = pace.begin(Version::HTTP_11);
        pace.sent(true);
        tokio::time::advance(Duration::from_secs(74)).await;
        assert_eq!(pace.verdict(), Verdict::Fine);
        pace.sent(false);
        tokio::time::advance(Duration::from_secs(74)).await;
        pace.sent(true);
        assert_eq!(pace.verdict(), Verdict::Fine);
        tokio::time::advance(Duration::from_secs(75)).await;
        assert_eq!(pace.verdict(), Verdict::ReaderTooSlow);
    }
}
