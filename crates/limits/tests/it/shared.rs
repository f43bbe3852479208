//! Servers that count together through Redis, and each by itself while it is away.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use kernel::Secret;
use limits::{Buckets, Demand, Keys, Rate};
use redis_link::{Link, RedisConfig};
use testkit::Redis;
use tokio_util::sync::CancellationToken;

/// A server as far as counting goes.
struct Node {
    buckets: Buckets,
    link: Link,
    stop: CancellationToken,
}

impl Node {
    async fn start(redis: &Redis) -> Self {
        // A machine that is busy is not away.
        let config =
            RedisConfig { url: Some(Secret::new(redis.url())), command_time_ms: 10_000, connect_time_ms: 10_000, ..RedisConfig::default() };
        let link = Link::new(&config).unwrap().unwrap();
        assert!(link.reach().await);
        let stop = CancellationToken::new();
        tokio::spawn(link.clone().keep(stop.clone()));
        Self { buckets: Buckets::shared(Keys::shared([7; 32]), 1000, link.clone()), link, stop }
    }

    fn demand(&self, name: &str, max: u32) -> Demand {
        Demand { key: self.buckets.key(name, &[]), rate: Rate::new(max, 3600), cost: 1 }
    }

    /// Takes from all of them so many times; returns how often that went.
    async fn take(&self, demands: &[Demand], times: u32) -> u32 {
        let mut went = 0;
        for _ in 0..times {
            went += u32::from(self.buckets.take(demands, Timestamp::now()).await.wait().is_none());
        }
        went
    }

    async fn until(&self, is_there: bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.link.is_there() != is_there {
            assert!(Instant::now() < deadline, "Redis was to be there: {is_there}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn servers_count_together_and_of_several_buckets_none_is_taken_where_one_is_empty() {
    let redis = Redis::start();
    let (one, other) = (Node::start(&redis).await, Node::start(&redis).await);
    let hers = one.demand("ann", 4);
    assert_eq!((one.take(&[hers], 2).await, other.take(&[hers], 9).await, one.take(&[hers], 9).await), (2, 2, 0));
    // What is empty takes nothing from what is not, whichever server knows it.
    let (wide, tight) = (one.demand("wide", 5), one.demand("tight", 1));
    assert_eq!(one.take(&[wide, tight], 3).await, 1);
    assert_eq!(other.take(&[wide, tight], 9).await, 0);
    assert_eq!(other.buckets.look(&[wide], Timestamp::now()).await.wait(), None, "looking takes nothing");
    assert_eq!(other.take(&[wide], 9).await, 4);
    // Of many at once no more get through than there are.
    let many = one.demand("many", 7);
    let tasks: Vec<_> = (0..40)
        .map(|number| {
            let buckets = if number % 2 == 0 { one.buckets.clone() } else { other.buckets.clone() };
            tokio::spawn(async move { u32::from(buckets.take(&[many], Timestamp::now()).await.wait().is_none()) })
        })
        .collect();
    let mut through = 0;
    for task in tasks {
        through += task.await.unwrap();
    }
    assert_eq!(through, 7);
    // What one puts back or fills, all have.
    let back = one.demand("back", 2);
    assert_eq!((one.take(&[back], 2).await, one.take(&[back], 1).await), (2, 0));
    one.buckets.put_back(&[back]).await;
    assert_eq!((other.take(&[back], 9).await, one.take(&[back], 1).await), (1, 0));
    one.buckets.fill(back.key).await;
    assert_eq!(one.take(&[back], 9).await, 2);
    // The wait is the same wherever it is asked for.
    let Some(wait) = other.buckets.take(&[back], Timestamp::now()).await.wait() else { panic!("it is empty") };
    assert!((1790..=1800).contains(&wait), "{wait}");
}

#[tokio::test]
async fn while_redis_is_away_each_counts_by_itself_and_comes_back() {
    let mut redis = Redis::start();
    let (one, other) = (Node::start(&redis).await, Node::start(&redis).await);
    let known = one.demand("known", 3);
    assert_eq!((one.take(&[known], 9).await, other.take(&[known], 9).await), (3, 0));
    let fresh = one.demand("fresh", 3);
    redis.kill();
    // The first question finds out, and is answered all the same.
    assert_eq!((one.take(&[fresh], 9).await, other.take(&[fresh], 9).await), (3, 3));
    assert!(!one.link.is_there() && !other.link.is_there());
    assert_eq!(one.take(&[known], 9).await, 0, "who had to wait has to wait");
    redis.revive();
    one.until(true).await;
    other.until(true).await;
    let again = one.demand("again", 4);
    assert_eq!((one.take(&[again], 2).await, other.take(&[again], 9).await), (2, 2));
    // Lost while nobody asks, it is found out, too.
    redis.kill();
    one.until(false).await;
}

#[tokio::test]
async fn a_server_starts_without_redis_and_finds_it_later() {
    let mut redis = Redis::start();
    let node = Node::start(&redis).await;
    redis.kill();
    let config = RedisConfig { url: Some(Secret::new(redis.url())), ..RedisConfig::default() };
    let late = Link::new(&config).unwrap().unwrap();
    assert!(!late.reach().await);
    let late = Node { buckets: Buckets::shared(Keys::shared([7; 32]), 1000, late.clone()), link: late, stop: CancellationToken::new() };
    tokio::spawn(late.link.clone().keep(late.stop.clone()));
    let demand = late.demand("ann", 2);
    assert_eq!(late.take(&[demand], 9).await, 2);
    redis.revive();
    late.until(true).await;
    node.until(true).await;
    assert_eq!(late.take(&[demand], 9).await, 0);
    assert!(Link::new(&RedisConfig::default()).unwrap().is_none(), "nothing is configured, nothing is reached for");
}
