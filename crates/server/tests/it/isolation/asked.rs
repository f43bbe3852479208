//! Requests that anybody could send, made from the catalog and from what the other company's rows say, over the whole dialect.
//!
//! Invariant: the same seed and number make the same request. What a request says of the other company it says itself: `said` is all of
//! it, so that an answer which only repeats it tells nothing. What is kept says ids of the other company alone, no words of it.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;

use super::known::{Known, Relation};

pub(crate) const COMPANY_A: &str = "01900000-0000-7000-8000-00000000a000";
pub(crate) const COMPANY_B: &str = "01900000-0000-7000-8000-00000000b000";
/// What stands in every id of B, and in every row.
pub(crate) const MARK_B: &str = "-00000000b";
pub(crate) const WORD_B: &str = "canary-b";

pub(super) const FORMS: [&str; 14] = [
    "text/csv",
    "text/csv",
    "application/json",
    "application/vnd.pgrst.object+json",
    "application/vnd.pgrst.array+json;nulls=stripped",
    "application/vnd.pgrst.plan+json",
    "application/vnd.pgrst.plan+text; for=\"application/json\"; options=verbose|settings",
    "application/vnd.pgrst.plan+json; options=buffers",
    "application/vnd.pgrst.plan+text; for=\"text/csv\"",
    "application/openapi+json",
    "text/plain",
    "application/octet-stream",
    "application/geo+json",
    "*/*",
];

/// A request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) caller: usize,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<String>,
    /// What it says, as people read it.
    pub(crate) said: String,
    /// Whether two answers to it are the same to the letter while nothing changes.
    pub(crate) is_exact: bool,
    /// What it is about: a relation, a function or a route.
    pub(crate) about: String,
}

impl Asked {
    /// Returns what its body says, as people read it: the fields of a form are encoded.
    pub(super) fn written(&self) -> String {
        percent_decode_str(self.body.as_deref().unwrap_or_default()).decode_utf8_lossy().into_owned()
    }
}

/// Makes requests.
pub(crate) struct Maker<'a> {
    pub(crate) known: &'a Known,
    pub(crate) callers: usize,
    /// How many of them, the first, get in.
    pub(crate) inside: usize,
    /// Which of them is the service.
    pub(crate) service: usize,
    pub(crate) seed: u64,
}

impl Maker<'_> {
    /// Makes the request of that number; `is_kept` for one that writes and stays.
    pub(crate) fn make(&self, number: u64, is_kept: bool) -> Asked {
        let random = StdRng::seed_from_u64(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number));
        let mut one = One { known: self.known, random, is_kept, query: Vec::new(), asked: Asked::default() };
        // Whoever gets in asks most of the time.
        let asking = if one.chance(85) { self.inside } else { self.callers };
        one.asked.caller = one.random.random_range(0..asking);
        one.any();
        let asked = one.done();
        // The service is kept from B by the company that it names, where rows have one; it may write, and call, for whom it likes.
        let is_kept_away =
            ["GET", "HEAD"].contains(&asked.method) && self.known.relation(&asked.about).is_some_and(|relation| relation.has_company);
        if asked.caller == self.service && !is_kept_away { self.make(number.wrapping_add(1 << 40), is_kept) } else { asked }
    }
}

/// One request that is being made.
pub(super) struct One<'a> {
    pub(super) known: &'a Known,
    pub(super) random: StdRng,
    pub(super) is_kept: bool,
    pub(super) query: Vec<(String, String)>,
    pub(super) asked: Asked,
}

impl<'a> One<'a> {
    pub(super) fn any(&mut self) {
        let choice = self.random.random_range(0..100);
        match choice {
            _ if self.is_kept && choice < 55 => self.write(),
            _ if self.is_kept && choice < 85 => self.call(),
            _ if self.is_kept => self.batch(),
            0..50 => self.read(),
            50..72 => self.write(),
            72..92 => self.call(),
            92..98 => self.batch(),
            _ => self.root(),
        }
        if self.chance(5) {
            self.header("prefer", "timezone=America/Chicago");
        }
    }

    pub(super) fn done(mut self) -> Asked {
        if !self.is_kept && self.asked.method != "GET" && self.asked.method != "HEAD" {
            self.header("prefer", "tx=rollback");
        }
        if !self.query.is_empty() {
            let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let pairs: Vec<String> = self.query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
            self.asked.path = format!("{}?{}", self.asked.path, pairs.join("&"));
        }
        let shown = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let headers = self.asked.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n");
        self.asked.said = format!("{} {} {shown}\n{headers}\n{}", self.asked.method, self.asked.path, self.asked.written());
        self.asked
    }

    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    pub(super) fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        of.choose(&mut self.random).cloned()
    }

    pub(super) fn word(&mut self, of: &[&str]) -> String {
        self.pick(of).unwrap_or_default().to_owned()
    }

    pub(super) fn header(&mut self, name: &'static str, value: &str) {
        self.asked.headers.push((name, value.to_owned()));
    }

    pub(super) fn say(&mut self, name: &str, value: &str) {
        self.query.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn id(&mut self) -> String {
        self.pick(&self.known.ids).unwrap_or_default()
    }

    /// Chooses a relation, its schema said where it is not the first, and a row of B in it.
    pub(super) fn relation(&mut self, profile: &'static str) -> (&'a Relation, Option<Value>) {
        let known = self.known;
        let relation = known.relations.choose(&mut self.random).expect("there are relations");
        self.asked.path = format!("/rest/v1/{}", relation.name);
        self.asked.about = relation.name.clone();
        if relation.schema != "public" {
            self.header(profile, &relation.schema);
        }
        let row = if self.is_kept { relation.rows.first().cloned() } else { self.pick(&relation.rows) };
        (relation, row)
    }
}
