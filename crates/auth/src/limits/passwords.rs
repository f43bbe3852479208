//! Wrong passwords: counted for an account and an address together, for an address, and for an account from wherever.
//!
//! Invariant: a try is taken before the password is looked at and put back if it was right, so that many at once are no way around. An
//! account that a stranger guesses at from many addresses is closed to addresses that are new to it alone, and opens again by itself.

use kernel::{Error, Result, UserId};
use postgres::Sql;

use super::buckets::{Key, Rate};
use super::{Taken, judge};
use crate::Auth;
use crate::input::Device;

/// A try at a password.
pub(crate) struct Attempt<'a> {
    auth: &'a Auth,
    pair: Option<Key>,
    taken: Vec<(Key, Rate)>,
}

/// Takes a try at the password of an account, whether there is one or not.
pub(crate) async fn attempt<'a>(auth: &'a Auth, account: &str, user_id: Option<UserId>, device: &Device) -> Result<Attempt<'a>> {
    let (limits, now) = (auth.limits(), auth.now());
    let config = &limits.config;
    let mut attempt = Attempt { auth, pair: None, taken: Vec::new() };
    if let Some(address) = limits.counted(device) {
        let pair = limits.key("wrong_password", &[account.as_bytes(), address.as_bytes()]);
        attempt.pair = Some(pair);
        attempt.take("wrong_password", pair, Rate { max: config.wrong_password_10min_max, seconds: 600 }).await?;
        let all = limits.key("wrong_password_address", &[address.as_bytes()]);
        attempt.take("wrong_password_address", all, Rate { max: config.wrong_password_address_10min_max, seconds: 600 }).await?;
    }
    let (key, rate) =
        (limits.key("wrong_password_account", &[account.as_bytes()]), Rate { max: config.wrong_password_account_hour_max, seconds: 3600 });
    let taken = limits.buckets.take(key, rate, now).await?;
    if taken == Taken::Yes {
        attempt.taken.push((key, rate));
    } else if !was_signed_in(auth, user_id, device).await? {
        attempt.put_back().await?;
        judge("wrong_password_account", taken)?;
    }
    Ok(attempt)
}

impl Attempt<'_> {
    /// Says that the password was right: the address begins anew.
    pub(crate) async fn right(mut self) -> Result<()> {
        if let Some(pair) = self.pair {
            self.auth.limits().buckets.fill(pair).await?;
            self.taken.retain(|(key, _)| *key != pair);
        }
        self.undo().await
    }

    /// Puts back what was taken: the password was not looked at.
    pub(crate) async fn undo(mut self) -> Result<()> {
        self.put_back().await
    }

    async fn put_back(&mut self) -> Result<()> {
        for (key, rate) in self.taken.drain(..) {
            self.auth.limits().buckets.put_back(key, rate).await?;
        }
        Ok(())
    }

    async fn take(&mut self, what: &'static str, key: Key, rate: Rate) -> Result<()> {
        let taken = self.auth.limits().buckets.take(key, rate, self.auth.now()).await?;
        if taken == Taken::Yes {
            self.taken.push((key, rate));
            return Ok(());
        }
        self.put_back().await?;
        judge(what, taken)
    }
}

/// Tells whether somebody signed in to this account from this network and was not sent away since. The question takes as long for nobody.
async fn was_signed_in(auth: &Auth, user_id: Option<UserId>, device: &Device) -> Result<bool> {
    let mut sql = Sql::new("select exists (select from auth.sessions s where s.user_id = ");
    sql.bind(user_id).text("::uuid and s.ip <<= ").bind(device.network()).text("::inet) as known");
    let row = auth.read_one(sql, "sign-in: look whether the address is known").await?;
    row.map_or(Ok(false), |row| row.try_get("known").map_err(Error::internal))
}
