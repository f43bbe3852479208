//! Buckets that empty by use and fill evenly with time (the generic cell rate algorithm).
//!
//! Invariant: a key is a keyed hash, so that a bucket says of nobody that he was here; and there are never more buckets than the
//! configuration says, whoever asks from however many addresses.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use aws_lc_rs::{digest, rand};
use jiff::Timestamp;
use kernel::{Error, Result};
use moka::future::Cache;
use moka::ops::compute::Op;

/// No bucket takes longer to fill.
const WINDOW_SECONDS_MAX: u64 = 3600;

/// Which bucket: what is counted and for whom, hashed.
pub(super) type Key = [u8; 16];

/// How large a bucket is and how fast it fills.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rate {
    pub(super) max: u32,
    pub(super) seconds: u32,
}

/// What came of taking something out of a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Taken {
    /// There was enough.
    Yes,
    /// It was empty; there will be something after so many seconds.
    Wait(u32),
}

pub(super) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Where buckets are kept: in this process, or where several servers reach them.
pub(super) trait Buckets: Send + Sync {
    /// Takes one out.
    fn take(&self, key: Key, rate: Rate, now: Timestamp) -> Answer<'_, Taken>;
    /// Tells whether one could be taken.
    fn look(&self, key: Key, rate: Rate, now: Timestamp) -> Answer<'_, Taken>;
    /// Puts one back that was taken.
    fn put_back(&self, key: Key, rate: Rate) -> Answer<'_, ()>;
    /// Makes a bucket full.
    fn fill(&self, key: Key) -> Answer<'_, ()>;
}

/// The buckets of this process. Of each it is known when it will be full, in microseconds.
pub(super) struct Local(Cache<Key, i64>);

impl Local {
    pub(super) fn new(buckets_max: u32) -> Self {
        // A bucket that was not used for so long is full again, which is what one is that nobody knows.
        let forgotten = Duration::from_secs(WINDOW_SECONDS_MAX + 60);
        Self(Cache::builder().max_capacity(buckets_max.into()).time_to_live(forgotten).build())
    }
}

impl Rate {
    fn window(self) -> i64 {
        i64::from(self.seconds) * 1_000_000
    }

    fn interval(self) -> i64 {
        self.window() / i64::from(self.max.max(1))
    }

    /// Returns when the bucket is full again, if one is taken that will be full at this moment.
    fn after(self, full_at: Option<i64>, now: i64) -> std::result::Result<i64, u32> {
        // A clock that was set back leaves nobody waiting longer than an empty bucket needs.
        let full_at = full_at.unwrap_or(now).clamp(now, now + self.window());
        let next = full_at + self.interval();
        let missing = next - now - self.window();
        if missing <= 0 { Ok(next) } else { Err(u32::try_from((missing + 999_999) / 1_000_000).unwrap_or(u32::MAX)) }
    }
}

impl Buckets for Local {
    fn take(&self, key: Key, rate: Rate, now: Timestamp) -> Answer<'_, Taken> {
        Box::pin(async move {
            let mut taken = Taken::Yes;
            let outcome = &mut taken;
            let update = self.0.entry(key).and_compute_with(async |entry| {
                match rate.after(entry.map(moka::Entry::into_value), now.as_microsecond()) {
                    Ok(full_at) => Op::Put(full_at),
                    Err(wait) => {
                        *outcome = Taken::Wait(wait);
                        Op::Nop
                    }
                }
            });
            update.await;
            Ok(taken)
        })
    }

    fn look(&self, key: Key, rate: Rate, now: Timestamp) -> Answer<'_, Taken> {
        Box::pin(async move { Ok(rate.after(self.0.get(&key).await, now.as_microsecond()).map_or_else(Taken::Wait, |_| Taken::Yes)) })
    }

    fn put_back(&self, key: Key, rate: Rate) -> Answer<'_, ()> {
        Box::pin(async move {
            let update = self.0.entry(key).and_compute_with(async |entry| match entry {
                Some(entry) => Op::Put(entry.into_value() - rate.interval()),
                None => Op::Nop,
            });
            update.await;
            Ok(())
        })
    }

    fn fill(&self, key: Key) -> Answer<'_, ()> {
        Box::pin(async move {
            self.0.invalidate(&key).await;
            Ok(())
        })
    }
}

