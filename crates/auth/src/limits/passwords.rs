//! Wrong passwords: counted for an account and an address together, for an address, and for an account from wherever.
//!
//! Invariant: a try is taken before the password is looked at and put back if it was right, so that many at once are no way around. An
//! account that a stranger guesses at from many addresses is closed to addresses that are new to it alone, and opens again by itself.

use jiff::SignedDuration;
use kernel::{Error, Result, UserId};
use limits::{Demand, Key, Rate};
use postgres::Sql;

use super::judge;
use crate::Auth;
use crate::input::Device;

/// A try at a password.
pub(crate) struct Attempt<'a> {
    auth: &'a Auth,
    pair: Option<Key>,
    taken: Vec<Demand>,
}

/// Takes a try at the password of an account, whether there is one or not.
pub(crate) async fn attempt<'a>(auth: &'a Auth, account: &str, user_id: Option<UserId>, device: &Device) -> Result<Attempt<'a>> {
    let (limits, now) = (auth.limits(), auth.now());
    let config = &limits.config;
    limits.strict("sign_in", account, device).await?;
    let mut attempt = Attempt { auth, pair: None, taken: Vec::new() };
    if let Some(address) = limits.counted(device) {
        let pair = limits.buckets.key("wrong_password", &[account.as_bytes(), address.as_bytes()]);
        attempt.pair = Some(pair);
        attempt.take("wrong_password", pair, Rate::new(config.wrong_password_10min_max, 600)).await?;
        let all = limits.buckets.key("wrong_password_address", &[address.as_bytes()]);
        attempt.take("wrong_password_address", all, Rate::new(config.wrong_password_address_10min_max, 600)).await?;
    }
    let key = limits.buckets.key("wrong_password_account", &[account.as_bytes()]);
    let demand = Demand { key, rate: Rate::new(config.wrong_password_account_hour_max, 3600), cost: 1 };
    let wait = limits.buckets.take(&[demand], now).await.wait();
    if wait.is_none() {
        attempt.taken.push(demand);
    } else if !was_signed_in(auth, user_id, device).await? {
        attempt.put_back().await;
        judge("wrong_password_account", wait)?;
    }
    Ok(attempt)
}

impl Attempt<'_> {
    /// Says that the password was right: the address begins anew.
    pub(crate) async fn right(mut self) {
        if let Some(pair) = self.pair {
            self.auth.limits().buckets.fill(pair).await;
            self.taken.retain(|demand| demand.key != pair);
        }
        self.put_back().await;
    }

    /// Puts back what was taken: the password was not looked at.
    pub(crate) async fn undo(mut self) {
        self.put_back().await;
    }

    async fn put_back(&mut self) {
        for demand in self.taken.drain(..) {
            self.auth.limits().buckets.put_back(&[demand]).await;
        }
    }

    async fn take(&mut self, what: &'static str, key: Key, rate: Rate) -> Result<()> {
        let demand = Demand { key, rate, cost: 1 };
        let wait = self.auth.limits().buckets.take(&[demand], self.auth.now()).await.wait();
        if wait.is_none() {
            self.taken.push(demand);
            return Ok(());
        }
        self.put_back().await;
        judge(what, wait)
    }
}

/// Tells whether somebody signed in to this account from this network, not longer ago than a session lasts, and was not sent away since.
/// The question takes as long for nobody.
async fn was_signed_in(auth: &Auth, user_id: Option<UserId>, device: &Device) -> Result<bool> {
    let lasts = SignedDuration::from_secs(auth.config().session_seconds_max.into());
    let since = auth.now().saturating_sub(lasts).map_err(Error::internal)?;
    let mut sql = Sql::new("select exists (select from auth.sessions s where s.user_id = ");
    sql.bind(user_id).text("::uuid and s.ip <<= ").bind(device.network()).text("::inet and s.revoked_at is null and s.created_at > ");
    sql.bind(since).text("::timestamptz) as known");
    let row = auth.read_one(sql, "sign-in: look whether the address is known").await?;
    row.map_or(Ok(false), |row| row.try_get("known").map_err(Error::internal))
}
