//! How values are compared, as PostgreSQL writes them in text.
//!
//! Invariant: both sides were written by PostgreSQL, so that what is equal of a type that is written one way is the same text. Text is
//! ordered as the collation C orders it.

use std::cmp::Ordering;

use super::super::tables::Column;

/// Types that are compared in one way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::changes) enum Family {
    /// Whole numbers.
    Whole,
    /// Numbers of any length.
    Decimal,
    /// Numbers that are not exact.
    Float,
    /// Texts.
    Text,
    /// Texts of a fixed length, which spaces fill.
    Padded,
    /// Words of a list, which are ordered as the list is.
    Word,
    Uuid,
    Bool,
    /// Moments and days.
    Moment,
    /// Times of a day.
    Clock,
    /// What is not compared here.
    Other,
}

impl Family {
    /// Returns how values of a column are compared.
    pub(in crate::changes) fn of(column: &Column) -> Self {
        match &*column.base {
            "int2" | "int4" | "int8" | "oid" => Self::Whole,
            "numeric" => Self::Decimal,
            "float4" | "float8" => Self::Float,
            "text" | "varchar" | "name" => Self::Text,
            "bpchar" => Self::Padded,
            "uuid" => Self::Uuid,
            "bool" => Self::Bool,
            "timestamptz" | "timestamp" | "date" => Self::Moment,
            "time" => Self::Clock,
            _ if &*column.sort == "e" => Self::Word,
            _ => Self::Other,
        }
    }

    /// Tells whether its values have an order that is known here.
    pub(super) fn has_order(self) -> bool {
        !matches!(self, Self::Word | Self::Padded | Self::Other)
    }

    /// Tells whether equal values are the same text.
    pub(super) fn is_written_one_way(self) -> bool {
        matches!(self, Self::Whole | Self::Text | Self::Word | Self::Uuid | Self::Bool)
    }

    /// Tells whether two values are equal.
    pub(super) fn is_equal(self, a: &str, b: &str) -> bool {
        match self {
            Self::Padded => a.trim_end_matches(' ') == b.trim_end_matches(' '),
            Self::Decimal | Self::Float | Self::Moment => a == b || self.order(a, b) == Some(Ordering::Equal),
            Self::Whole | Self::Text | Self::Word | Self::Uuid | Self::Bool | Self::Clock | Self::Other => a == b,
        }
    }

    /// Returns the order of two values; nothing where one cannot be read.
    pub(super) fn order(self, a: &str, b: &str) -> Option<Ordering> {
        match self {
            Self::Whole => Some(a.parse::<i128>().ok()?.cmp(&b.parse().ok()?)),
            Self::Decimal => decimal(a, b),
            Self::Float => Some(total(a.parse().ok()?, b.parse().ok()?)),
            Self::Moment => Some(moment(a)?.cmp(&moment(b)?)),
            Self::Text | Self::Uuid | Self::Bool | Self::Clock => Some(a.as_bytes().cmp(b.as_bytes())),
            Self::Padded | Self::Word | Self::Other => None,
        }
    }
}

/// What is not a number comes last, as PostgreSQL has it.
fn total(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Orders numbers of any length without losing a digit.
fn decimal(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (Decimal::read(a)?, Decimal::read(b)?);
    Some(a.rank.cmp(&b.rank).then_with(|| {
        let order = a.whole.len().cmp(&b.whole.len()).then_with(|| a.whole.cmp(b.whole)).then_with(|| a.rest.cmp(b.rest));
        if a.rank < 0 { order.reverse() } else { order }
    }))
}

struct Decimal<'a> {
    /// -2 is without end below, -1 below zero, 0 zero, 1 above, 2 without end, 3 not a number.
    rank: i8,
    whole: &'a str,
    rest: &'a str,
}

impl<'a> Decimal<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let rank = |rank| Some(Self { rank, whole: "", rest: "" });
        match text {
            "NaN" => return rank(3),
            "Infinity" => return rank(2),
            "-Infinity" => return rank(-2),
            _ => {}
        }
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
        let (whole, rest) = (whole.trim_start_matches('0'), rest.trim_end_matches('0'));
        if !whole.bytes().chain(rest.bytes()).all(|byte| byte.is_ascii_digit()) || digits.is_empty() {
            return None;
        }
        Some(Self { rank: if whole.is_empty() && rest.is_empty() { 0 } else { sign }, whole, rest })
    }
}