/// What makes keys: their hash is made with a secret of this process.
pub(super) struct Keys([u8; 32]);

impl Keys {
    pub(super) fn new() -> Result<Self> {
        let mut secret = [0; 32];
        rand::fill(&mut secret).map_err(Error::internal)?;
        Ok(Self(secret))
    }

    /// Returns the key of what is counted, for these.
    pub(super) fn key(&self, what: &str, whom: &[&[u8]]) -> Key {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.0);
        for part in [what.as_bytes()].iter().chain(whom) {
            // With its length, so that no two lists of parts are one text.
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut key = [0; 16];
        key.iter_mut().zip(context.finish().as_ref()).for_each(|(byte, hashed)| *byte = *hashed);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { max: 3, seconds: 60 };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    #[tokio::test]
    async fn a_bucket_empties_at_once_and_fills_evenly() {
        let (buckets, key) = (Local::new(1000), [7; 16]);
        for _ in 0..3 {
            assert_eq!(buckets.look(key, RATE, at(0)).await.unwrap(), Taken::Yes);
            assert_eq!(buckets.take(key, RATE, at(0)).await.unwrap(), Taken::Yes);
        }
        assert_eq!(buckets.take(key, RATE, at(0)).await.unwrap(), Taken::Wait(20));
        assert_eq!(buckets.take(key, RATE, at(5)).await.unwrap(), Taken::Wait(15), "a refusal costs nothing");
        assert_eq!(buckets.look(key, RATE, at(19)).await.unwrap(), Taken::Wait(1));
        assert_eq!(buckets.take(key, RATE, at(20)).await.unwrap(), Taken::Yes);
        assert_eq!(buckets.take(key, RATE, at(20)).await.unwrap(), Taken::Wait(20));
        assert_eq!(buckets.take([8; 16], RATE, at(20)).await.unwrap(), Taken::Yes, "another one's is another bucket");
        buckets.put_back(key, RATE).await.unwrap();
        assert_eq!(buckets.take(key, RATE, at(20)).await.unwrap(), Taken::Yes);
        // The clock is set back by an hour: an empty bucket is full a minute later.
        assert_eq!(buckets.take(key, RATE, at(-3600)).await.unwrap(), Taken::Wait(20));
        buckets.fill(key).await.unwrap();
        assert_eq!(buckets.take(key, RATE, at(-3600)).await.unwrap(), Taken::Yes);
    }

    #[tokio::test]
    async fn of_many_at_once_no_more_get_through_than_there_are() {
        let buckets = std::sync::Arc::new(Local::new(1000));
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let buckets = std::sync::Arc::clone(&buckets);
                tokio::spawn(async move { buckets.take([1; 16], RATE, at(0)).await.unwrap() == Taken::Yes })
            })
            .collect();
        let mut through = 0;
        for task in tasks {
            through += usize::from(task.await.unwrap());
        }
        assert_eq!(through, 3);
    }

    #[tokio::test]
    async fn there_are_never_more_than_allowed() {
        let (buckets, keys) = (Local::new(1000), Keys::new().unwrap());
        for number in 0_u32..5000 {
            buckets.take(keys.key("test", &[&number.to_be_bytes()]), RATE, at(0)).await.unwrap();
        }
        buckets.0.run_pending_tasks().await;
        assert!(buckets.0.entry_count() <= 1000, "{}", buckets.0.entry_count());
    }

    #[test]
    fn keys_differ_by_every_part_and_by_process() {
        let keys = Keys::new().unwrap();
        assert_eq!(keys.key("a", &[b"bc", b"d"]), keys.key("a", &[b"bc", b"d"]));
        assert_ne!(keys.key("a", &[b"bc", b"d"]), keys.key("a", &[b"b", b"cd"]));
        assert_ne!(keys.key("a", &[b"b"]), keys.key("b", &[b"b"]));
        assert_ne!(keys.key("a", &[b"b"]), Keys::new().unwrap().key("a", &[b"b"]));
    }
}
