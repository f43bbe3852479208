//! The threads that images are worked on.
//!
//! Invariant: never more images at once than threads, never more waiting than may wait, and where there are two threads one is left by previews
//! to whoever looks at an image just now. An image whose client went away or whose time is
//! over keeps its thread until it is done: what is not finished is still counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kernel::{Error, Kind, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::config::ImagesConfig;

/// A bounded number of threads with a bounded queue before them.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    threads: Arc<Semaphore>,
    /// Places of previews, which have to be taken before a thread.
    previews: Arc<Semaphore>,
    is_of_previews: bool,
    waiting: Arc<AtomicUsize>,
    waiting_max: usize,
    wait: Duration,
    time: Duration,
}

/// A thread that was taken, and the place of a preview where it is for one.
#[derive(Debug)]
pub(crate) struct Place {
    _thread: OwnedSemaphorePermit,
    _preview: Option<OwnedSemaphorePermit>,
}

/// Somebody who waits; gone, he waits no more.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pool {
    pub(crate) fn new(config: &ImagesConfig) -> Self {
        Self {
            threads: Arc::new(Semaphore::new(config.threads)),
            previews: Arc::new(Semaphore::new(config.threads.saturating_sub(1).max(1))),
            is_of_previews: false,
            waiting: Arc::default(),
            waiting_max: config.waiting_max,
            wait: Duration::from_millis(config.wait_ms),
            time: Duration::from_millis(config.time_ms),
        }
    }

    /// Returns the same threads, as previews may have them.
    pub(crate) fn of_previews(&self) -> Self {
        Self { is_of_previews: true, ..self.clone() }
    }

    /// Takes a thread, or says that there is none to be had. What it will work on is read behind it: who waits holds no memory.
    pub(crate) async fn enter(&self) -> Result<Place> {
        let preview =
            if self.is_of_previews { Some(Arc::clone(&self.previews).try_acquire_owned().map_err(|_taken| busy())?) } else { None };
        Ok(Place { _thread: self.thread().await?, _preview: preview })
    }

    async fn thread(&self) -> Result<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.threads).try_acquire_owned() {
            return Ok(permit);
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.waiting_max {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(busy());
        }
        let waiting = Waiting(&self.waiting);
        let entered = tokio::time::timeout(self.wait, Arc::clone(&self.threads).acquire_owned()).await;
        drop(waiting);
        entered.map_err(|_elapsed| busy())?.map_err(Error::internal)
    }

    /// Does work on the thread that was taken.
    pub(crate) async fn run<T: Send + 'static>(&self, place: Place, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let work = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        match tokio::time::timeout(self.time, work).await {
            Ok(Ok(done)) => done,
            // A decoder that gives up on a file by a panic gives up on this file alone.
            Ok(Err(panicked)) => Err(super::read::refused().with_source(panicked)),
            Err(_elapsed) => Err(Error::new(Kind::Timeout, "image_time_over", "Making the image took too long")),
        }
    }
}

fn busy() -> Error {
    Error::new(Kind::Unavailable, "images_busy", "Too many images are being made; try again").with_retry_after(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn pool(waiting_max: usize, wait_ms: u64, time_ms: u64) -> Pool {
        Pool::new(&ImagesConfig { threads: 1, waiting_max, wait_ms, time_ms, ..ImagesConfig::default() })
    }

    #[tokio::test]
    async fn who_finds_no_place_is_told_to_come_again() {
        let pool = pool(0, 60_000, 60_000);
        let held = pool.enter().await.unwrap();
        let refused = pool.enter().await.unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.code(), refused.retry_after_seconds()), (503, "images_busy", Some(1)));
        drop(held);
        assert!(pool.enter().await.is_ok());
    }

    #[tokio::test]
    async fn previews_leave_a_thread_to_whoever_looks() {
        let config = ImagesConfig { threads: 2, waiting_max: 0, ..ImagesConfig::default() };
        let pool = Pool::new(&config);
        let previews = pool.of_previews();
        let first = previews.enter().await.unwrap();
        assert_eq!(previews.enter().await.unwrap_err().code(), "images_busy");
        let looked_at = pool.enter().await.unwrap();
        drop(first);
        assert!(previews.enter().await.is_ok());
        drop(looked_at);
        // With one thread there is one for either.
        assert!(Pool::new(&ImagesConfig { threads: 1, ..config }).of_previews().enter().await.is_ok());
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_he_may() {
        let pool = pool(1, 1, 60_000);
        let _held = pool.enter().await.unwrap();
        assert_eq!(pool.enter().await.unwrap_err().code(), "images_busy");
        assert_eq!(pool.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn what_takes_too_long_is_given_up_and_keeps_its_thread() {
        let pool = pool(0, 1, 1);
        let (finish, wait) = mpsc::channel::<()>();
        let permit = pool.enter().await.unwrap();
        let over = pool.run(permit, move || wait.recv().map_err(Error::internal)).await.unwrap_err();
        assert_eq!((over.status().as_u16(), over.code()), (504, "image_time_over"));
        assert_eq!(pool.enter().await.unwrap_err().code(), "images_busy");
        finish.send(()).unwrap();
        let _free_again = Arc::clone(&pool.threads).acquire_owned().await.unwrap();
    }

    #[tokio::test]
    async fn a_panic_is_of_one_file_alone() {
        let pool = pool(0, 1, 60_000);
        let permit = pool.enter().await.unwrap();
        let panicked = pool.run::<()>(permit, || panic!("of a decoder")).await.unwrap_err();
        assert_eq!((panicked.status().as_u16(), panicked.code()), (422, "image_unreadable"));
        assert!(pool.enter().await.is_ok());
    }
}
