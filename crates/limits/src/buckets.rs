//! Taking out of buckets, wherever they are kept: in this process, or in Redis for several servers.
//!
//! Invariant: Redis is never waited for longer than its time. Of what it said this process keeps what it needs to refuse whoever has to
//! wait anyway without asking, and to go on by itself while Redis is away.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use redis_link::Link;

use crate::key::{Key, Keys};
use crate::local::Local;
use crate::rate::{Left, Rate, seconds};
use crate::shared::Shared;

/// What a request needs of one bucket.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// Which one. A request needs each bucket once.
    pub key: Key,
    /// How large it is.
    pub rate: Rate,
    /// How many are taken.
    pub cost: u32,
}

/// What came of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// There was enough in all of them; what the first one has after it.
    Yes(Option<Left>),
    /// One did not have enough, and nothing was taken from any.
    Wait {
        /// Which one: the one to be waited for longest.
        at: usize,
        /// After how many seconds it has enough.
        seconds: u32,
    },
}

impl Taken {
    /// Returns the seconds to wait, if there was not enough.
    pub fn wait(self) -> Option<u32> {
        match self {
            Self::Yes(_) => None,
            Self::Wait { seconds, .. } => Some(seconds),
        }
    }
}

/// Buckets, and what makes their keys. Cheap to clone.
#[derive(Clone)]
pub struct Buckets(Arc<Inner>);

struct Inner {
    keys: Keys,
    local: Local,
    shared: Option<Shared>,
}

impl Buckets {
    /// Buckets of this process, and no more than so many.
    pub fn local(keys: Keys, buckets_max: u32) -> Self {
        Self(Arc::new(Inner { keys, local: Local::new(buckets_max), shared: None }))
    }

    /// Buckets that all servers share that know the same keys; while Redis is away each has its own.
    pub fn shared(keys: Keys, buckets_max: u32, link: Link) -> Self {
        Self(Arc::new(Inner { keys, local: Local::new(buckets_max), shared: Some(Shared::new(link)) }))
    }

    /// Returns the key of what is counted, for these.
    pub fn key(&self, what: &str, whom: &[&[u8]]) -> Key {
        self.0.keys.key(what, whom)
    }

    /// Takes from all of them, or from none.
    pub async fn take(&self, demands: &[Demand], now: Timestamp) -> Taken {
        self.ask(demands, now.as_microsecond(), true).await
    }

    /// Tells whether all of them have enough.
    pub async fn look(&self, demands: &[Demand], now: Timestamp) -> Taken {
        self.ask(demands, now.as_microsecond(), false).await
    }

    /// Puts back what was taken.
    pub async fn put_back(&self, demands: &[Demand]) {
        self.0.local.put_back(demands);
        if let Some(shared) = &self.0.shared {
            shared.put_back(demands).await;
        }
    }

    /// Makes a bucket full.
    pub async fn fill(&self, key: Key) {
        self.0.local.fill(key);
        if let Some(shared) = &self.0.shared {
            shared.fill(key).await;
        }
    }

    async fn ask(&self, demands: &[Demand], now: i64, is_taken: bool) -> Taken {
        let Some(shared) = &self.0.shared else { return self.0.local.take(demands, now, is_taken) };
        // What others took since makes the wait longer and never shorter.
        if let known @ Taken::Wait { .. } = self.0.local.take(demands, now, false) {
            return known;
        }
        let Some(after) = shared.take(demands, is_taken).await else {
            metrics::counter!("rate_limits_counted_alone_total").increment(1);
            return self.0.local.take(demands, now, is_taken);
        };
        let wait = short(&demands.iter().zip(&after).map(|(demand, after)| demand.rate.fits(*after)).collect::<Vec<_>>());
        let is_taken = is_taken && wait.is_none();
        for (demand, after) in demands.iter().zip(&after) {
            let full_in = if is_taken { *after } else { after - demand.rate.price(demand.cost) };
            self.0.local.learn(demand.key, now + full_in);
        }
        let left = || demands.first().zip(after.first()).map(|(demand, after)| demand.rate.left(Some(now + after), now));
        wait.unwrap_or_else(|| Taken::Yes(left()))
    }
}

impl fmt::Debug for Buckets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Buckets")
    }
}

/// Returns the longest wait of these, if one has to be waited for.
pub(crate) fn short(after: &[Result<i64, i64>]) -> Option<Taken> {
    let missing = after.iter().enumerate().filter_map(|(at, after)| Some((at, after.err()?)));
    missing.max_by_key(|(_, missing)| *missing).map(|(at, missing)| Taken::Wait { at, seconds: seconds(missing) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate::new(3, 60);

    fn buckets() -> Buckets {
        Buckets::local(Keys::of_this_process().unwrap(), 1000)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    #[tokio::test]
    async fn looking_takes_nothing_and_what_is_put_back_is_there_again() {
        let buckets = buckets();
        let demand = [Demand { key: buckets.key("test", &[b"ann"]), rate: RATE, cost: 1 }];
        let other = [Demand { key: buckets.key("test", &[b"bob"]), rate: RATE, cost: 3 }];
        for _ in 0..3 {
            assert_eq!(buckets.look(&demand, at(0)).await.wait(), None);
            assert_eq!(buckets.take(&demand, at(0)).await.wait(), None);
        }
        assert_eq!(buckets.take(&demand, at(0)).await.wait(), Some(20));
        assert_eq!(buckets.look(&demand, at(19)).await.wait(), Some(1));
        assert_eq!(buckets.take(&other, at(0)).await.wait(), None, "another one's is another bucket");
        assert_eq!(buckets.take(&other, at(0)).await.wait(), Some(60));
        buckets.put_back(&demand).await;
        assert_eq!(buckets.take(&demand, at(0)).await.wait(), None);
        buckets.put_back(&other).await;
        assert_eq!(buckets.take(&other, at(0)).await.wait(), None, "as many as were taken");
        buckets.fill(other[0].key).await;
        assert_eq!(buckets.take(&other, at(0)).await.wait(), None);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_many_at_once_no_more_get_through_than_there_are() {
        let buckets = buckets();
        let demands = ["a", "b", "c"].map(|name| Demand { key: buckets.key(name, &[]), rate: RATE, cost: 1 });
        let tasks: Vec<_> = (0..50)
            .map(|number| {
                let (buckets, mut demands) = (buckets.clone(), demands);
                // In whatever order they are named.
                demands.rotate_left(number % 3);
                tokio::spawn(async move { usize::from(buckets.take(&demands, at(0)).await.wait().is_none()) })
            })
            .collect();
        let mut through = 0;
        for task in tasks {
            through += task.await.unwrap();
        }
        assert_eq!(through, 3);
    }
}
