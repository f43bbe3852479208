//! Schedules against results that were worked out by hand, and against a walk through every minute.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The next times of a schedule, as they stand in UTC.
fn next(schedule: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let (schedule, zone) = (Expression::parse(schedule).unwrap(), TimeZone::get(zone).unwrap());
    let mut moment = at(after);
    (0..count)
        .map(|_| {
            moment = schedule.next_after(moment, &zone).unwrap();
            moment.strftime("%Y-%m-%dT%H:%MZ").to_string()
        })
        .collect()
}

fn fault(schedule: &str) -> String {
    Expression::parse(schedule).unwrap_err().to_string()
}

#[test]
fn the_documented_schedules_come_when_they_say() {
    for (schedule, expected) in [
        ("*/5 * * * *", ["2026-11-22T03:40Z", "2026-11-22T03:45Z"]),
        ("0 * * * *", ["2026-11-22T04:00Z", "2026-11-22T05:00Z"]),
        ("0 2 * * *", ["2026-11-23T02:00Z", "2026-11-24T02:00Z"]),
        ("0 */6 * * *", ["2026-11-22T06:00Z", "2026-11-22T12:00Z"]),
        // The 22nd is a Sunday, and 02:00 is past.
        ("0 2 * * 0", ["2026-11-29T02:00Z", "2026-12-06T02:00Z"]),
        ("0 0 1 * *", ["2026-12-01T00:00Z", "2027-01-01T00:00Z"]),
        ("0 7 * * 1", ["2026-11-23T07:00Z", "2026-11-30T07:00Z"]),
        ("0 7 * * MON", ["2026-11-23T07:00Z", "2026-11-30T07:00Z"]),
        ("30 9 * jan,JUL mon-fri", ["2027-01-01T09:30Z", "2027-01-04T09:30Z"]),
        ("0 0 * * fri-sun", ["2026-11-27T00:00Z", "2026-11-28T00:00Z"]),
        ("0 0 * * 7", ["2026-11-29T00:00Z", "2026-12-06T00:00Z"]),
        ("15,45 8-10/2 * * *", ["2026-11-22T08:15Z", "2026-11-22T08:45Z"]),
        ("@hourly", ["2026-11-22T04:00Z", "2026-11-22T05:00Z"]),
        ("@Daily", ["2026-11-23T00:00Z", "2026-11-24T00:00Z"]),
        ("@midnight", ["2026-11-23T00:00Z", "2026-11-24T00:00Z"]),
        ("@weekly", ["2026-11-29T00:00Z", "2026-12-06T00:00Z"]),
        ("@monthly", ["2026-12-01T00:00Z", "2027-01-01T00:00Z"]),
        ("@yearly", ["2027-01-01T00:00Z", "2028-01-01T00:00Z"]),
        ("@annually", ["2027-01-01T00:00Z", "2028-01-01T00:00Z"]),
        // The last day of the month, the second Monday, the last Friday.
        ("0 12 L * *", ["2026-11-30T12:00Z", "2026-12-31T12:00Z"]),
        ("0 12 $ 2 *", ["2027-02-28T12:00Z", "2028-02-29T12:00Z"]),
        ("0 12 * * MON#2", ["2026-12-14T12:00Z", "2027-01-11T12:00Z"]),
        ("0 12 * * friL", ["2026-11-27T12:00Z", "2026-12-25T12:00Z"]),
    ] {
        assert_eq!(next(schedule, "UTC", "2026-11-22T03:36:41Z", 2), expected, "{schedule}");
    }
}

#[test]
fn where_both_sorts_of_days_are_said_either_is_enough() {
    // Every Friday, and every 13th.
    let expected = ["2026-11-27T00:00Z", "2026-12-04T00:00Z", "2026-12-11T00:00Z", "2026-12-13T00:00Z", "2026-12-18T00:00Z"];
    assert_eq!(next("0 0 13 * 5", "UTC", "2026-11-22T00:00:00Z", 5), expected);
    // A star on one side leaves the other alone.
    assert_eq!(next("0 0 13 * *", "UTC", "2026-11-22T00:00:00Z", 2), ["2026-12-13T00:00Z", "2027-01-13T00:00Z"]);
    // A star with a step is a star: odd days that are Fridays.
    assert_eq!(next("0 0 */2 * 5", "UTC", "2026-11-22T00:00:00Z", 2), ["2026-11-27T00:00Z", "2026-12-11T00:00Z"]);
}

