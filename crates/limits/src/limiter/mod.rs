//! What the edge asks about each request.
//!
//! Invariant: deciding needs memory alone, no query: rates and tiers are learned beside the requests. Of all that a request is held
//! against, nothing is taken if it is refused; what is only watched is taken for itself and refuses nobody.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use kernel::{Clock, CompanyId, Error, Kind, UserId};
use lru::LruCache;
use serde_json::{Value, json};

use crate::buckets::{Buckets, Demand, Taken};
use crate::class::Class;
use crate::config::{Mode, RatesConfig};
use crate::key::Key;
use crate::rate::Left;
use crate::rules::{Counted, Limit, Rule, Rules, Tier};

/// Companies whose tier is followed; those that asked longest ago have what everybody has until they ask again.
const FOLLOWED_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9999);
/// After how long a tier that no rate hangs on is asked for again: it is told of requests, and decides nothing.
const TOLD_FOR: SignedDuration = SignedDuration::from_secs(60);
/// What a company has when its own tier is over.
const FREE: &str = "free";
/// Microseconds between two lines in the log about one class.
const QUIET: i64 = 10_000_000;

/// Who is counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whom {
    /// A person who is signed in.
    User(UserId),
    /// The holder of a pass, by its digest.
    Pass(Arc<str>),
    /// The operator's programs: with the key for everything, or with one that names the company that it is for, each for itself.
    Service(Option<CompanyId>),
    /// Whoever asks from a network.
    Network(String),
    /// Whoever tries to be somebody, or to reach him, from a network.
    Trial {
        /// In which way.
        way: &'static str,
        /// The account, number, link or customer that he names.
        name: String,
        /// Where he is.
        network: String,
    },
}

/// Who asks, and for which company as far as that is certain: what a caller only says moves nobody else's counters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asker {
    /// Who.
    pub whom: Whom,
    /// For which company.
    pub company: Option<CompanyId>,
}

/// Decides. Cheap to clone.
#[derive(Clone)]
pub struct Limiter(Arc<Inner>);

struct Inner {
    config: RatesConfig,
    buckets: Buckets,
    clock: Arc<dyn Clock>,
    operations: HashMap<String, Class>,
    rules: ArcSwap<Rules>,
    version: AtomicI64,
    tiers: Mutex<LruCache<CompanyId, Followed>>,
    noted: [AtomicI64; Class::ALL.len()],
}

/// What is known of a company's tier.
#[derive(Default)]
struct Followed {
    tier: Option<Tier>,
    asked_at: Option<Timestamp>,
}

/// What was decided.
#[derive(Debug, Default)]
#[must_use]
pub struct Decision {
    /// What the answer says of it.
    state: Option<(Arc<Limit>, Left)>,
    refused: Option<(Arc<Limit>, u32)>,
}

impl Limiter {
    /// Makes one that knows no rules yet. A mode that is not set enforces.
    pub fn new(config: RatesConfig, buckets: Buckets, clock: Arc<dyn Clock>) -> Self {
        let operations = config.operations().map(|(function, class)| (function.to_owned(), class)).collect();
        let rules = ArcSwap::from_pointee(Rules::new(&config, &[]));
        let tiers = Mutex::new(LruCache::new(FOLLOWED_MAX));
        let (version, noted) = (AtomicI64::new(-1), Default::default());
        Self(Arc::new(Inner { config, buckets, clock, operations, rules, version, tiers, noted }))
    }

    /// Returns where it counts, for whoever has rates of his own.
    pub fn buckets(&self) -> &Buckets {
        &self.0.buckets
    }

    /// Tells whether nobody is counted.
    pub fn is_off(&self) -> bool {
        self.0.config.mode == Some(Mode::Off)
    }

