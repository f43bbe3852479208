//! The buckets that several servers share, in Redis.
//!
//! Invariant: one script looks at all buckets of a request before it takes from any, by Redis' own clock, so that servers whose clocks
//! differ count alike. What it says is relative to its moment.

use redis_link::Link;
use redis_link::redis::Script;

use crate::buckets::Demand;
use crate::key::Key;

/// For each bucket: its price and how deep it is; before them whether something is taken. Answers when each is full after that.
const TAKE: &str = "
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local after, is_short = {}, false
for i, key in ipairs(KEYS) do
  local price, depth = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local full = tonumber(redis.call('GET', key) or now)
  after[i] = math.min(math.max(full, now), now + depth) - now + price
  is_short = is_short or after[i] > depth
end
if ARGV[1] == '1' and not is_short then
  for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.0f', now + after[i]), 'PX', math.ceil(after[i] / 1000) + 1000)
  end
end
return after";

/// Makes a bucket full again that much sooner, if it is known.
const PUT_BACK: &str = "
for i, key in ipairs(KEYS) do
  local full = tonumber(redis.call('GET', key))
  if full then redis.call('SET', key, string.format('%.0f', full - tonumber(ARGV[i])), 'KEEPTTL') end
end
return 0";

const FILL: &str = "return redis.call('DEL', KEYS[1])";

pub(crate) struct Shared {
    link: Link,
    take: Script,
    put_back: Script,
    fill: Script,
}

impl Shared {
    pub(crate) fn new(link: Link) -> Self {
        Self { link, take: Script::new(TAKE), put_back: Script::new(PUT_BACK), fill: Script::new(FILL) }
    }

    /// Returns for each bucket the microseconds until it would be full, with what is wanted taken out of it; nothing where Redis is away.
    pub(crate) async fn take(&self, demands: &[Demand], is_taken: bool) -> Option<Vec<i64>> {
        let mut script = self.take.prepare_invoke();
        script.arg(u8::from(is_taken));
        for demand in demands {
            script.key(self.name(demand.key)).arg(demand.rate.price(demand.cost)).arg(demand.rate.depth());
        }
        self.link.run(&script).await.filter(|after: &Vec<i64>| after.len() == demands.len())
    }

    /// Puts back what was taken, where Redis is there.
    pub(crate) async fn put_back(&self, demands: &[Demand]) {
        let mut script = self.put_back.prepare_invoke();
        for demand in demands {
            script.key(self.name(demand.key)).arg(demand.rate.price(demand.cost));
        }
        let _done: Option<i64> = self.link.run(&script).await;
    }

    /// Makes a bucket full, where Redis is there.
    pub(crate) async fn fill(&self, key: Key) {
        let mut script = self.fill.prepare_invoke();
        script.key(self.name(key));
        let _done: Option<i64> = self.link.run(&script).await;
    }

    fn name(&self, key: Key) -> String {
        self.link.key(&format!("rate:{:032x}", u128::from_be_bytes(key)))
    }
}
