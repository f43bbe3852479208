//! How often one address, account or company may ask.
//!
//! Invariant: whoever is refused is told when to come back, and a refusal costs him nothing further. Whoever asks from another address
//! cannot use up what is counted for an account and an address together, so that no stranger locks anybody out.

mod buckets;
mod classes;
pub(crate) mod config;
mod passwords;

use std::net::{IpAddr, Ipv6Addr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use kernel::{ClientAddress, CompanyId, Error, Kind, Result, SessionId, UserId};

use crate::Auth;
use crate::input::Device;

use buckets::{Buckets, Key, Keys, Local, Rate, Taken};
use classes::Class;
use config::LimitsConfig;

pub(crate) use passwords::attempt;

/// Keeps count.
pub(crate) struct Limits {
    config: LimitsConfig,
    keys: Keys,
    buckets: Box<dyn Buckets>,
}

impl Limits {
    pub(crate) fn new(config: LimitsConfig) -> Result<Self> {
        Ok(Self { keys: Keys::new()?, buckets: Box::new(Local::new(config.buckets_max)), config })
    }

    /// Counts a request of a signed-in account, and of the company it works in.
    pub(crate) async fn signed_in(&self, user_id: UserId, company_id: Option<CompanyId>, now: Timestamp) -> Result<()> {
        let rate = Rate { max: self.config.account_5min_max, seconds: 300 };
        self.take("account", &[user_id.0.as_bytes()], rate, now).await?;
        let Some(company_id) = company_id else { return Ok(()) };
        let rate = Rate { max: self.config.company_5min_max, seconds: 300 };
        self.take("company", &[company_id.0.as_bytes()], rate, now).await
    }

    /// Counts a refresh of a session.
    pub(crate) async fn refresh(&self, session_id: SessionId, now: Timestamp) -> Result<()> {
        let rate = Rate { max: self.config.session_refresh_5min_max, seconds: 300 };
        self.take("session", &[session_id.0.as_bytes()], rate, now).await
    }

    /// Counts somebody who signs up without saying who he is.
    pub(crate) async fn anonymous(&self, device: &Device, now: Timestamp) -> Result<()> {
        let Some(address) = self.counted(device) else { return Ok(()) };
        self.take("anonymous", &[address.as_bytes()], Rate { max: self.config.anonymous_hour_max, seconds: 3600 }, now).await
    }

    /// Returns by what a device is counted, where addresses are.
    fn counted(&self, device: &Device) -> Option<String> {
        device.network().filter(|_| self.config.by_address.unwrap_or(true))
    }

    async fn take(&self, what: &'static str, whom: &[&[u8]], rate: Rate, now: Timestamp) -> Result<()> {
        judge(what, self.buckets.take(self.keys.key(what, whom), rate, now).await?)
    }

    fn key(&self, what: &str, whom: &[&[u8]]) -> Key {
        self.keys.key(what, whom)
    }
}

/// The one answer to whoever asks too often, which is counted by what it was.
fn judge(what: &'static str, taken: Taken) -> Result<()> {
    let Taken::Wait(seconds) = taken else { return Ok(()) };
    metrics::counter!("auth_requests_limited_total", "limit" => what).increment(1);
    Err(Error::new(Kind::TooManyRequests, "over_request_rate_limit", "Request rate limit reached").with_retry_after(seconds))
}

/// Counts a request by the address it comes from. One without an address did not come over a socket.
pub(crate) async fn layer(State(auth): State<Auth>, request: Request, next: Next) -> Response {
    let limits = auth.limits();
    let address = request.extensions().get::<ClientAddress>().filter(|_| limits.config.by_address.unwrap_or(true));
    let Some(address) = address.map(|ClientAddress(address)| network(*address)) else { return next.run(request).await };
    let class = Class::of(request.method(), request.uri());
    let (key, rate) = (limits.key(class.name(), &[address.as_bytes()]), class.rate(&limits.config));
    if class != Class::Keyed {
        let taken = limits.buckets.take(key, rate, auth.now()).await.and_then(|taken| judge(class.name(), taken));
        return match taken {
            Ok(()) => next.run(request).await,
            Err(refused) => refused.into_response(),
        };
    }
    let left = limits.buckets.look(key, rate, auth.now()).await.and_then(|taken| judge(class.name(), taken));
    if let Err(refused) = left {
        return refused.into_response();
    }
    let response = next.run(request).await;
    if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        && let Err(error) = limits.buckets.take(key, rate, auth.now()).await
    {
        tracing::warn!(code = error.code(), "a refusal could not be counted");
    }
    response
}

/// Returns the network that stands for an address: of IPv6 whoever has one address has 64 bits of them.
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{}/64", Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_ipv6_a_network_counts() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("203.0.113.7"), "203.0.113.7");
        assert_eq!(network("::ffff:203.0.113.7"), "203.0.113.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:2:ffff::1"), network("2001:db8:1:2::9"));
        assert_ne!(network("2001:db8:1:3::9"), network("2001:db8:1:2::9"));
    }
}
