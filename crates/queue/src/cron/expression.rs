//! Schedules as they are written: five fields, or a name as `@daily`.
//!
//! Invariant: what is accepted here is what `app.cron_fault` accepts, and a schedule that names a day which no year has is none.

use std::fmt;

use jiff::civil::Date;

/// Letters of a schedule.
const LENGTH_MAX: usize = 200;
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// Days of each month in the longest year.
const DAYS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Why a text is no schedule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvalidSchedule(&'static str);

impl fmt::Display for InvalidSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidSchedule {}

/// A schedule that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expression {
    pub(super) minutes: Vec<i8>,
    pub(super) hours: Vec<i8>,
    /// Whether the hours were written with a star: such entries follow the time that goes by.
    pub(super) is_hourly: bool,
    /// Bit 0 is the last day, whichever that is.
    days: u32,
    has_any_day: bool,
    months: u32,
    weekdays: u32,
    /// Of each weekday the first (bit 1) to fifth, and the last (bit 0) of a month.
    weekdays_of_month: [u8; 7],
    has_any_weekday: bool,
}

impl Expression {
    /// Reads a schedule.
    pub fn parse(text: &str) -> Result<Self, InvalidSchedule> {
        let text = text.trim_matches(|letter: char| letter.is_ascii_whitespace()).to_ascii_lowercase();
        if text.len() > LENGTH_MAX {
            return Err(InvalidSchedule("a schedule has up to 200 letters"));
        }
        let text = match text.as_str() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            "@reboot" => return Err(InvalidSchedule("the start of a server is no time")),
            named if named.starts_with('@') => {
                return Err(InvalidSchedule("names are @yearly, @monthly, @weekly, @daily and @hourly"));
            }
            fields => fields,
        };
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let &[minute, hour, day, month, weekday] = fields.as_slice() else {
            return Err(InvalidSchedule("a schedule has five fields: minute, hour, day of the month, month, day of the week"));
        };
        let minutes = set(minute, 0..=59, &[]).ok_or(InvalidSchedule("the first field is a minute, 0 to 59"))?;
        let hours = set(hour, 0..=23, &[]).ok_or(InvalidSchedule("the second field is an hour, 0 to 23"))?;
        let days = days_of(day).ok_or(InvalidSchedule("the third field is a day of the month, 1 to 31, or L for the last"))?;
        let months = set(month, 1..=12, &MONTHS).ok_or(InvalidSchedule("the fourth field is a month, 1 to 12 or jan to dec"))?;
        let (weekdays, weekdays_of_month) =
            weekdays_of(weekday).ok_or(InvalidSchedule("the fifth field is a day of the week, 0 to 7 or sun to sat"))?;
        let read = Self {
            minutes: listed(minutes),
            hours: listed(u64::from(u32::try_from(hours).unwrap_or(0))),
            is_hourly: hour.starts_with('*'),
            days,
            has_any_day: day.starts_with('*'),
            months: u32::try_from(months).unwrap_or(0),
            weekdays,
            weekdays_of_month,
            has_any_weekday: weekday.starts_with('*'),
        };
        if read.comes() { Ok(read) } else { Err(InvalidSchedule("no year has such a day")) }
    }

    /// Tells whether it is a day of the schedule: where both sorts of days are said, either is enough.
    pub(super) fn is_day(&self, date: Date) -> bool {
        let month = u32::from(date.month().unsigned_abs());
        if self.months & (1 << month) == 0 {
            return false;
        }
        let is_last_day = date.day() == date.days_in_month();
        let is_of_month = self.days & (1 << u32::from(date.day().unsigned_abs())) != 0 || is_last_day && self.days & 1 != 0;
        let weekday = date.weekday().to_sunday_zero_offset().unsigned_abs();
        let is_last = date.day() + 7 > date.days_in_month();
        let place = date.day().unsigned_abs().div_ceil(7);
        let named = self.weekdays_of_month.get(usize::from(weekday)).copied().unwrap_or(0);
        let is_of_week = self.weekdays & (1 << u32::from(weekday)) != 0 || named & (1 << place) != 0 || is_last && named & 1 != 0;
        if self.has_any_day || self.has_any_weekday { is_of_month && is_of_week } else { is_of_month || is_of_week }
    }

    /// Tells whether some year has such a day.
    fn comes(&self) -> bool {
        let is_restricted = !self.has_any_weekday;
        is_restricted
            || self.days & 1 != 0
            || DAYS
                .iter()
                .zip(1..)
                .any(|(days, month)| self.months & (1 << month) != 0 && (1..=*days).any(|day| self.days & (1 << day) != 0))
    }
}

/// Reads a list of values, ranges and steps.
fn set(field: &str, allowed: std::ops::RangeInclusive<u8>, names: &[&str]) -> Option<u64> {
    let mut bits = 0;
    for item in field.split(',') {
        bits |= item_of(item, &allowed, names)?;
    }
    Some(bits)
}

fn item_of(item: &str, allowed: &std::ops::RangeInclusive<u8>, names: &[&str]) -> Option<u64> {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(number(step)?)),
        None => (item, None),
    };
    let (low, high) = if range == "*" {
        // Sunday is 0 and 7: a star means it once.
        (*allowed.start(), if names == WEEKDAYS.as_slice() { 6 } else { *allowed.end() })
    } else if let Some((low, high)) = range.split_once('-') {
        let low = value(low, *allowed.start(), names)?;
        let high_value = value(high, *allowed.start(), names)?;
        (low, if names == WEEKDAYS.as_slice() && high == "sun" && low > 0 { 7 } else { high_value })
    } else if step.is_some() {
        return None;
    } else {
        let value = value(range, *allowed.start(), names)?;
        (value, value)
    };
    let step = step.unwrap_or(1);
    if !allowed.contains(&low) || !allowed.contains(&high) || low > high || !(1..=*allowed.end()).contains(&step) {
        return None;
    }
    Some((low..=high).step_by(usize::from(step)).fold(0, |bits, value| bits | 1 << value))
}

/// Reads a number of one or two digits.
fn number(text: &str) -> Option<u8> {
    let is_short = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_short.then(|| text.parse().ok()).flatten()
}

fn value(text: &str, first: u8, names: &[&str]) -> Option<u8> {
    number(text)
        .or_else(|| names.iter().position(|name| *name == text).and_then(|place| u8::try_from(place).ok()).map(|place| place + first))
}

fn days_of(field: &str) -> Option<u32> {
    let mut days = 0;
    for item in field.split(',') {
        days |= match item {
            "l" | "$" => 1,
            item => u32::try_from(item_of(item, &(1..=31), &[])?).ok()?,
        };
    }
    Some(days)
}

fn weekdays_of(field: &str) -> Option<(u32, [u8; 7])> {
    let (mut weekdays, mut of_month) = (0, [0_u8; 7]);
    for item in field.split(',') {
        let named = match item.split_once('#') {
            Some((day, place)) => Some((day, number(place).filter(|place| (1..=5).contains(place))?)),
            None => item.strip_suffix('l').map(|day| (day, 0)),
        };
        if let Some((day, place)) = named {
            let day = value(day, 0, &WEEKDAYS).filter(|day| *day <= 7)? % 7;
            *of_month.get_mut(usize::from(day))? |= 1 << place;
            continue;
        }
        weekdays |= u32::try_from(item_of(item, &(0..=7), &WEEKDAYS)?).ok()?;
    }
    // Both numbers of Sunday are one.
    Some(((weekdays | weekdays >> 7) & 0x7f, of_month))
}

fn listed(bits: u64) -> Vec<i8> {
    (0..64).filter(|bit| bits & (1 << bit) != 0).collect()
}
