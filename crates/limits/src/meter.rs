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

    /// Counts the request so many times more, or refuses it.
    pub async fn more(&self, times: u32) -> Result<()> {
        self.operation(self.class, times).await
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
