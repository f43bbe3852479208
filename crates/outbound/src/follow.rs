//! Doing what waits: so much at once, until told to stop.
//!
//! Invariant: what takes its time holds back nothing else, and what is under way when told to stop is finished.

use std::pin::{Pin, pin};

use kernel::Result;
use tokio::task::JoinSet;

/// Something to do.
pub type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What was taken.
#[derive(Default)]
pub struct Load {
    /// What is to be done now.
    pub jobs: Vec<Job>,
    /// Whether there may be more at once.
    pub has_more: bool,
}

/// Where something waits to be done.
pub trait Source: Sync {
    /// Returns when there may be something to do.
    fn woken(&self) -> impl Future<Output = ()> + Send;

    /// Takes what is to be done, no more than there is room for.
    fn take(&self, room: usize) -> impl Future<Output = Result<Load>> + Send;
}

/// Does what waits until `stopped` is there. `what` is named in the log.
pub async fn follow(what: &'static str, source: &impl Source, at_once: usize, stopped: impl Future<Output = ()> + Send) {
    let (mut stopped, mut under_way, mut has_more) = (pin!(stopped), JoinSet::new(), false);
    loop {
        tokio::select! {
            biased;
            () = &mut stopped => break,
            () = std::future::ready(()), if has_more => {}
            () = source.woken() => {}
            // A look is worth while for more than one; whoever is slow is waited for by the clock alone.
            Some(_ended) = under_way.join_next() => {
                if at_once.saturating_sub(under_way.len()).saturating_mul(4) < at_once {
                    continue;
                }
            }
        }
        while under_way.try_join_next().is_some() {}
        let load = match source.take(at_once.saturating_sub(under_way.len())).await {
            Ok(load) => load,
            Err(error) => {
                tracing::debug!(code = error.code(), "{what} could not be looked at: {}", error.message());
                Load::default()
            }
        };
        has_more = load.has_more && under_way.len() + load.jobs.len() < at_once;
        for job in load.jobs {
            under_way.spawn(job);
        }
    }
    while under_way.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::{Notify, Semaphore};

    use super::*;

    /// Ten to do; each waits until it is let through.
    struct Ten {
        left: AtomicUsize,
        begun: Arc<AtomicUsize>,
        done: Arc<AtomicUsize>,
        gate: Arc<Semaphore>,
        seen: Notify,
    }

    impl Source for Ten {
        async fn woken(&self) {
            self.seen.notified().await;
        }

        async fn take(&self, room: usize) -> Result<Load> {
            let count = room.min(self.left.load(Ordering::SeqCst));
            self.left.fetch_sub(count, Ordering::SeqCst);
            let job = || -> Job {
                let (begun, done, gate) = (Arc::clone(&self.begun), Arc::clone(&self.done), Arc::clone(&self.gate));
                Box::pin(async move {
                    begun.fetch_add(1, Ordering::SeqCst);
                    gate.acquire().await.unwrap().forget();
                    done.fetch_add(1, Ordering::SeqCst);
                })
            };
            Ok(Load { jobs: (0..count).map(|_| job()).collect(), has_more: count > 0 })
        }
    }

    #[tokio::test]
    async fn one_that_is_done_makes_room_for_the_next_and_what_was_begun_is_finished() {
        let (begun, done, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let ten = Ten {
            left: AtomicUsize::new(10),
            begun: Arc::clone(&begun),
            done: Arc::clone(&done),
            gate: Arc::clone(&gate),
            seen: Notify::new(),
        };
        ten.seen.notify_one();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let following = tokio::spawn(async move {
            follow("ten", &ten, 4, async move { drop(stopped.await) }).await;
        });
        let until = async |count: &AtomicUsize, wanted: usize| {
            while count.load(Ordering::SeqCst) < wanted {
                tokio::task::yield_now().await;
            }
        };
        until(&begun, 4).await;
        // Three hang, one is through: its place is taken.
        gate.add_permits(1);
        until(&begun, 5).await;
        assert_eq!(done.load(Ordering::SeqCst), 1);
        stop.send(()).unwrap();
        gate.add_permits(4);
        following.await.unwrap();
        assert_eq!((begun.load(Ordering::SeqCst), done.load(Ordering::SeqCst)), (5, 5));
    }
}
