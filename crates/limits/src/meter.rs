//! What a handler finds beside a request that was counted: whoever asked for it, to count more of him or to give back.
//!
//! Invariant: it counts whom the edge counted, whatever the request says later.

use kernel::Result;

use crate::class::Class;
use crate::limiter::{Asker, Limiter};

/// The counters of one request, in its extensions.
#[derive(Clone, Debug)]
pub struct Meter {
    limiter: Limiter,
    asker: Asker,
    class: Class,
}

impl Meter {
    /// Makes one for whoever was counted with this class.
    pub fn new(limiter: Limiter, asker: Asker, class: Class) -> Self {
        Self { limiter, asker, class }
    }

    /// Counts a request that turned out to be so many, of which these call functions, or refuses it: then nothing of it was counted, not
    /// even what the edge had counted.
    pub async fn requests(&self, requests: u32, functions: impl Iterator<Item = &str>) -> Result<()> {
        let mut wanted = vec![(self.class, requests.saturating_sub(1))];
        for class in functions.filter_map(|name| self.limiter.operation(name)) {
            match wanted.iter_mut().find(|(known, _)| *known == class) {
                Some((_, times)) => *times += 1,
                None => wanted.push((class, 1)),
            }
        }
        for (at, (class, times)) in wanted.iter().enumerate() {
            let refused = self.operation(*class, *times).await;
            if refused.is_err() {
                for (class, times) in wanted.iter().take(at).chain([&(self.class, 1)]) {
                    self.give_back(*class, *times).await;
                }
                return refused;
            }
        }
        Ok(())
    }

    /// Counts so many of an operation, or refuses them.
    pub async fn operation(&self, class: Class, times: u32) -> Result<()> {
        self.limiter.take(&self.asker, &[class], times).await.error().map_or(Ok(()), Err)
    }

    /// Gives back so many of a class for what did not happen.
    pub async fn give_back(&self, class: Class, times: u32) {
        self.limiter.put_back(&self.asker, &[class], times).await;
    }
}
