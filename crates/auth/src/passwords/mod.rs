//! Passwords: which are taken, and the bounded work of hashing them.
//!
//! Invariant: never more hashes at once than there are workers, never more wait than the queue holds; and an account that does
//! not exist costs the same work as a wrong password.

mod choice;
mod imported;
mod memory;
mod turns;

use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use argon2::Params;
use argon2::password_hash::PasswordHash;
pub(crate) use choice::CharacterClass;
use kernel::{Error, Result, Secret};
use thread_priority::ThreadPriority;
use thread_priority::unix::{NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id};
use tokio::sync::oneshot;

use crate::config::PasswordConfig;
use memory::Memory;
pub(crate) use turns::Place;
use turns::Turns;

/// Hashes and verifies passwords.
#[derive(Clone)]
pub(crate) struct Passwords(Arc<Pool>);

struct Pool {
    config: PasswordConfig,
    turns: Arc<Turns>,
    /// Stands in for the hash of an account that does not exist.
    dummy: String,
}

/// What a password turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Not the right one.
    Wrong,
    /// The right one.
    Right,
    /// The right one, and its hash was made with other settings: this is the new one.
    Outdated(String),
}

impl Passwords {
    /// Sets up the workers. Makes one hash, so it takes the time of one.
    pub(crate) fn new(config: PasswordConfig) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let workers = if config.workers == 0 { (cores / 4).max(1) } else { config.workers };
        choice::check_file(&config)?;
        let begun = Instant::now();
        let dummy = Memory::default().hash(params(&config)?, b"nobody has this password")?;
        let come_back_max = Duration::from_secs(u64::from(config.come_back_seconds_max));
        let turns = Arc::new(Turns::new(workers, config.queue_max, come_back_max, begun.elapsed()));
        Ok(Self(Arc::new(Pool { config, turns, dummy })))
    }

    /// Checks that a password may be chosen, as far as that is told without the file of leaked ones.
    pub(crate) fn check_choice(&self, password: &str) -> Result<()> {
        choice::check(&self.0.config, password)
    }

    /// Says what is wrong with a right password by today's rules; it may have been chosen under others. Whoever has it is let in all the same.
    pub(crate) async fn weakness(&self, password: Secret<String>) -> Option<Error> {
        let pool = Arc::clone(&self.0);
        let look =
            move || choice::check(&pool.config, password.expose()).and_then(|()| choice::check_leaked(&pool.config, password.expose()));
        let found = if self.0.config.leaked_file.is_some() { tokio::task::spawn_blocking(look).await.ok()? } else { look() };
        found.err().filter(|error| error.code() == "weak_password")
    }

    /// Checks that a hash of another service can be compared with.
    pub(crate) fn check_import(&self, hash: &str) -> Result<()> {
        imported::check(&self.0.config, hash)
    }

    /// Compares a password that is chosen with one that was chosen before: the same work, and refused like one that is hashed.
    pub(crate) async fn recognize(&self, password: Secret<String>, hash: Option<String>) -> Result<Outcome> {
        let (pool, chosen) = (Arc::clone(&self.0), password.clone());
        let look = tokio::task::spawn_blocking(move || choice::check_leaked(&pool.config, chosen.expose()));
        look.await.map_err(Error::internal)??;
        self.verify(password, hash).await
    }

    /// Hashes a password that was chosen; one that is known to be leaked is refused.
    pub(crate) async fn hash(&self, password: Secret<String>) -> Result<String> {
        self.work(self.place()?, move |pool| {
            choice::check_leaked(&pool.config, password.expose())?;
            hash_now(pool, password.expose().as_bytes())
        })
        .await
    }

    /// Compares a password with the hash of an account; without a hash the same work is done, and it is wrong.
    pub(crate) async fn verify(&self, password: Secret<String>, hash: Option<String>) -> Result<Outcome> {
        self.verify_at(self.place()?, password, hash).await
    }

    /// Takes a place for [`Passwords::verify_at`]: in a storm whoever gets none is told so before anything else is done for him.
    pub(crate) fn place(&self) -> Result<Place> {
        self.0.turns.place()
    }

    /// Does what [`Passwords::verify`] does for whoever has a place already.
    pub(crate) async fn verify_at(&self, place: Place, password: Secret<String>, hash: Option<String>) -> Result<Outcome> {
        self.work(place, move |pool| verify_now(pool, &password, hash.as_deref())).await
    }

    async fn work<T: Send + 'static>(&self, place: Place, job: impl FnOnce(&Pool) -> Result<T> + Send + 'static) -> Result<T> {
        let turn = self.0.turns.turn().await?;
        let pool = Arc::clone(&self.0);
        let (done, outcome) = oneshot::channel();
        // A thread of its own, which is little beside a hash: what steps back behind other work does not come forward again.
        let thread = std::thread::Builder::new().name("password".to_owned()).spawn(move || {
            step_back();
            let begun = Instant::now();
            let outcome = job(&pool);
            pool.turns.took(begun.elapsed());
            // The worker was busy until now, whether anybody waits for it or not.
            drop((turn, place));
            let _heard = done.send(outcome).is_ok();
        });
        thread.map_err(Error::internal)?;
        outcome.await.map_err(Error::internal)?
    }
}