    /// Returns whether the configured rates are enforced, in one word: `enforce`, `shadow` or `off`.
    pub fn mode(&self) -> &'static str {
        match self.0.config.mode {
            None | Some(Mode::Enforce) => "enforce",
            Some(Mode::Shadow) => "shadow",
            Some(Mode::Off) => "off",
        }
    }

    /// Returns the classes that are only counted where others are enforced.
    pub fn shadowed(&self) -> Vec<String> {
        self.0.config.shadow.clone()
    }

    /// Returns the configured rates by class, for whoever wants to know; 0 is without a limit.
    pub fn configured(&self) -> Value {
        let rates = Class::ALL.map(|class| (class.name().to_owned(), Value::from(self.0.config.minute_max(class))));
        Value::Object(rates.into_iter().collect())
    }

    /// Returns the operation that a function of the data API is, if it is one.
    pub fn operation(&self, function: &str) -> Option<Class> {
        self.0.operations.get(function).copied()
    }

    /// Counts a request that is all of these, or refuses it.
    pub async fn take(&self, asker: &Asker, classes: &[Class], cost: u32) -> Decision {
        if self.is_off() || cost == 0 {
            return Decision::default();
        }
        let now = self.0.clock.now();
        let (enforced, watched): (Vec<_>, Vec<_>) =
            self.held_against(asker, classes, cost).into_iter().partition(|(limit, _)| !limit.is_shadow);
        let mut decision = self.enforce(&enforced, now).await;
        if decision.refused.is_none() {
            for (limit, demand) in watched {
                let left = self.watch(&limit, demand, now).await;
                decision.state.get_or_insert((limit, left));
            }
        }
        decision
    }

    /// Tells whether a request of this class would be refused, and counts nothing.
    pub async fn look(&self, asker: &Asker, class: Class) -> Decision {
        if self.is_off() {
            return Decision::default();
        }
        let held = self.held_against(asker, &[class], 1).into_iter().filter(|(limit, _)| !limit.is_shadow);
        let (limits, demands): (Vec<_>, Vec<_>) = held.unzip();
        decided(&limits, self.0.buckets.look(&demands, self.0.clock.now()).await)
    }

    /// Puts back what was taken for something that did not happen.
    pub async fn put_back(&self, asker: &Asker, classes: &[Class], cost: u32) {
        if self.is_off() {
            return;
        }
        let demands: Vec<_> = self.held_against(asker, classes, cost).into_iter().map(|(_, demand)| demand).collect();
        self.0.buckets.put_back(&demands).await;
    }

    /// Returns which rules are known, and the companies whose tiers are to be asked for: all where a rate hangs on it, else those that nobody
    /// asked for within a minute.
    pub fn known(&self) -> (i64, Vec<CompanyId>) {
        let (now, decides) = (self.0.clock.now(), self.0.rules.load().ask_for_tiers());
        let is_due = |followed: &Followed| decides || followed.asked_at.is_none_or(|at| now.duration_since(at).abs() >= TOLD_FOR);
        let mut tiers = self.tiers();
        let due = tiers.iter_mut().filter(|(_, followed)| is_due(followed));
        let companies = due.map(|(company, followed)| {
            followed.asked_at = Some(now);
            *company
        });
        (self.0.version.load(Ordering::Acquire), companies.collect())
    }

    /// Returns the tier of a company that a request was for, as far as it is known, and follows it from now on where the company is certain
    /// to be one.
    pub fn tier_of(&self, company: CompanyId, is_certain: bool) -> Option<Arc<str>> {
        if is_certain { self.tier(company) } else { Some(self.current(self.tiers().peek(&company)?.tier.clone()?)) }
    }

    /// Takes these rules, which are all, from now on.
    pub fn learn(&self, version: i64, rules: &[Rule]) {
        self.0.rules.store(Arc::new(Rules::new(&self.0.config, rules)));
        self.0.version.store(version, Ordering::Release);
    }

    /// Takes the tiers of these companies from now on.
    pub fn learn_tiers(&self, tiers: impl IntoIterator<Item = (CompanyId, Tier)>) {
        let mut known = self.tiers();
        for (company, tier) in tiers {
            if let Some(place) = known.peek_mut(&company) {
                place.tier = Some(tier);
            }
        }
    }

    /// Returns the limits that a request is held against, the closest first, each with what it takes of its bucket.
    fn held_against(&self, asker: &Asker, classes: &[Class], cost: u32) -> Vec<(Arc<Limit>, Demand)> {
        let rules = self.0.rules.load();
        let company = asker.company;
        let tier = company.filter(|_| rules.ask_for_tiers()).and_then(|company| self.tier(company));
        let mut held = Vec::with_capacity(classes.len());
        // Operations have rates for people and their keys; the operator's programs have the one that he set for them.
        let is_service = matches!(asker.whom, Whom::Service(_));
        for class in classes.iter().filter(|class| !(is_service && class.is_operation())) {
            if let Some(limit) = rules.limit((*class, Counted::Caller), company, tier.as_deref()) {
                let demand = Demand { key: self.key(*class, &asker.whom), rate: limit.rate, cost };
                held.push((Arc::clone(limit), demand));
            }
            let Some(company) = company else { continue };
            if let Some(limit) = rules.limit((*class, Counted::Company), Some(company), tier.as_deref()) {
                let key = self.0.buckets.key("rate_company", &[class.name().as_bytes(), company.0.as_bytes()]);
                held.push((Arc::clone(limit), Demand { key, rate: limit.rate, cost }));
            }
        }
        held
    }

    async fn enforce(&self, held: &[(Arc<Limit>, Demand)], now: Timestamp) -> Decision {
        let (limits, demands): (Vec<_>, Vec<_>) = held.iter().cloned().unzip();
        if limits.is_empty() {
            return Decision::default();
        }
        let decision = decided(&limits, self.0.buckets.take(&demands, now).await);
        if let Some((limit, seconds)) = &decision.refused {
            self.note(limit, *seconds, now);
        }
        decision
    }

    /// Counts what is only watched. Returns what there is.
    async fn watch(&self, limit: &Limit, demand: Demand, now: Timestamp) -> Left {
        match self.0.buckets.take(&[demand], now).await {
            Taken::Yes(left) => left.unwrap_or(Left { remaining: 0, full_in_seconds: 0 }),
            Taken::Wait { seconds, .. } => {
                self.note(limit, seconds, now);
                Left { remaining: 0, full_in_seconds: seconds }
            }
        }
    }

    /// Counts a refusal, or what would be one, and says so now and then.
    fn note(&self, limit: &Limit, seconds: u32, now: Timestamp) {
        let (class, outcome) = (limit.class.name(), if limit.is_shadow { "shadow" } else { "refused" });
        metrics::counter!("rate_limited_requests_total", "class" => class, "outcome" => outcome).increment(1);
        let Some(noted) = self.0.noted.get(limit.class.number()) else { return };
        let (last, now) = (noted.load(Ordering::Relaxed), now.as_microsecond());
        let is_first = (now - last).abs() > QUIET && noted.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_first {
            tracing::info!(class, outcome, counted = ?limit.counted, wait_s = seconds, "somebody asks too often");
        }
    }

    fn tier(&self, company: CompanyId) -> Option<Arc<str>> {
        let known = self.tiers().get_or_insert(company, Followed::default).tier.clone()?;
        Some(self.current(known))
    }

    fn current(&self, known: Tier) -> Arc<str> {
        let is_over = known.until.is_some_and(|until| until <= self.0.clock.now());
        if is_over { Arc::from(FREE) } else { known.name }
    }

    fn tiers(&self) -> MutexGuard<'_, LruCache<CompanyId, Followed>> {
        // Nothing that holds it can leave it half changed.
        self.0.tiers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, class: Class, whom: &Whom) -> Key {
        let class = class.name().as_bytes();
        match whom {
            Whom::User(user) => self.0.buckets.key("rate_user", &[class, user.0.as_bytes()]),
            Whom::Pass(digest) => self.0.buckets.key("rate_pass", &[class, digest.as_bytes()]),
            Whom::Service(None) => self.0.buckets.key("rate_service", &[class]),
            Whom::Service(Some(company)) => self.0.buckets.key("rate_service", &[class, company.0.as_bytes()]),
            Whom::Network(network) => self.0.buckets.key("rate_network", &[class, network.as_bytes()]),
            Whom::Trial { way, name, network } => {
                self.0.buckets.key("rate_trial", &[class, way.as_bytes(), name.as_bytes(), network.as_bytes()])
            }
        }
    }
}

