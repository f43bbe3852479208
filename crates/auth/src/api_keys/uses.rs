//! How often a key works in a minute.
//!
//! Invariant: all servers together let no more requests of a key through than its minute has. Each takes some of them at a time from the
//! key's row, so that a request costs a look at memory and the row is written a few times a minute; what a server took and did not use is
//! lost to the others until the next minute.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kernel::{Error, Kind, Pass, Result};
use moka::future::Cache;
use postgres::Sql;

use super::config::ApiKeyConfig;
use crate::Auth;

const SECONDS: i64 = 60;
/// Stands for a minute that has no more.
const OVER: u32 = u32::MAX;

/// What this server may still let through of each key.
pub(crate) struct Uses {
    known: Cache<Arc<str>, Arc<Left>>,
}

/// The minute above, how many are left of it below.
#[derive(Default)]
struct Left(AtomicU64);

/// What a request finds.
#[derive(PartialEq, Eq, Debug)]
enum Found {
    Taken,
    Over,
    /// More has to be asked for.
    Nothing,
}

impl Left {
    fn take(&self, minute: u32) -> Found {
        let one_less = |kept: u64| match parts(kept) {
            (of, left) if of == minute && left != OVER && left > 0 => Some(whole(minute, left - 1)),
            _ => None,
        };
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less) {
            Ok(_) => Found::Taken,
            Err(kept) if parts(kept) == (minute, OVER) => Found::Over,
            Err(_) => Found::Nothing,
        }
    }

    /// Keeps what was taken for this minute, also where another request found since that the row has no more.
    fn keep(&self, minute: u32, taken: u32) {
        self.change(minute, |left| if left == OVER { taken } else { left.saturating_add(taken).min(OVER - 1) });
    }

    /// Notes that the row has no more in this minute. What requests at the same time took from it is still to be spent.
    fn close(&self, minute: u32) {
        self.change(minute, |left| if left == 0 { OVER } else { left });
    }

    /// Changes what is left of a minute; where a later one stands already, what comes of this one is of no use.
    fn change(&self, minute: u32, change: impl Fn(u32) -> u32) {
        let changed = |kept: u64| match parts(kept) {
            (of, _) if of > minute => None,
            (of, left) => Some(whole(minute, change(if of == minute { left } else { 0 }))),
        };
        _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, changed);
    }
}

fn parts(kept: u64) -> (u32, u32) {
    let low = u32::try_from(kept & u64::from(u32::MAX)).unwrap_or(OVER);
    (u32::try_from(kept >> 32).unwrap_or(0), low)
}

fn whole(minute: u32, left: u32) -> u64 {
    u64::from(minute) << 32 | u64::from(left)
}

impl Uses {
    pub(crate) fn new(config: &ApiKeyConfig) -> Self {
        Self { known: Cache::new(u64::from(config.counted_max)) }
    }

    /// Lets one request of a key through, or says why not. The first of a minute is checked against the key's row at once, and so is every
    /// one that has no budget here: nobody spends what another one's key has.
    pub(crate) async fn take(&self, auth: &Auth, pass: &Pass) -> Result<()> {
        let now = auth.now().as_second();
        let minute = u32::try_from(now.div_euclid(SECONDS)).map_err(Error::internal)?;
        let known = self.known.get(&pass.digest).await;
        match known.as_ref().map_or(Found::Nothing, |left| left.take(minute)) {
            Found::Taken => return Ok(()),
            Found::Over => return Err(too_often(now)),
            Found::Nothing => {}
        }
        let taken = ask(auth, pass, minute).await?;
        let left = match known {
            Some(left) => left,
            None => self.known.get_with(Arc::clone(&pass.digest), async { Arc::default() }).await,
        };
        let Some(others) = taken.checked_sub(1) else {
            left.close(minute);
            return if left.take(minute) == Found::Taken { Ok(()) } else { Err(too_often(now)) };
        };
        left.keep(minute, others);
        Ok(())
    }
}

/// Takes some of the key's minute out of its row.
async fn ask(auth: &Auth, pass: &Pass, minute: u32) -> Result<u32> {
    let mut sql = Sql::new("select app.take_api_key_uses(");
    sql.bind(pass.company_id).text("::uuid, ").bind(pass.id).text("::uuid, ").bind(pass.digest.as_ref()).text("::text, ");
    sql.bind(pass.address.map(|address| address.to_string())).text("::text, ").bind(minute).text("::bigint, ");
    sql.bind(auth.config().api_keys.requests_per_minute).text("::integer)");
    let row = auth.write_one(sql, "count the use of an API key").await?;
    let taken: i32 = row.ok_or_else(|| Error::internal("nothing was said of a key's use"))?.try_get(0).map_err(Error::internal)?;
    u32::try_from(taken).map_err(Error::internal)
}

fn too_often(now: i64) -> Error {
    let rest = u32::try_from(SECONDS - now.rem_euclid(SECONDS)).unwrap_or(1);
    Error::new(Kind::TooManyRequests, "api_key_rate_limited", "This API key has done all that it may in this minute").with_retry_after(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_spent_one_by_one_and_ends_with_its_minute() {
        let left = Left::default();
        assert_eq!(left.take(7), Found::Nothing);
        left.keep(7, 2);
        assert_eq!([left.take(7), left.take(7), left.take(7)], [Found::Taken, Found::Taken, Found::Nothing]);
        left.keep(7, 3);
        left.keep(7, 1);
        assert_eq!(left.take(8), Found::Nothing, "the next minute is another one");
        left.keep(8, 1);
        left.keep(7, 5);
        assert_eq!([left.take(8), left.take(8)], [Found::Taken, Found::Nothing], "what comes late counts for nothing");
        left.close(8);
        assert_eq!([left.take(8), left.take(9)], [Found::Over, Found::Nothing]);
        left.keep(8, 1);
        left.close(8);
        assert_eq!(
            [left.take(8), left.take(8)],
            [Found::Taken, Found::Nothing],
            "of requests at once the last one does not end it for all"
        );
    }
}