/// Returns the microseconds since the year 0 of a moment or a day, as PostgreSQL writes them in the style ISO.
fn moment(text: &str) -> Option<i128> {
    match text {
        "infinity" => return Some(i128::MAX),
        "-infinity" => return Some(i128::MIN),
        _ => {}
    }
    let (text, is_before) = text.strip_suffix(" BC").map_or((text, false), |text| (text, true));
    let (day, clock) = text.split_once(' ').map_or((text, None), |(day, clock)| (day, Some(clock)));
    let mut parts = day.split('-');
    let mut number = || parts.next()?.parse::<i128>().ok();
    let (year, month, day) = (number()?, number()?, number()?);
    // The year before 1 is called 1 BC.
    let year = if is_before { 1_i128.checked_sub(year)? } else { year };
    let seconds = days(year, month, day)?.checked_mul(86_400)?;
    let micros = seconds.checked_mul(1_000_000)?;
    match clock {
        None => Some(micros),
        Some(clock) => {
            let zone = clock.find(['+', '-']);
            let (clock, zone) = zone.and_then(|place| clock.split_at_checked(place)).unwrap_or((clock, ""));
            let offset = match zone.strip_prefix('-') {
                Some(zone) => part_of_day(zone)?.checked_neg()?,
                None => part_of_day(zone.strip_prefix('+').unwrap_or("0"))?,
            };
            micros.checked_add(part_of_day(clock)?)?.checked_sub(offset)
        }
    }
}

/// Returns the days of a date since the beginning of the year 0.
fn days(year: i128, month: i128, day: i128) -> Option<i128> {
    // A year that begins in March has its odd day at its end.
    let (year, month) = if month <= 2 { (year.checked_sub(1)?, month.checked_add(9)?) } else { (year, month.checked_sub(3)?) };
    let leaps = year.div_euclid(4).checked_sub(year.div_euclid(100))?.checked_add(year.div_euclid(400))?;
    let within = month.checked_mul(153)?.checked_add(2)?.checked_div(5)?.checked_add(day)?;
    year.checked_mul(365)?.checked_add(leaps)?.checked_add(within)
}

/// Returns the microseconds of `HH[:MM[:SS[.fraction]]]`.
fn part_of_day(text: &str) -> Option<i128> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut micros = 0_i128;
    let mut unit = 3_600_000_000_i128;
    for part in clock.split(':') {
        micros = micros.checked_add(part.parse::<i128>().ok()?.checked_mul(unit)?)?;
        unit = unit.checked_div(60)?;
    }
    if !fraction.is_empty() {
        micros = micros.checked_add(format!("{fraction:0<6}").get(..6)?.parse().ok()?)?;
    }
    Some(micros)
}

/// A pattern of LIKE: `%` stands for anything, also written `*`, `_` for one character.
#[derive(Debug)]
pub(super) struct Pattern {
    pieces: Box<[Piece]>,
    is_insensitive: bool,
}

#[derive(PartialEq, Eq, Debug)]
enum Piece {
    Any,
    One,
    Is(char),
}

impl Pattern {
    pub(super) fn new(text: &str, is_insensitive: bool) -> Self {
        let (mut pieces, mut rest) = (Vec::new(), text.chars());
        while let Some(c) = rest.next() {
            let piece = match c {
                '%' | '*' => Piece::Any,
                '_' => Piece::One,
                '\\' => Piece::Is(rest.next().unwrap_or('\\')),
                other => Piece::Is(other),
            };
            if !is_insensitive {
                pieces.push(piece);
            } else if let Piece::Is(c) = piece {
                pieces.extend(c.to_lowercase().map(Piece::Is));
            } else {
                pieces.push(piece);
            }
        }
        Self { pieces: pieces.into(), is_insensitive }
    }