#[test]
fn the_29th_of_february_comes_in_leap_years() {
    assert_eq!(next("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 2), ["2028-02-29T00:00Z", "2032-02-29T00:00Z"]);
    assert_eq!(next("0 0 29 2 *", "UTC", "2097-01-01T00:00:00Z", 1), ["2104-02-29T00:00Z"], "2100 is none");
    assert_eq!(next("0 0 28 2 *", "UTC", "2028-02-28T00:00:00Z", 1), ["2029-02-28T00:00Z"]);
    assert_eq!(next("0 0 31 * *", "UTC", "2026-11-01T00:00:00Z", 3), ["2026-12-31T00:00Z", "2027-01-31T00:00Z", "2027-03-31T00:00Z"]);
}

#[test]
fn what_is_no_schedule_is_refused_with_what_is_allowed() {
    for (schedule, part) in [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("* * * * * *", "five fields"),
        ("30 seconds", "five fields"),
        ("60 * * * *", "a minute, 0 to 59"),
        ("-1 * * * *", "a minute"),
        ("*/0 * * * *", "a minute"),
        ("5/10 * * * *", "a minute"),
        ("9-5 * * * *", "a minute"),
        ("1,,2 * * * *", "a minute"),
        ("+1 * * * *", "a minute"),
        ("001 * * * *", "a minute"),
        ("* 24 * * *", "an hour, 0 to 23"),
        ("* * 0 * *", "a day of the month"),
        ("* * 32 * *", "a day of the month"),
        ("* * ? * *", "a day of the month"),
        ("* * * 13 *", "a month"),
        ("* * * foo *", "a month"),
        ("* * * * 8", "a day of the week"),
        ("* * * * mon#6", "a day of the week"),
        ("* * * * sat-sun-mon", "a day of the week"),
        ("@reboot", "the start of a server is no time"),
        ("@never", "names are"),
        ("0 0 30 2 *", "no year"),
        ("0 0 31 2,4,6,9,11 *", "no year"),
    ] {
        assert!(fault(schedule).contains(part), "{schedule}: {}", fault(schedule));
    }
    assert!(fault(&"1,".repeat(200)).contains("200 letters"));
}

#[test]
fn a_time_that_the_clock_skips_comes_at_the_change_and_once() {
    // 2026-03-08 in New York: 02:00 EST is 03:00 EDT, at 07:00 UTC.
    let expected = ["2026-03-07T07:30Z", "2026-03-08T07:00Z", "2026-03-09T06:30Z"];
    assert_eq!(next("30 2 * * *", "America/New_York", "2026-03-07T00:00:00Z", 3), expected);
    // Both are at the change: one run.
    assert_eq!(next("0 2,3 * * *", "America/New_York", "2026-03-08T06:59:00Z", 2), ["2026-03-08T07:00Z", "2026-03-09T06:00Z"]);
    // Many times that are skipped are one.
    assert_eq!(next("*/10 2 * * *", "America/New_York", "2026-03-08T06:59:00Z", 2), ["2026-03-08T07:00Z", "2026-03-09T06:00Z"]);
    // 2026-03-29 in Berlin: 02:00 CET is 03:00 CEST, at 01:00 UTC.
    assert_eq!(next("15 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2), ["2026-03-29T01:00Z", "2026-03-30T00:15Z"]);
    // 2026-10-04 on Lord Howe: 02:00 is 02:30, at 15:30 UTC of the day before.
    assert_eq!(next("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", 2), ["2026-10-03T15:30Z", "2026-10-04T15:15Z"]);
    assert_eq!(next("45 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", 1), ["2026-10-03T15:45Z"]);
}

#[test]
fn a_time_that_comes_twice_counts_the_first_time() {
    // 2026-11-01 in New York: 02:00 EDT is 01:00 EST, at 06:00 UTC.
    let expected = ["2026-10-31T05:30Z", "2026-11-01T05:30Z", "2026-11-02T06:30Z"];
    assert_eq!(next("30 1 * * *", "America/New_York", "2026-10-31T00:00:00Z", 3), expected);
    // 2026-10-25 in Berlin: 03:00 CEST is 02:00 CET, at 01:00 UTC.
    assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2), ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]);
    // 2026-04-05 on Lord Howe: 02:00 is 01:30, at 15:00 UTC of the day before.
    assert_eq!(next("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", 2), ["2026-04-04T14:45Z", "2026-04-05T15:15Z"]);
}

#[test]
fn hours_that_are_a_star_follow_the_time_that_goes_by() {
    let through = ["2026-03-08T06:30Z", "2026-03-08T07:30Z", "2026-03-08T08:30Z"];
    assert_eq!(next("30 * * * *", "America/New_York", "2026-03-08T06:00:00Z", 3), through, "01:30, 03:30, 04:30");
    let twice = ["2026-11-01T05:30Z", "2026-11-01T06:30Z", "2026-11-01T07:30Z"];
    assert_eq!(next("30 * * * *", "America/New_York", "2026-11-01T05:00:00Z", 3), twice, "01:30, 01:30 again, 02:30");
    assert_eq!(next("0 */2 * * *", "Europe/Berlin", "2026-03-28T23:30:00Z", 2), ["2026-03-29T02:00Z", "2026-03-29T04:00Z"], "02:00 is not");
    let lord_howe = ["2026-04-04T14:45Z", "2026-04-04T15:15Z", "2026-04-04T16:15Z"];
    assert_eq!(next("45 * * * *", "Australia/Lord_Howe", "2026-04-04T14:00:00Z", 3), lord_howe, "01:45, 01:45 again, 02:45");
}

#[test]
fn a_zone_without_changes_has_none() {
    // Kolkata is 5:30 ahead, all year.
    for (after, expected) in [("2026-03-29T00:00:00Z", "2026-03-29T20:45Z"), ("2026-10-25T00:00:00Z", "2026-10-25T20:45Z")] {
        assert_eq!(next("15 2 * * *", "Asia/Kolkata", after, 1), [expected]);
    }
    // In Santiago midnight itself is skipped, 2026-09-06 at 04:00 UTC.
    assert_eq!(next("0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", 2), ["2026-09-06T04:00Z", "2026-09-07T03:00Z"]);
}

const REACH: Reach = Reach { late: Duration::from_mins(1), window: Duration::from_hours(24), runs_max: 100 };

fn due_times(schedule: &str, planned: &str, now: &str, missed: Missed, reach: Reach) -> (Vec<String>, String) {
    let due = due(&Expression::parse(schedule).unwrap(), &TimeZone::UTC, (at(planned), at(now)), missed, reach);
    (due.runs.iter().map(ToString::to_string).collect(), due.next.unwrap().to_string())
}

#[test]
fn missed_times_are_passed_over_made_up_for_once_or_all() {
    let hours = |missed| due_times("0 * * * *", "2026-11-22T01:00:00Z", "2026-11-22T04:10:00Z", missed, REACH);
    let next = "2026-11-22T05:00:00Z".to_owned();
    assert_eq!(hours(Missed::Skip), (vec![], next.clone()));
    assert_eq!(hours(Missed::One), (vec!["2026-11-22T04:00:00Z".to_owned()], next.clone()));
    let all = ["01", "02", "03", "04"].map(|hour| format!("2026-11-22T{hour}:00:00Z")).to_vec();
    assert_eq!(hours(Missed::All), (all, next));
}

#[test]
fn what_is_late_by_less_than_a_minute_was_not_missed() {
    for missed in [Missed::Skip, Missed::One, Missed::All] {
        let told = due_times("0 * * * *", "2026-11-22T01:00:00Z", "2026-11-22T01:00:59Z", missed, REACH);
        assert_eq!(told, (vec!["2026-11-22T01:00:00Z".to_owned()], "2026-11-22T02:00:00Z".to_owned()), "{missed:?}");
    }
    let early = due_times("0 * * * *", "2026-11-22T01:00:00Z", "2026-11-22T00:59:59Z", Missed::All, REACH);
    assert_eq!(early, (vec![], "2026-11-22T01:00:00Z".to_owned()));
}

#[test]
fn what_is_made_up_for_has_an_end() {
    let window = Reach { window: Duration::from_hours(2), ..REACH };
    let (runs, _) = due_times("0 * * * *", "2026-11-01T00:00:00Z", "2026-11-22T04:10:00Z", Missed::All, window);
    assert_eq!(runs, ["2026-11-22T03:00:00Z", "2026-11-22T04:00:00Z"]);
    let few = Reach { runs_max: 3, ..REACH };
    let (runs, next) = due_times("* * * * *", "2026-11-22T00:00:00Z", "2026-11-22T04:10:30Z", Missed::All, few);
    assert_eq!(runs, ["2026-11-22T04:08:00Z", "2026-11-22T04:09:00Z", "2026-11-22T04:10:00Z"]);
    assert_eq!(next, "2026-11-22T04:11:00Z");
    // Once a year, and the server was away for two months: it is made up for however long ago it was.
    let (runs, next) = due_times("@yearly", "2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", Missed::One, REACH);
    assert_eq!((runs, next.as_str()), (vec!["2026-01-01T00:00:00Z".to_owned()], "2027-01-01T00:00:00Z"));
}

/// A field as it is written, and the values that it means.
fn field(low: i8, high: i8) -> impl Strategy<Value = (String, Vec<i8>)> {
    let all = move || (low..=high).collect::<Vec<i8>>();
    prop_oneof![
        2 => Just(("*".to_owned(), all())),
        1 => (1..=high).prop_map(move |step| (format!("*/{step}"), (low..=high).step_by(step.unsigned_abs().into()).collect())),
        3 => (low..=high).prop_map(|value| (value.to_string(), vec![value])),
        1 => (low..=high, low..=high).prop_map(|(one, other)| {
            let (low, high) = (one.min(other), one.max(other));
            (format!("{low}-{high}"), (low..=high).collect())
        }),
        1 => (low..=high, low..=high).prop_map(|(one, other)| (format!("{one},{other}"), vec![one, other])),
    ]
}

/// What a schedule means, said in another way than the code under test does.
struct Meaning {
    fields: [(String, Vec<i8>); 5],
}

impl Meaning {
    fn has(&self, place: usize, value: i8) -> bool {
        self.fields[place].1.contains(&value)
    }

    fn is_star(&self, place: usize) -> bool {
        self.fields[place].0.starts_with('*')
    }

    fn names(&self, time: DateTime) -> bool {
        let (day, weekday) = (self.has(2, time.day()), self.has(4, time.weekday().to_sunday_zero_offset()));
        let is_day = if self.is_star(2) || self.is_star(4) { day && weekday } else { day || weekday };
        self.has(0, time.minute()) && self.has(1, time.hour()) && self.has(3, time.month()) && is_day
    }

    /// Whether it comes at a moment, by the clock that somebody looks at each minute.
    fn comes(&self, moment: Timestamp, zone: &TimeZone) -> bool {
        let clock = |moment: Timestamp| zone.to_datetime(moment);
        let (before, now) = (clock(moment - 1.minutes()), clock(moment));
        if self.is_star(1) {
            return self.names(now);
        }
        // What the clock jumped over.
        let mut skipped = before + 1.minutes();
        while skipped < now {
            if self.names(skipped) {
                return true;
            }
            skipped += 1.minutes();
        }
        // A time that the clock showed a little while ago, too, is the second one.
        let is_second = || (1..=180).any(|minutes: i64| clock(moment - minutes.minutes()) == now);
        self.names(now) && !is_second()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn it_comes_when_a_walk_through_every_minute_says(
        minute in field(0, 59), hour in field(0, 23), day in field(1, 31), month in field(1, 12), weekday in field(0, 6),
        zone in prop::sample::select(vec!["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "America/Santiago"]),
        // Around the changes of these zones, and anywhere.
        start in prop_oneof![
            prop::sample::select(vec!["2026-03-07T20:00:00Z", "2026-10-31T20:00:00Z", "2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z",
                "2026-10-03T06:00:00Z", "2026-04-04T06:00:00Z", "2026-09-05T20:00:00Z"]).prop_map(at),
            (1_700_000_000_i64..1_900_000_000).prop_map(|second| Timestamp::from_second(second).unwrap()),
        ],
    ) {
        let meaning = Meaning { fields: [minute, hour, day, month, weekday] };
        let schedule = meaning.fields.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(" ");
        let Ok(read) = Expression::parse(&schedule) else { return Ok(()) };
        let zone = TimeZone::get(zone).unwrap();
        let end = start + 48.hours();
        let first_minute = Timestamp::from_second(start.as_second().div_euclid(60) * 60 + 60).unwrap();
        let mut walked = Vec::new();
        let mut moment = first_minute;
        while moment <= end {
            if meaning.comes(moment, &zone) {
                walked.push(moment);
            }
            moment += 1.minutes();
        }
        let mut found = Vec::new();
        let mut last = start;
        while let Some(next) = read.next_after(last, &zone).filter(|next| *next <= end) {
            found.push(next);
            last = next;
        }
        prop_assert_eq!(found, walked, "{} from {}", schedule, start);
    }
}
