//! A limiter whose clock the test turns.

use super::*;
use crate::key::Keys;
use crate::meter::Meter;
use uuid::Uuid;

struct Hands(AtomicI64);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

fn limiter(config: RatesConfig) -> (Limiter, Arc<Hands>) {
    let clock = Arc::new(Hands(AtomicI64::new(1_795_262_400)));
    let buckets = Buckets::local(Keys::of_this_process().unwrap(), 1000);
    (Limiter::new(config, buckets, Arc::<Hands>::clone(&clock)), clock)
}

fn user(number: u128, company: Option<u128>) -> Asker {
    Asker { whom: Whom::User(UserId(Uuid::from_u128(number))), company: company.map(|id| CompanyId(Uuid::from_u128(id))) }
}

fn rule(class: Class, counted: Counted, minute_max: Option<u32>) -> Rule {
    Rule { class, counted, company: None, tier: None, minute_max, burst_max: None, is_shadow: None }
}

#[tokio::test]
async fn who_is_refused_has_paid_nothing_and_learns_how_long() {
    let (limiter, _) = limiter(RatesConfig { write_minute_max: 10, export_minute_max: 2, ..RatesConfig::default() });
    let ann = user(1, None);
    for _ in 0..2 {
        assert_eq!(limiter.take(&ann, &[Class::Export, Class::Write], 1).await.wait(), None);
    }
    for _ in 0..20 {
        let refused = limiter.take(&ann, &[Class::Export, Class::Write], 1).await;
        assert_eq!(refused.wait(), Some(30));
        let error = refused.error().unwrap();
        assert_eq!((error.code(), error.message()), ("RATE_LIMIT_EXCEEDED", "Rate limit exceeded. Try again in 30 seconds."));
        assert_eq!(error.retry_after_seconds(), Some(30));
        assert_eq!(
            *error.details().unwrap(),
            json!({ "limit": "export", "counted": "caller", "minute_max": 2, "retry_after_seconds": 30 })
        );
    }
    // Ten less the two that came through.
    assert_eq!(limiter.take(&ann, &[Class::Write], 8).await.wait(), None);
    assert_eq!(limiter.take(&ann, &[Class::Write], 1).await.wait(), Some(6));
    assert_eq!(limiter.take(&user(2, None), &[Class::Write], 1).await.wait(), None, "another one has his own");
}

#[tokio::test]
async fn what_is_only_watched_refuses_nobody_and_takes_nothing_from_the_rest() {
    let (limiter, _) =
        limiter(RatesConfig { shadow: vec!["export".to_owned()], export_minute_max: 1, write_minute_max: 3, ..RatesConfig::default() });
    let ann = user(1, None);
    for _ in 0..3 {
        assert_eq!(limiter.take(&ann, &[Class::Export, Class::Write], 1).await.wait(), None);
    }
    assert_eq!(limiter.take(&ann, &[Class::Export, Class::Write], 1).await.wait(), Some(20), "the other one refuses");
    let (limiter, _) = self::limiter(RatesConfig { mode: Some(Mode::Shadow), write_minute_max: 1, ..RatesConfig::default() });
    let mut headers = HeaderMap::new();
    for left in ["0", "0", "0"] {
        let passed = limiter.take(&ann, &[Class::Write], 1).await;
        assert_eq!(passed.wait(), None);
        passed.write(&mut headers);
        assert_eq!(headers["ratelimit-remaining"], left);
    }
    let (limiter, _) = self::limiter(RatesConfig { mode: Some(Mode::Off), write_minute_max: 1, ..RatesConfig::default() });
    let mut headers = HeaderMap::new();
    for _ in 0..3 {
        let passed = limiter.take(&ann, &[Class::Write], 1).await;
        passed.write(&mut headers);
        assert_eq!((passed.wait(), headers.len()), (None, 0));
    }
}