impl Decision {
    /// Returns the seconds to wait, if it was refused.
    pub fn wait(&self) -> Option<u32> {
        self.refused.as_ref().map(|(_, seconds)| *seconds)
    }

    /// Returns the refusal, if it is one.
    pub fn error(&self) -> Option<Error> {
        let (limit, seconds) = self.refused.as_ref()?;
        let (class, counted) = (limit.class.name(), if limit.counted == Counted::Company { "company" } else { "caller" });
        let message = format!("Rate limit exceeded. Try again in {seconds} seconds.");
        let details = json!({ "limit": class, "counted": counted, "minute_max": limit.rate.max(), "retry_after_seconds": seconds });
        Some(Error::new(Kind::TooManyRequests, "RATE_LIMIT_EXCEEDED", message).with_details(details).with_retry_after(*seconds))
    }

    /// Writes what there is after the request into the headers of its answer.
    pub fn write(&self, headers: &mut HeaderMap) {
        if let Some((limit, left)) = &self.state {
            limit.policy.write(*left, headers);
        }
    }
}

fn decided(limits: &[Arc<Limit>], taken: Taken) -> Decision {
    match taken {
        Taken::Yes(left) => Decision { state: limits.first().cloned().zip(left), refused: None },
        Taken::Wait { at, seconds } => {
            let refused = limits.get(at).map(|limit| (Arc::clone(limit), seconds));
            let state = refused.clone().map(|(limit, seconds)| (limit, Left { remaining: 0, full_in_seconds: seconds }));
            Decision { state, refused }
        }
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("config", &self.0.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
