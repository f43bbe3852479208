//! Time as something that is handed in, so that tests turn the clock instead of waiting for it.

use jiff::Timestamp;

/// Tells the time. The server has one; tests have their own.
pub trait Clock: Send + Sync + 'static {
    /// Returns the present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
