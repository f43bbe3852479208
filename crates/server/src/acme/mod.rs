//! Certificates that the server orders by itself (RFC 8555), while it runs.
//!
//! Invariant: what is served came from the directory and belongs to its key; a certificate that was got stays in use until a better one is
//! there and safe on the disk. How often the directory is asked has a limit, whatever fails.

mod directory;
mod error;
mod pair;
mod served;
mod stored;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;
use tokio_util::sync::CancellationToken;

use crate::config::Acme;

use directory::Directory;
pub use error::AcmeError;
use pair::Pair;
pub(crate) use pair::ends_at;
pub(crate) use served::{Certificates, VALIDATION, acceptor};
use stored::Stored;

/// However long the directory wants to be left alone, it is asked again after a week.
const PAUSE_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Several servers that fail together do not come back together: up to a tenth of a pause is added to it.
const SPREAD: u64 = 10;

/// Orders what is needed.
pub(crate) struct Orders {
    config: Acme,
    directory: Directory,
    stored: Stored,
    served: Arc<Certificates>,
}

/// How it went until now, and when the next order may begin.
struct Patience {
    failures: u32,
    not_before: Option<Timestamp>,
}

impl Orders {
    /// Reads what was ordered before, if the configuration names domains. Asks nobody yet.
    pub(crate) fn open(config: &Acme, folder: &Path) -> Result<Option<Self>, AcmeError> {
        if !config.is_on() {
            return Ok(None);
        }
        let stored = Stored::open(folder, &config.directory_url)?;
        let directory = Directory::new(config)?;
        let served = Arc::new(Certificates::new(config.domains.clone()));
        match stored.pair() {
            Ok(Some(pair)) => {
                tracing::info!(domains = pair.names().join(", "), ends_at = %pair.until(), "the certificate that was ordered before is in use");
                served.take(pair);
            }
            Ok(None) => tracing::warn!(
                domains = config.domains.join(", "),
                "there is no certificate yet: TLS is refused until the directory has given one (certificate_overdue)"
            ),
            Err(error) => tracing::error!(code = error.code(), %error, "the stored certificate cannot be used; another one is ordered"),
        }
        served.measure(Timestamp::now());
        Ok(Some(Self { config: config.clone(), directory, stored, served }))
    }

    /// Returns what clients are greeted with.
    pub(crate) fn served(&self) -> Arc<Certificates> {
        Arc::clone(&self.served)
    }

    /// Orders whenever it is time, until told to stop.
    pub(crate) async fn follow(self, stop: CancellationToken) {
        let mut patience = Patience { failures: 0, not_before: self.stored.pause() };
        metrics::gauge!("certificate_order_failures").set(0.0);
        loop {
            let now = Timestamp::now();
            self.served.measure(now);
            if self.is_due(now) && patience.not_before.is_none_or(|time| time <= now) {
                let limit = Duration::from_secs(self.config.order_time_s);
                let order = tokio::time::timeout(limit, Box::pin(self.directory.order(&self.stored, &self.served)));
                let Some(ended) = stop.run_until_cancelled(order).await else { return };
                let ended = ended.unwrap_or_else(|_elapsed| Err(AcmeError::Late)).and_then(|pair| self.take(pair));
                self.note(ended, &mut patience);
            }
            let pause = self.pause(Timestamp::now(), &patience);
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        let before = SignedDuration::from_hours(i64::from(self.config.renew_before_days) * 24);
        self.served.current().is_none_or(|pair| !pair.covers(&self.config.domains) || pair.due_at(before) <= now)
    }

    /// Keeps what was ordered, and serves it: in this order, since a certificate that is lost is ordered again.
    fn take(&self, (pem, pair): (String, Pair)) -> Result<(), AcmeError> {
        self.stored.keep_pair(&pem)?;
        tracing::info!(domains = pair.names().join(", "), ends_at = %pair.until(), "the certificate that was ordered is in use");
        self.served.take(pair);
        Ok(())
    }

    fn note(&self, ended: Result<(), AcmeError>, patience: &mut Patience) {
        let now = Timestamp::now();
        match ended {
            Ok(()) => {
                *patience = Patience { failures: 0, not_before: None };
                self.served.trouble(None);
                self.served.measure(now);
            }
            Err(error) => {
                patience.failures = patience.failures.saturating_add(1);
                let asked = error.retry_at(now).map(|time| time.min(now + PAUSE_MAX));
                // What the directory asked for holds after a start anew, too; our own pause is over when the operator begins again.
                if let Some(time) = asked {
                    self.stored.keep_pause(time);
                }
                let own = now.saturating_add(spread(backoff(&self.config, patience.failures))).unwrap_or(now);
                let next = asked.map_or(own, |asked| asked.max(own));
                patience.not_before = Some(next);
                tracing::error!(code = error.code(), %error, failures = patience.failures, next_try = %next, "a certificate could not be ordered");
                self.served.trouble(Some(error.to_string()));
            }
        }
        metrics::gauge!("certificate_order_failures").set(f64::from(patience.failures));
    }

    /// Returns how long nothing is to be done.
    fn pause(&self, now: Timestamp, patience: &Patience) -> Duration {
        let look = Duration::from_millis(self.config.look_interval_ms);
        let wanted = patience.not_before.map_or(look, |time| Duration::try_from(time.duration_since(now)).unwrap_or_default());
        // Never none at all, whatever the clock does.
        wanted.clamp(Duration::from_millis(10), look.max(Duration::from_millis(10)))
    }
}

/// Returns the pause after so many failures in a row.
fn backoff(config: &Acme, failures: u32) -> Duration {
    let doubled = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
    Duration::from_secs(config.retry_first_s.saturating_mul(doubled).min(config.retry_max_s))
}

fn spread(pause: Duration) -> SignedDuration {
    let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
    let more = rand::rng().random_range(0..=millis / SPREAD);
    SignedDuration::try_from(pause.saturating_add(Duration::from_millis(more))).unwrap_or(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_its_limit() {
        let config = Acme { retry_first_s: 60, retry_max_s: 1000, ..Acme::default() };
        let pauses = [1, 2, 3, 5, 6, 64, 65, u32::MAX].map(|failures| backoff(&config, failures).as_secs());
        assert_eq!(pauses, [60, 120, 240, 960, 1000, 1000, 1000, 1000]);
    }

    #[test]
    fn at_most_a_tenth_is_added() {
        for _ in 0..100 {
            let pause = spread(Duration::from_secs(100));
            assert!(pause >= SignedDuration::from_secs(100) && pause <= SignedDuration::from_secs(110), "{pause:?}");
        }
    }
}