    /// Tells whether a text fits. Takes at most as many steps as pattern and text are long, multiplied.
    pub(super) fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = if self.is_insensitive { text.to_lowercase().chars().collect() } else { text.chars().collect() };
        let (mut at, mut piece, mut again) = (0_usize, 0_usize, None);
        while let Some(c) = text.get(at) {
            match self.pieces.get(piece) {
                Some(Piece::Any) => {
                    again = Some((piece, at));
                    piece = piece.saturating_add(1);
                    continue;
                }
                Some(Piece::One) => {}
                Some(Piece::Is(wanted)) if wanted == c => {}
                _ => {
                    let Some((any, from)) = again else { return false };
                    let from = from.saturating_add(1);
                    again = Some((any, from));
                    (piece, at) = (any.saturating_add(1), from);
                    continue;
                }
            }
            (piece, at) = (piece.saturating_add(1), at.saturating_add(1));
        }
        self.pieces.get(piece..).is_some_and(|rest| rest.iter().all(|piece| *piece == Piece::Any))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_ordered_as_their_type_is() {
        use Ordering::{Equal, Greater, Less};
        for (family, a, b, order) in [
            (Family::Whole, "9", "10", Less),
            (Family::Whole, "-9", "-10", Greater),
            (Family::Decimal, "9.5", "10", Less),
            (Family::Decimal, "1.50", "1.5", Equal),
            (Family::Decimal, "-1.5", "-1.25", Less),
            (Family::Decimal, "0.001", "0.01", Less),
            (Family::Decimal, "-0.5", "0", Less),
            (Family::Decimal, "12345678901234567890.1", "12345678901234567890.2", Less),
            (Family::Decimal, "NaN", "Infinity", Greater),
            (Family::Decimal, "-Infinity", "-5", Less),
            (Family::Float, "1e10", "5", Greater),
            (Family::Float, "NaN", "Infinity", Greater),
            (Family::Text, "Z", "a", Less),
            (Family::Bool, "f", "t", Less),
            (Family::Clock, "09:00:00", "10:00:00", Less),
            (Family::Moment, "2026-01-02 03:04:05+00", "2026-01-02 03:04:05.1+00", Less),
            (Family::Moment, "2026-01-02 03:04:05+02", "2026-01-02 01:04:05+00", Equal),
            (Family::Moment, "2026-01-02 03:04:05-05:30", "2026-01-02 08:34:05+00", Equal),
            (Family::Moment, "2026-03-01", "2026-02-28", Greater),
            (Family::Moment, "10000-01-01", "9999-12-31", Greater),
            (Family::Moment, "0001-01-01 BC", "0001-01-01", Less),
            (Family::Moment, "-infinity", "0044-03-15 BC", Less),
        ] {
            assert_eq!(family.order(a, b), Some(order), "{a} {b}");
            assert_eq!(family.order(b, a), Some(order.reverse()), "{b} {a}");
        }
        assert_eq!(moment("1970-01-01 00:00:00+00").unwrap() - moment("0000-03-01").unwrap(), 719_468 * 86_400_000_000);
        assert!(Family::Padded.is_equal("ab  ", "ab") && !Family::Text.is_equal("ab ", "ab"));
        assert_eq!(Family::Moment.order("soon", "2026-01-01"), None);
    }

    #[test]
    fn patterns_fit_as_those_of_like() {
        for (pattern, text, fits) in [
            ("a%", "abc", true),
            ("a*c", "abc", true),
            ("a_c", "abc", true),
            ("a_c", "abbc", false),
            ("%b%", "abc", true),
            ("%bc%bd", "abcabd", true),
            ("%bc%bd", "abcabe", false),
            ("%b%d", "abcabd", true),
            ("", "", true),
            ("", "a", false),
            ("%", "", true),
            ("a\\%", "a%", true),
            ("a\\%", "ab", false),
            ("ABC", "abc", false),
            ("\u{fc}_", "\u{fc}x", true),
        ] {
            assert_eq!(Pattern::new(pattern, false).fits(text), fits, "{pattern} {text}");
        }
        assert!(Pattern::new("A\u{dc}%", true).fits("a\u{fc}b"));
    }
}