#[tokio::test]
async fn a_company_has_what_it_was_given_its_tier_or_everybody_has() {
    let (limiter, clock) = limiter(RatesConfig { write_minute_max: 1, ..RatesConfig::default() });
    let (ann, bob, eve) = (user(1, Some(10)), user(2, Some(20)), user(3, Some(20)));
    let several = async |asker: &Asker, of: u32| {
        let mut through = 0;
        for _ in 0..of {
            through += u32::from(limiter.take(asker, &[Class::Write], 1).await.wait().is_none());
        }
        clock.0.fetch_add(60, Ordering::SeqCst);
        through
    };
    assert_eq!(limiter.known(), (-1, vec![]));
    assert_eq!([several(&ann, 9).await, several(&bob, 9).await], [1, 1]);
    let company = CompanyId(Uuid::from_u128(10));
    let own = Rule { company: Some(company), ..rule(Class::Write, Counted::Caller, Some(4)) };
    let tier = Rule { tier: Some("pro".to_owned()), ..rule(Class::Write, Counted::Caller, Some(3)) };
    let free = Rule { tier: Some("free".to_owned()), ..rule(Class::Write, Counted::Caller, Some(2)) };
    limiter.learn(7, &[own, tier, free]);
    assert_eq!(several(&ann, 9).await, 4);
    assert_eq!(several(&bob, 9).await, 1, "whose tier is not known yet has what everybody has");
    let (version, asked) = limiter.known();
    assert_eq!((version, asked.len()), (7, 2), "both are asked for from now on");
    let until = clock.now() + SignedDuration::from_secs(120);
    let pro = |id: u128| (CompanyId(Uuid::from_u128(id)), Tier { name: "pro".into(), until: Some(until) });
    limiter.learn_tiers([pro(10), pro(20), pro(30)]);
    assert_eq!([several(&ann, 9).await, several(&bob, 9).await], [4, 3]);
    assert_eq!(several(&eve, 9).await, 2, "two minutes are over");
    assert_eq!(limiter.known().1.len(), 2, "nobody asked for the third");
    limiter.learn(8, &[rule(Class::Write, Counted::Caller, None)]);
    assert_eq!([several(&ann, 9).await, several(&bob, 9).await], [9, 9]);
    assert_eq!(limiter.known().1.len(), 2, "the minute is over for which a tier is told that decides nothing");
    assert_eq!(limiter.known(), (8, vec![]));
}

#[tokio::test]
async fn the_tier_of_a_request_is_told_of_companies_that_are_certain() {
    let (limiter, clock) = limiter(RatesConfig::default());
    let company = CompanyId(Uuid::from_u128(10));
    assert_eq!(limiter.tier_of(company, false), None);
    assert_eq!(limiter.known(), (-1, vec![]), "what somebody only says is not followed");
    assert_eq!(limiter.tier_of(company, true), None);
    assert_eq!(limiter.known(), (-1, vec![company]));
    assert_eq!(limiter.known(), (-1, vec![]), "once a minute");
    let until = clock.now() + SignedDuration::from_secs(60);
    limiter.learn_tiers([(company, Tier { name: "pro".into(), until: Some(until) })]);
    assert_eq!([true, false].map(|is_certain| limiter.tier_of(company, is_certain)), [Some("pro".into()), Some("pro".into())]);
    clock.0.fetch_add(60, Ordering::SeqCst);
    assert_eq!(limiter.tier_of(company, true), Some("free".into()), "the minute is over");
    assert_eq!(limiter.known(), (-1, vec![company]));
}

#[tokio::test]
async fn a_company_together_uses_up_nobody_elses() {
    let (limiter, _) = limiter(RatesConfig::default());
    limiter.learn(1, &[rule(Class::Read, Counted::Company, Some(3))]);
    let (ann, bob, eve) = (user(1, Some(10)), user(2, Some(10)), user(3, Some(20)));
    for asker in [&ann, &bob, &ann] {
        assert_eq!(limiter.take(asker, &[Class::Read], 1).await.wait(), None);
    }
    let refused = limiter.take(&bob, &[Class::Read], 1).await;
    assert_eq!(refused.error().unwrap().details().unwrap()["counted"], "company");
    for _ in 0..3 {
        assert_eq!(limiter.take(&eve, &[Class::Read], 1).await.wait(), None);
    }
    assert_eq!(limiter.take(&user(4, None), &[Class::Read], 1).await.wait(), None, "and whoever works for none");
}

