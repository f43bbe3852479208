//! How often one address, account or company may ask.
//!
//! Invariant: whoever is refused is told when to come back, and a refusal costs him nothing further. Whoever asks from another address
//! cannot use up what is counted for an account and an address together, so that no stranger locks anybody out.

mod classes;
pub(crate) mod config;
mod passwords;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use kernel::{ClientAddress, CompanyId, Error, Kind, Result, SessionId, UserId};
use limits::{Asker, Buckets, Demand, Key, Limiter, Rate, Taken, Whom, network};

use crate::Auth;
use crate::input::Device;

use classes::Class;
use config::LimitsConfig;

pub(crate) use passwords::attempt;

/// Keeps count.
pub(crate) struct Limits {
    config: LimitsConfig,
    limiter: Limiter,
    buckets: Buckets,
}

impl Limits {
    pub(crate) fn new(config: LimitsConfig, limiter: Limiter) -> Self {
        Self { config, buckets: limiter.buckets().clone(), limiter }
    }

    /// Counts a try to be somebody or to reach him, by the way in which it is tried, whom it is about, and where it is tried from.
    pub(crate) async fn strict(&self, way: &'static str, name: &str, device: &Device) -> Result<()> {
        let Some(network) = self.counted(device) else { return Ok(()) };
        let asker = Asker { whom: Whom::Trial { way, name: name.to_owned(), network }, company: None };
        judge("strict", self.limiter.take(&asker, &[limits::Class::Strict], 1).await.wait())
    }

    /// Counts a request of a signed-in account, and of the company it works in.
    pub(crate) async fn signed_in(&self, user_id: UserId, company_id: Option<CompanyId>, now: Timestamp) -> Result<()> {
        let account = self.buckets.key("account", &[user_id.0.as_bytes()]);
        let account = Demand { key: account, rate: Rate::new(self.config.account_5min_max, 300), cost: 1 };
        let Some(company_id) = company_id else { return judge("account", self.buckets.take(&[account], now).await.wait()) };
        let company = self.buckets.key("company", &[company_id.0.as_bytes()]);
        let company = Demand { key: company, rate: Rate::new(self.config.company_5min_max, 300), cost: 1 };
        match self.buckets.take(&[account, company], now).await {
            Taken::Yes(_) => Ok(()),
            Taken::Wait { at, seconds } => judge(if at == 0 { "account" } else { "company" }, Some(seconds)),
        }
    }

    /// Counts a refresh of a session.
    pub(crate) async fn refresh(&self, session_id: SessionId, now: Timestamp) -> Result<()> {
        let rate = Rate::new(self.config.session_refresh_5min_max, 300);
        self.take("session", &[session_id.0.as_bytes()], rate, now).await
    }

    /// Counts a request of a company's directory.
    pub(crate) async fn directory(&self, company_id: CompanyId, now: Timestamp) -> Result<()> {
        self.take("directory", &[company_id.0.as_bytes()], Rate::new(self.config.company_5min_max, 300), now).await
    }

    /// Counts somebody who came with a key or token that is not good, like a refusal where one is needed.
    pub(crate) async fn stranger(&self, device: &Device, now: Timestamp) -> Result<()> {
        let Some(address) = self.counted(device) else { return Ok(()) };
        self.take(Class::Keyed.name(), &[address.as_bytes()], Class::Keyed.rate(&self.config), now).await
    }

    /// Counts somebody who signs up without saying who he is.
    pub(crate) async fn anonymous(&self, device: &Device, now: Timestamp) -> Result<()> {
        let Some(address) = self.counted(device) else { return Ok(()) };
        self.take("anonymous", &[address.as_bytes()], Rate::new(self.config.anonymous_hour_max, 3600), now).await
    }

    /// Returns by what a device is counted, where addresses are.
    fn counted(&self, device: &Device) -> Option<String> {
        device.network().filter(|_| self.config.by_address.unwrap_or(true))
    }

    async fn take(&self, what: &'static str, whom: &[&[u8]], rate: Rate, now: Timestamp) -> Result<()> {
        self.take_one(what, self.buckets.key(what, whom), rate, now).await
    }

    async fn take_one(&self, what: &'static str, key: Key, rate: Rate, now: Timestamp) -> Result<()> {
        judge(what, self.buckets.take(&[Demand { key, rate, cost: 1 }], now).await.wait())
    }
}

/// The one answer to whoever asks too often, which is counted by what it was.
fn judge(what: &'static str, wait: Option<u32>) -> Result<()> {
    let Some(seconds) = wait else { return Ok(()) };
    metrics::counter!("auth_requests_limited_total", "limit" => what).increment(1);
    Err(Error::new(Kind::TooManyRequests, "over_request_rate_limit", "Request rate limit reached").with_retry_after(seconds))
}

/// Counts a request by the address it comes from. One without an address did not come over a socket.
pub(crate) async fn layer(State(auth): State<Auth>, request: Request, next: Next) -> Response {
    let limits = auth.limits();
    let address = request.extensions().get::<ClientAddress>().filter(|_| limits.config.by_address.unwrap_or(true));
    let Some(address) = address.map(|ClientAddress(address)| network(*address)) else { return next.run(request).await };
    let class = Class::of(request.method(), request.uri());
    let (key, rate) = (limits.buckets.key(class.name(), &[address.as_bytes()]), class.rate(&limits.config));
    if class != Class::Keyed {
        return match limits.take_one(class.name(), key, rate, auth.now()).await {
            Ok(()) => next.run(request).await,
            Err(refused) => refused.into_response(),
        };
    }
    let demand = [Demand { key, rate, cost: 1 }];
    if let Err(refused) = judge(class.name(), limits.buckets.look(&demand, auth.now()).await.wait()) {
        return refused.into_response();
    }
    let response = next.run(request).await;
    if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        limits.buckets.take(&demand, auth.now()).await;
    }
    response
}
