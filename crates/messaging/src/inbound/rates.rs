//! How often may be called.
//!
//! Invariant: what is signed is counted for the provider who signed it, and for nobody's address: providers send for many from the same
//! addresses, and whoever makes one of them send here without our secret must not keep its own calls away.

use jiff::Timestamp;
use kernel::{ClientAddress, Error, Kind, Result};
use limits::{Asker, Class, Demand, Limiter, Rate, Whom, network};
use serde_json::json;

use crate::Messaging;

/// Counts whoever is refused, by his address, and returns what he is told: why, or that he asks too often.
pub(super) async fn stranger(limiter: &Limiter, address: Option<ClientAddress>, refused: Error) -> Error {
    // Without an address it did not come over a socket.
    let Some(ClientAddress(address)) = address else { return refused };
    let asker = Asker { whom: Whom::Network(network(address)), company: None };
    limiter.take(&asker, &[Class::Public], 1).await.error().unwrap_or(refused)
}

/// Counts a call of a provider, or refuses it: it comes again by itself.
pub(super) async fn provider(messaging: &Messaging, provider: &str, now: Timestamp) -> Result<()> {
    let (limiter, minute_max) = (messaging.limiter(), messaging.config().inbound.calls_minute_max);
    if minute_max == 0 || limiter.is_off() {
        return Ok(());
    }
    let key = limiter.buckets().key("inbound", &[provider.as_bytes()]);
    let demand = Demand { key, rate: Rate::new(minute_max, 60), cost: 1 };
    let Some(seconds) = limiter.buckets().take(&[demand], now).await.wait() else { return Ok(()) };
    metrics::counter!("inbound_webhooks_total", "result" => "too_many").increment(1);
    tracing::warn!(provider, wait_s = seconds, "a provider calls too often");
    let message = format!("Rate limit exceeded. Try again in {seconds} seconds.");
    let details = json!({ "limit": "inbound", "counted": "provider", "minute_max": minute_max, "retry_after_seconds": seconds });
    Err(Error::new(Kind::TooManyRequests, "RATE_LIMIT_EXCEEDED", message).with_details(details).with_retry_after(seconds))
}