#[tokio::test]
async fn a_handler_counts_more_of_whoever_was_counted_and_gives_back() {
    let operations = vec!["make_report=report_generation".to_owned()];
    let (limiter, _) = limiter(RatesConfig { write_minute_max: 10, report_generation_minute_max: 2, operations, ..RatesConfig::default() });
    let ann = user(1, None);
    let meter = Meter::new(limiter.clone(), ann.clone(), Class::Write);
    let one = || limiter.take(&ann, &[Class::Write], 1);
    assert_eq!(one().await.wait(), None);
    meter.requests(8, ["read_it", "read_it"].into_iter()).await.unwrap();
    assert_eq!(one().await.wait(), None);
    meter.requests(1, ["make_report", "make_report"].into_iter()).await.unwrap();
    // One is left. A batch of two is one here and one more, whose report is one too many: all of it comes back.
    for _ in 0..3 {
        assert_eq!(limiter.look(&ann, Class::Write).await.wait(), None);
        assert_eq!(one().await.wait(), None);
        assert_eq!(meter.requests(2, std::iter::empty()).await.unwrap_err().code(), "RATE_LIMIT_EXCEEDED");
        assert_eq!(one().await.wait(), None);
        assert_eq!(meter.requests(1, ["make_report"].into_iter()).await.unwrap_err().details().unwrap()["limit"], "report_generation");
    }
    for _ in 0..3 {
        meter.give_back(Class::ReportGeneration, 2).await;
        meter.operation(Class::ReportGeneration, 2).await.unwrap();
        assert!(meter.operation(Class::ReportGeneration, 1).await.is_err());
    }
    assert_eq!(limiter.look(&user(2, None), Class::Write).await.wait(), None);
}

#[tokio::test]
async fn the_operators_programs_have_the_rate_that_he_set_for_them_and_no_other() {
    let service = |company: Option<u128>| {
        let company = company.map(|id| CompanyId(Uuid::from_u128(id)));
        Asker { whom: Whom::Service(company), company }
    };
    let (limiter, _) = limiter(RatesConfig { export_minute_max: 1, ..RatesConfig::default() });
    for _ in 0..100 {
        assert_eq!(limiter.take(&service(None), &[Class::Export, Class::Service], 1).await.wait(), None, "without one unless it is set");
    }
    // A key that names its company has a bucket of its own, and what is said of that company goes before what is said of all.
    let own = Rule { company: Some(CompanyId(Uuid::from_u128(8))), ..rule(Class::Service, Counted::Caller, Some(5)) };
    limiter.learn(1, &[rule(Class::Service, Counted::Caller, Some(2)), own]);
    let through = async |who: Asker| {
        let mut through = 0;
        while limiter.take(&who, &[Class::Export, Class::Service], 1).await.wait().is_none() {
            through += 1;
        }
        through
    };
    assert_eq!(through(service(None)).await, 2);
    assert_eq!(through(service(Some(7))).await, 2, "another key has its own");
    assert_eq!(through(service(Some(8))).await, 5);
    assert_eq!(limiter.take(&user(1, Some(8)), &[Class::Write], 1).await.wait(), None, "and people have theirs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_at_once_none_takes_what_another_one_took() {
    for _ in 0..50 {
        let (limiter, _) = limiter(RatesConfig { export_minute_max: 5, write_minute_max: 7, ..RatesConfig::default() });
        let asked = (0..20).map(|_| {
            let limiter = limiter.clone();
            tokio::spawn(async move { limiter.take(&user(1, None), &[Class::Export, Class::Write], 1).await.wait().is_none() })
        });
        let mut through = 0;
        for one in asked.collect::<Vec<_>>() {
            through += usize::from(one.await.unwrap());
        }
        assert_eq!(through, 5, "as many as the narrower one lets through");
        // Of the wider one those fifteen that were refused took nothing.
        assert_eq!(limiter.take(&user(1, None), &[Class::Write], 2).await.wait(), None);
        assert!(limiter.take(&user(1, None), &[Class::Write], 1).await.wait().is_some());
    }
}
