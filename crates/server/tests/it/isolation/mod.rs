//! Companies are apart over HTTP: whatever anybody asks, of any table, view or function, in any form, no answer tells anything that only
//! the other company's rows say, none of its rows changes, and once it is gone every answer is still the same.
//!
//! Invariant: what must not be told comes from the rows as a superuser sees them. `REQUESTS` and `SEED` make the short form the long proof.

mod asked;
mod calling;
mod heard;
mod holes;
mod house;
mod judge;
mod known;
mod listener;
mod reading;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use futures_util::future::join_all;

use asked::{Asked, Maker};
use house::{Answer, House, INSIDE};
use judge::{Judge, lasting, may_change, shown};
use known::Known;

/// Requests on their way at the same time.
const AT_ONCE: usize = 12;
/// Of so many one is kept, and of so many one is asked again without B.
const KEPT_ONE_OF: u64 = 6;
const AGAIN_ONE_OF: usize = 4;
/// The numbers of requests that are not kept begin here.
const OTHERS: u64 = 1_000_000_007;
/// Findings that are told.
const SHOWN_MAX: usize = 40;

/// What is done to the world before, and what alone is asked about then; nothing where the house is proved as it stands.
#[derive(Clone, Copy, Debug, Default)]
struct Hole {
    sql: &'static str,
    only: &'static [&'static str],
}

/// What became of the proof.
#[derive(Debug, Default)]
struct Outcome {
    findings: Vec<String>,
    requests: usize,
    again: usize,
    canaries: usize,
    about: BTreeSet<String>,
    statuses: BTreeMap<u16, usize>,
    seconds: f64,
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var_os(name).map_or(default, |text| text.to_str().unwrap().parse().unwrap())
}

/// Asks all of them, some at the same time, and returns the answers in order.
async fn ask_all(house: &House, all: &[Asked]) -> Vec<Answer> {
    let next = AtomicUsize::new(0);
    let worker = || async {
        let mut answers = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(asked) = all.get(number) else { return answers };
            answers.push((number, house.ask(asked).await));
        }
    };
    let mut answers: Vec<(usize, Answer)> = join_all((0..AT_ONCE).map(|_| worker())).await.into_iter().flatten().collect();
    answers.sort_by_key(|(number, _)| *number);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Tries all of it on a world into which a hole may have been cut.
async fn prove(requests: u64, seed: u64, hole: Hole) -> Outcome {
    let begun = Instant::now();
    let house = Box::pin(House::open(hole.sql)).await;
    let superuser = house.world.superuser().await;
    let mut known = Known::read(&superuser).await;
    if !hole.only.is_empty() {
        known.narrow(hole.only);
    }
    let before = known.sums(&superuser).await;
    let maker = Maker { known: &known, callers: house.callers.len(), inside: INSIDE, service: INSIDE - 1, seed };
    let kept: Vec<Asked> = (0..requests / KEPT_ONE_OF).map(|number| maker.make(number, true)).collect();
    let passing: Vec<Asked> = (requests / KEPT_ONE_OF..requests).map(|number| maker.make(number + OTHERS, false)).collect();
    let judge = Judge::new(&known.canaries, &kept);
    let mut outcome = Outcome { canaries: known.canaries.len(), ..Outcome::default() };
    let mut first = Vec::new();
    for all in [&kept, &passing] {
        let answers = ask_all(&house, all).await;
        for (asked, answer) in all.iter().zip(&answers) {
            outcome.note(&house, &judge, asked, answer);
        }
        first = answers;
    }
    outcome.changes(&before, &known.sums(&superuser).await);
    known.remove(&superuser).await;
    Box::pin(outcome.without(&house, &passing, first)).await;
    house.stop().await;
    outcome.seconds = begun.elapsed().as_secs_f64();
    outcome
}

impl Outcome {
    fn note(&mut self, house: &House, judge: &Judge, asked: &Asked, answer: &Answer) {
        self.requests += 1;
        *self.statuses.entry(answer.status).or_default() += 1;
        self.about.insert(asked.about.clone());
        self.findings.extend(judge.judge(&house.callers[asked.caller], asked, answer));
    }

    /// Compares the sums over B's rows.
    fn changes(&mut self, before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
        for (table, sum) in before {
            if after.get(table) != Some(sum) {
                self.findings.push(format!("rows of the other company in {table} have changed"));
            }
        }
    }

    /// Asks some of it again, now that B is gone: as if its rows had been missing before.
    async fn without(&mut self, house: &House, all: &[Asked], first: Vec<Answer>) {
        let some = |number: &usize| number.is_multiple_of(AGAIN_ONE_OF);
        let (again, then): (Vec<Asked>, Vec<Answer>) = all
            .iter()
            .cloned()
            .zip(first)
            .enumerate()
            .filter(|(number, (asked, _))| some(number) && !house.callers[asked.caller].is_of_both)
            .map(|(_, pair)| pair)
            .unzip();
        let now = ask_all(house, &again).await;
        self.again = again.len();
        for ((asked, then), now) in again.iter().zip(&then).zip(&now) {
            let (with, without) = (lasting(asked, then), lasting(asked, now));
            if with != without && !may_change(asked, then) {
                let name = &house.callers[asked.caller].name;
                let (with, without) = apart(&with, &without);
                self.findings
                    .push(format!("{name}: {} is answered otherwise where the other company is missing: {with} | {without}", shown(asked)));
            }
        }
    }

    fn summary(&self, seed: u64) -> String {
        let refused: usize = self.statuses.iter().filter(|(status, _)| **status >= 400).map(|(_, count)| count).sum();
        format!(
            "{} requests to {} tables, views and functions in {:.0} s, {refused} of them refused; {} canaries, {} again without the other company; seed {seed}: \
             {} findings",
            self.requests,
            self.about.len(),
            self.seconds,
            self.canaries,
            self.again,
            self.findings.len()
        )
    }
}

/// Returns where two texts part, with a little of what is around.
fn apart(one: &str, other: &str) -> (String, String) {
    let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let part = |text: &str| text.chars().skip(same.saturating_sub(60)).take(160).collect();
    (part(one), part(other))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_of_another_company_is_told_or_changed() {
    let (requests, seed) = (number("REQUESTS", 600), number("SEED", 1));
    let outcome = Box::pin(prove(requests, seed, Hole::default())).await;
    println!("{}", outcome.summary(seed));
    let shown: Vec<&String> = outcome.findings.iter().take(SHOWN_MAX).collect();
    assert!(shown.is_empty(), "{} findings: {shown:#?}", outcome.findings.len());
    let requests = usize::try_from(requests).unwrap();
    assert!(outcome.requests == requests && outcome.again > requests / 8 && outcome.canaries > 100, "{outcome:?}");
    let fine: usize = outcome.statuses.iter().filter(|(status, _)| **status < 300).map(|(_, count)| count).sum();
    assert!(fine > requests / 5, "hardly anything is answered: {:?}", outcome.statuses);
}
