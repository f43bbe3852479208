//! What a company may take of this server: sockets, joins, messages and bytes in a second.
//!
//! Invariant: it is counted for whom the verified token names; the operator's own programs are counted and not held.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::caller::Tenant;
use crate::config::RealtimeConfig;

/// The counters of all companies that are here.
#[derive(Debug)]
pub(crate) struct Quotas {
    config: RealtimeConfig,
    tenants: Mutex<HashMap<Tenant, Arc<Usage>>>,
    sockets: AtomicU64,
}

/// Those of one.
#[derive(Debug)]
pub(crate) struct Usage {
    tenant: Tenant,
    sockets: AtomicU64,
    joins: Mutex<Bucket>,
    messages: Mutex<Bucket>,
    bytes: Mutex<Bucket>,
    pub(crate) counted: Counted,
}

/// What it took since the server runs.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) joins: AtomicU64,
    pub(crate) messages: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) refused: AtomicU64,
}

/// Fills by its rate, up to what it gives in a second.
#[derive(Debug)]
struct Bucket {
    rate: f64,
    left: f64,
    at: Instant,
}

/// A socket that is counted, as long as it is there.
#[derive(Debug)]
pub(crate) struct Seat {
    quotas: Arc<Quotas>,
    pub(crate) usage: Arc<Usage>,
}

/// What there is too much of, in the words that clients know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TooMany {
    Sockets,
    Channels,
    Joins,
    Messages,
    Bytes,
    Presence,
}

impl TooMany {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Sockets => "ConnectionRateLimitReached: Too many connected users",
            Self::Channels => "ChannelRateLimitReached: Too many channels",
            Self::Joins => "ClientJoinRateLimitReached: Too many joins per second",
            Self::Messages => "Too many messages per second",
            Self::Bytes => "Too many bytes per second",
            Self::Presence => "Client presence rate limit exceeded",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Sockets => "sockets",
            Self::Channels => "channels",
            Self::Joins => "joins",
            Self::Messages => "messages",
            Self::Bytes => "bytes",
            Self::Presence => "presence",
        }
    }
}

impl Quotas {
    pub(crate) fn new(config: RealtimeConfig) -> Self {
        Self { config, tenants: Mutex::default(), sockets: AtomicU64::new(0) }
    }

    /// Seats a socket.
    pub(crate) fn seat(self: &Arc<Self>, tenant: Tenant) -> Result<Seat, TooMany> {
        let usage = self.usage(tenant);
        let all = self.sockets.fetch_add(1, Ordering::AcqRel);
        let own = usage.sockets.fetch_add(1, Ordering::AcqRel);
        let seat = Seat { quotas: Arc::clone(self), usage };
        let too_many = all >= u64::try_from(self.config.sockets_max).unwrap_or(u64::MAX)
            || (tenant != Tenant::Service && own >= u64::from(self.config.company_sockets_max));
        if too_many {
            return Err(seat.usage.refuse(TooMany::Sockets));
        }
        Ok(seat)
    }

    /// Returns the counters of somebody who sends without a socket.
    pub(crate) fn usage(&self, tenant: Tenant) -> Arc<Usage> {
        let mut tenants = self.tenants();
        if tenants.len() > 100_000 {
            // Whoever has no socket and sent nothing for a while begins anew.
            tenants.retain(|_, usage| usage.sockets.load(Ordering::Acquire) > 0 || Arc::strong_count(usage) > 1);
        }
        Arc::clone(tenants.entry(tenant).or_insert_with(|| Arc::new(Usage::new(tenant, &self.config))))
    }

    /// Returns how many sockets there are.
    pub(crate) fn sockets(&self) -> u64 {
        self.sockets.load(Ordering::Acquire)
    }

    /// Returns the counters of all, with how many sockets each has.
    pub(crate) fn all(&self) -> Vec<(Tenant, u64, Arc<Usage>)> {
        self.tenants().iter().map(|(tenant, usage)| (*tenant, usage.sockets.load(Ordering::Acquire), Arc::clone(usage))).collect()
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<Tenant, Arc<Usage>>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Usage {
    fn new(tenant: Tenant, config: &RealtimeConfig) -> Self {
        let bucket = |rate: u32| Mutex::new(Bucket { rate: rate.into(), left: rate.into(), at: Instant::now() });
        Self {
            tenant,
            sockets: AtomicU64::new(0),
            joins: bucket(config.company_joins_per_s),
            messages: bucket(config.company_messages_per_s),
            bytes: bucket(config.company_bytes_per_s),
            counted: Counted::default(),
        }
    }

    /// Counts a join.
    pub(crate) fn join(&self) -> Result<(), TooMany> {
        self.counted.joins.fetch_add(1, Ordering::Relaxed);
        self.take(&self.joins, 1, TooMany::Joins)
    }

    /// Counts a message.
    pub(crate) fn message(&self, bytes: usize) -> Result<(), TooMany> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.counted.messages.fetch_add(1, Ordering::Relaxed);
        self.counted.bytes.fetch_add(bytes.into(), Ordering::Relaxed);
        metrics::counter!("realtime_messages_total").increment(1);
        metrics::counter!("realtime_bytes_total").increment(bytes.into());
        self.take(&self.messages, 1, TooMany::Messages)?;
        self.take(&self.bytes, bytes, TooMany::Bytes)
    }

    /// Counts that something was refused.
    pub(crate) fn refuse(&self, what: TooMany) -> TooMany {
        self.counted.refused.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("realtime_refused_total", "limit" => what.label()).increment(1);
        what
    }

    fn take(&self, bucket: &Mutex<Bucket>, cost: u32, what: TooMany) -> Result<(), TooMany> {
        if self.tenant == Tenant::Service || bucket.lock().unwrap_or_else(PoisonError::into_inner).take(cost.into()) {
            Ok(())
        } else {
            Err(self.refuse(what))
        }
    }
}

impl Bucket {
    fn take(&mut self, cost: f64) -> bool {
        let now = Instant::now();
        self.left = self.rate.min(self.left + now.duration_since(self.at).as_secs_f64() * self.rate);
        self.at = now;
        // What is larger than a second's worth goes through when all of that is there, and is paid off then.
        let goes = self.left >= cost.min(self.rate);
        if goes {
            self.left -= cost;
        }
        goes
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.quotas.sockets.fetch_sub(1, Ordering::AcqRel);
        self.usage.sockets.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn company() -> Tenant {
        Tenant::Company(kernel::CompanyId(uuid::Uuid::now_v7()))
    }

    #[test]
    fn each_company_has_limits_of_its_own_and_the_service_none() {
        let config =
            RealtimeConfig { company_sockets_max: 1, company_messages_per_s: 2, company_bytes_per_s: 1000, ..RealtimeConfig::default() };
        let quotas = Arc::new(Quotas::new(config));
        let one = company();
        let seat = quotas.seat(one).unwrap();
        assert_eq!(quotas.seat(one).err(), Some(TooMany::Sockets));
        assert!(quotas.seat(company()).is_ok());
        assert_eq!((seat.usage.message(10), seat.usage.message(5000)), (Ok(()), Err(TooMany::Bytes)));
        assert_eq!(seat.usage.message(1), Err(TooMany::Messages));
        drop(seat);
        assert!(quotas.seat(one).is_ok());
        let service: Vec<Seat> = (0..3).map(|_| quotas.seat(Tenant::Service).unwrap()).collect();
        assert!(service.iter().all(|seat| seat.usage.message(100_000).is_ok()));
    }
}