/// Gives this thread what requests leave of the processor that wait for no hash, so that a storm of sign-ins costs others little. A low
/// priority would not be enough: whoever wakes up waits for the end of a slice of time also behind that, and idle work alone makes way at once.
/// It makes way to PostgreSQL only within one control group, as of a service or a container: outside of one Linux may share the processor
/// out by terminal session (`kernel.sched_autogroup_enabled`), and each backend is a session by itself.
fn step_back() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
        tracing::debug!(%error, "hashes have the same priority as other work");
    }
}

fn params(config: &PasswordConfig) -> Result<Params> {
    Params::new(config.memory_kib, config.iterations, config.lanes, None).map_err(Error::internal)
}

fn hash_now(pool: &Pool, password: &[u8]) -> Result<String> {
    pool.turns.memory.hash(params(&pool.config)?, password)
}

fn verify_now(pool: &Pool, password: &Secret<String>, hash: Option<&str>) -> Result<Outcome> {
    let bytes = password.expose().as_bytes();
    // Longer ones were never taken, and are not worth more work than others.
    let compared = bytes.get(..pool.config.bytes_max).unwrap_or(bytes);
    if let Some(fits) = hash.and_then(|hash| imported::verify(&pool.config, compared, hash)) {
        return if fits && compared.len() == bytes.len() { hash_now(pool, bytes).map(Outcome::Outdated) } else { Ok(Outcome::Wrong) };
    }
    // An account that was brought without a password, or with a hash that is not known here or costs too much.
    let parsed = hash.and_then(|hash| PasswordHash::new(hash).ok()).filter(|hash| imported::is_bearable(&pool.config, hash));
    let known = parsed.is_some();
    let parsed = match parsed {
        Some(parsed) => parsed,
        None => PasswordHash::new(&pool.dummy).map_err(Error::internal)?,
    };
    let fits = pool.turns.memory.fits(compared, &parsed);
    if !(fits && known && compared.len() == bytes.len()) {
        return Ok(Outcome::Wrong);
    }
    let wanted = params(&pool.config)?;
    let same = Params::try_from(&parsed)
        .is_ok_and(|params| (params.m_cost(), params.t_cost(), params.p_cost()) == (wanted.m_cost(), wanted.t_cost(), wanted.p_cost()));
    if same && parsed.algorithm == argon2::ARGON2ID_IDENT {
        return Ok(Outcome::Right);
    }
    hash_now(pool, bytes).map(Outcome::Outdated)
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::rand_core::OsRng;
    use argon2::password_hash::{PasswordHasher as _, SaltString};
    use argon2::{Algorithm, Argon2, Version};
    use serde_json::json;
    use thread_priority::unix::thread_schedule_policy;

    use super::*;

    fn cheap() -> PasswordConfig {
        PasswordConfig { memory_kib: 64, iterations: 1, workers: 1, queue_max: 2, ..PasswordConfig::default() }
    }

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn right_and_wrong_are_told_apart() {
        let passwords = Passwords::new(cheap()).unwrap();
        let hash = passwords.hash(secret("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        assert_eq!(passwords.verify(secret("correct horse"), Some(hash.clone())).await.unwrap(), Outcome::Right);
        assert_eq!(passwords.verify(secret("correct horsf"), Some(hash)).await.unwrap(), Outcome::Wrong);
        assert_eq!(passwords.verify(secret("nobody has this password"), None).await.unwrap(), Outcome::Wrong);
    }

    #[tokio::test]
    async fn nothing_is_cut_off() {
        let passwords = Passwords::new(cheap()).unwrap();
        let longest = "x".repeat(256);
        let hash = passwords.hash(secret(&longest)).await.unwrap();
        for (password, outcome) in [("x".repeat(255), Outcome::Wrong), (longest, Outcome::Right), ("x".repeat(257), Outcome::Wrong)] {
            assert_eq!(passwords.verify(Secret::new(password), Some(hash.clone())).await.unwrap(), outcome);
        }
    }

    #[tokio::test]
    async fn other_settings_make_a_new_hash() {
        let old = Passwords::new(PasswordConfig { iterations: 2, ..cheap() }).unwrap();
        let hash = old.hash(secret("correct horse")).await.unwrap();
        let passwords = Passwords::new(cheap()).unwrap();
        let Outcome::Outdated(renewed) = passwords.verify(secret("correct horse"), Some(hash)).await.unwrap() else {
            panic!("the settings differ");
        };
        assert_eq!(passwords.verify(secret("correct horse"), Some(renewed)).await.unwrap(), Outcome::Right);
    }

    #[tokio::test]
    async fn a_hash_from_elsewhere_is_compared_and_renewed() {
        let hash = bcrypt::hash_with_salt("lovelace1815", 5, *b"0123456789abcdef").unwrap();
        let passwords = Passwords::new(cheap()).unwrap();
        for version in [bcrypt::Version::TwoA, bcrypt::Version::TwoB, bcrypt::Version::TwoY] {
            let hash = hash.format_for_version(version);
            assert_eq!(passwords.verify(secret("lovelace1816"), Some(hash.clone())).await.unwrap(), Outcome::Wrong);
            let Outcome::Outdated(renewed) = passwords.verify(secret("lovelace1815"), Some(hash)).await.unwrap() else {
                panic!("it is not ours");
            };
            assert!(renewed.starts_with("$argon2id$"));
            assert_eq!(passwords.verify(secret("lovelace1815"), Some(renewed)).await.unwrap(), Outcome::Right);
        }
        // A vector of the first implementation of bcrypt in Java.
        let known = "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i";
        assert!(matches!(passwords.verify(secret("abc"), Some(known.to_owned())).await.unwrap(), Outcome::Outdated(_)));
        let costly = known.replace("$06$", "$31$");
        assert_eq!(passwords.verify(secret("abc"), Some(costly)).await.unwrap(), Outcome::Wrong, "nobody waits for a week");
    }

    #[tokio::test]
    async fn what_is_no_hash_fits_no_password() {
        let passwords = Passwords::new(cheap()).unwrap();
        for hash in ["", "$fbscrypt$v=1,n=14$x", "$2a$", "plain"] {
            assert_eq!(passwords.verify(secret(""), Some(hash.to_owned())).await.unwrap(), Outcome::Wrong);
            assert_eq!(passwords.verify(secret("plain"), Some(hash.to_owned())).await.unwrap(), Outcome::Wrong);
        }
    }

    #[tokio::test]
    async fn the_queue_has_an_end_and_recovers() {
        let passwords = Passwords::new(cheap()).unwrap();
        let busy = passwords.0.turns.turn().await.unwrap();
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.hash(secret("correct horse")).await })
            })
            .collect();
        while passwords.0.turns.taken() < 3 {
            tokio::task::yield_now().await;
        }
        let error = passwords.hash(secret("correct horse")).await.unwrap_err();
        assert_eq!((error.status().as_u16(), error.code()), (429, "over_request_rate_limit"));
        assert_eq!(error.retry_after_seconds(), Some(1));
        drop(busy);
        for task in waiting {
            task.await.unwrap().unwrap();
        }
        assert!(passwords.hash(secret("correct horse")).await.is_ok());
        assert_eq!(passwords.0.turns.taken(), 0);
    }

    #[tokio::test]
    async fn hashing_steps_back_and_other_work_does_not() {
        let passwords = Passwords::new(cheap()).unwrap();
        let own = || thread_schedule_policy().unwrap();
        let hashing = passwords.work(passwords.place().unwrap(), move |_| Ok(own())).await.unwrap();
        let (idle, other) = (NormalThreadSchedulePolicy::Idle, NormalThreadSchedulePolicy::Other);
        assert_eq!((hashing, own()), (ThreadSchedulePolicy::Normal(idle), ThreadSchedulePolicy::Normal(other)));
    }

    #[tokio::test]
    async fn who_goes_away_gives_his_place_back() {
        let passwords = Passwords::new(cheap()).unwrap();
        let busy = passwords.0.turns.turn().await.unwrap();
        let task = tokio::spawn({
            let passwords = passwords.clone();
            async move { passwords.hash(secret("correct horse")).await }
        });
        while passwords.0.turns.taken() < 1 {
            tokio::task::yield_now().await;
        }
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(passwords.0.turns.taken(), 0);
        drop(busy);
    }

    /// Else whoever asks and goes away, again and again, would have any number of hashes made at once.
    #[tokio::test]
    async fn a_hash_that_has_begun_keeps_its_worker_until_it_is_done() {
        let passwords = Passwords::new(cheap()).unwrap();
        let (at_work, working) = std::sync::mpsc::channel();
        let (finish, told) = std::sync::mpsc::channel::<()>();
        let task = tokio::spawn({
            let passwords = passwords.clone();
            async move {
                let job = move |_: &Pool| {
                    at_work.send(()).unwrap();
                    Ok(told.recv().is_ok())
                };
                passwords.work(passwords.place().unwrap(), job).await
            }
        });
        tokio::task::spawn_blocking(move || working.recv().unwrap()).await.unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!((passwords.0.turns.taken(), passwords.0.turns.idle()), (1, 0));
        finish.send(()).unwrap();
        while (passwords.0.turns.taken(), passwords.0.turns.idle()) != (0, 1) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn every_kind_of_argon2_is_compared_and_renewed() {
        let passwords = Passwords::new(cheap()).unwrap();
        for algorithm in [Algorithm::Argon2d, Algorithm::Argon2i, Algorithm::Argon2id] {
            let hasher = Argon2::new(algorithm, Version::V0x13, Params::new(128, 1, 2, None).unwrap());
            let hash = hasher.hash_password(b"lovelace1815", &SaltString::generate(&mut OsRng)).unwrap().to_string();
            assert_eq!(passwords.verify(secret("lovelace1816"), Some(hash.clone())).await.unwrap(), Outcome::Wrong);
            let Outcome::Outdated(renewed) = passwords.verify(secret("lovelace1815"), Some(hash.clone())).await.unwrap() else {
                panic!("it is not ours");
            };
            assert!(renewed.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
            let costly = hash.replace("m=128", "m=1048576");
            assert_eq!(passwords.verify(secret("lovelace1815"), Some(costly)).await.unwrap(), Outcome::Wrong);
        }
    }

    #[tokio::test]
    async fn a_leaked_password_gets_no_hash() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        // SHA-1 of "leaked password".
        std::io::Write::write_all(&mut file, b"5914BB2C7DDE7E006FE0B045EE33C85C0CB698ED:3\n").unwrap();
        let passwords = Passwords::new(PasswordConfig { leaked_file: Some(file.path().to_owned()), ..cheap() }).unwrap();
        assert!(passwords.hash(secret("correct horse")).await.is_ok());
        assert_eq!(passwords.hash(secret("leaked password")).await.unwrap_err().code(), "weak_password");
        assert!(Passwords::new(PasswordConfig { leaked_file: Some("/nowhere/at/all".into()), ..cheap() }).is_err());
    }

    #[test]
    fn weak_and_endless_passwords_are_not_taken() {
        let passwords = Passwords::new(cheap()).unwrap();
        let weak = passwords.check_choice("12345").unwrap_err();
        assert_eq!((weak.status().as_u16(), weak.code()), (422, "weak_password"));
        assert_eq!(weak.message(), "Password should be at least 6 characters");
        assert_eq!(weak.details(), Some(&json!({ "reasons": ["length"] })));
        assert!(passwords.check_choice("äöüäöü").is_ok());
        assert!(passwords.check_choice(&"x".repeat(256)).is_ok());
        let endless = passwords.check_choice(&"x".repeat(257)).unwrap_err();
        assert_eq!((endless.status().as_u16(), endless.code()), (400, "validation_failed"));
    }
}
