//! What one request may take: for all roles together, and for those that have numbers of their own.
//!
//! Invariant: a role's own number counts in place of the general one. What is more than that is refused with a code of its own, never
//! cut in silence; only the general limit of rows cuts, as the dialect has it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kernel::{Error, Kind, Result};

use crate::config::DataApiConfig;
use crate::request::ParseLimits;

/// The SQLSTATE of a statement that was given up.
const CANCELLED: &str = "57014";

/// What one request of a role may take.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// What the parser takes.
    pub(crate) parse: ParseLimits,
    /// Rows that one answer may have.
    pub(crate) rows: RowLimit,
    /// How long one statement may run, where the role has its own time.
    pub(crate) statement: Option<Duration>,
    /// What a plan may cost, in the planner's units; nothing where it is not asked.
    pub(crate) plan_cost_max: Option<u64>,
}

/// Rows that one answer may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RowLimit {
    /// How many.
    pub(crate) max: i64,
    /// Whether who asks for more is refused, and not given as many.
    pub(crate) refuses: bool,
}

/// The limits of every role.
#[derive(Debug)]
pub(crate) struct LimitsByRole {
    all: Limits,
    own: HashMap<String, Limits>,
}

impl LimitsByRole {
    pub(crate) fn new(config: &DataApiConfig) -> Self {
        let all = Limits {
            parse: config.parse_limits(),
            rows: RowLimit { max: rows(config.rows_max), refuses: false },
            statement: None,
            plan_cost_max: Some(config.plan_cost_max).filter(|cost| *cost > 0),
        };
        let mut own: HashMap<String, Limits> = HashMap::new();
        let mut set = |list: &[String], change: fn(&mut Limits, u64)| {
            for (role, number) in list.iter().filter_map(|text| pair(text)) {
                change(own.entry(role.to_owned()).or_insert_with(|| all.clone()), number);
            }
        };
        set(&config.role_statement_ms, |limits, ms| limits.statement = Some(Duration::from_millis(ms)));
        set(&config.role_rows_max, |limits, max| limits.rows = RowLimit { max: rows(max), refuses: true });
        set(&config.role_embed_depth_max, |limits, max| limits.parse.embed_depth_max = usize::try_from(max).unwrap_or(usize::MAX));
        set(&config.role_plan_cost_max, |limits, cost| limits.plan_cost_max = Some(cost).filter(|cost| *cost > 0));
        Self { all, own }
    }

    /// Returns what a role's requests may take.
    pub(crate) fn of(&self, role: &str) -> &Limits {
        self.own.get(role).unwrap_or(&self.all)
    }

    /// Returns what requests of roles without own numbers may take.
    pub(crate) fn general(&self) -> &Limits {
        &self.all
    }
}

impl Limits {
    /// Returns the time of a statement as PostgreSQL's setting has it.
    pub(crate) fn statement_timeout(&self) -> Option<Arc<str>> {
        self.statement.map(|time| time.as_millis().to_string().into())
    }

    /// Gives a statement that ran into the role's own time the code of that limit. `applied` is the time that its transaction had.
    pub(crate) fn timed(&self, error: Error, took: Duration, applied: Option<&str>) -> Error {
        match self.statement {
            Some(allowed) if error.code() == CANCELLED && took >= allowed && applied == self.statement_timeout().as_deref() => {
                let message = "The statement ran longer than this role's statements may";
                Error::new(Kind::Timeout, "statement_time_exceeded", message)
                    .with_details(format!("{} ms are allowed", allowed.as_millis()))
                    .with_source(error)
            }
            _ => error,
        }
    }
}

impl RowLimit {
    /// Returns how many rows are answered of those that are wanted.
    pub(crate) fn of(self, wanted: Option<i64>) -> Result<i64> {
        match wanted {
            Some(wanted) if wanted > self.max && self.refuses => {
                let message = "The request asks for more rows than this role's answers may have";
                Err(Error::new(Kind::BadRequest, "too_many_rows", message)
                    .with_hint(format!("At most {} rows may be asked for.", self.max)))
            }
            wanted => Ok(wanted.map_or(self.max, |wanted| wanted.min(self.max))),
        }
    }
}

/// Reads `role=number`.
pub(crate) fn pair(text: &str) -> Option<(&str, u64)> {
    let (role, number) = text.rsplit_once('=')?;
    Some((role.trim(), number.trim().parse().ok()?)).filter(|(role, _)| !role.is_empty())
}

fn rows(max: u64) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> LimitsByRole {
        let list = |text: &str| vec![text.to_owned()];
        LimitsByRole::new(&DataApiConfig {
            rows_max: 100,
            plan_cost_max: 5000,
            role_statement_ms: list("anon=50"),
            role_rows_max: list("anon = 7"),
            role_embed_depth_max: list("anon=2"),
            role_plan_cost_max: vec!["anon=10".to_owned(), "Odd=Role=0".to_owned()],
            ..DataApiConfig::default()
        })
    }

    #[test]
    fn a_roles_own_numbers_count_in_place_of_the_general_ones() {
        let limits = limits();
        let of = |role: &str| {
            let limits = limits.of(role);
            (limits.rows.max, limits.parse.embed_depth_max, limits.statement, limits.plan_cost_max)
        };
        assert_eq!(of("anon"), (7, 2, Some(Duration::from_millis(50)), Some(10)));
        assert_eq!(of("authenticated"), (100, 16, None, Some(5000)));
        assert_eq!(of("Odd=Role").3, None);
    }

    #[test]
    fn the_general_limit_cuts_and_that_of_a_role_refuses() {
        let limits = limits();
        let (anon, other) = (limits.of("anon").rows, limits.general().rows);
        assert_eq!((other.of(None).unwrap(), other.of(Some(3)).unwrap(), other.of(Some(101)).unwrap()), (100, 3, 100));
        assert_eq!((anon.of(None).unwrap(), anon.of(Some(7)).unwrap()), (7, 7));
        assert_eq!(anon.of(Some(8)).unwrap_err().code(), "too_many_rows");
    }

    #[test]
    fn only_a_statement_that_used_up_the_roles_time_has_its_code() {
        let limits = limits();
        let given_up = || Error::new(Kind::Internal, CANCELLED, "canceling statement due to statement timeout");
        let code =
            |role: &str, ms: u64, applied| limits.of(role).timed(given_up(), Duration::from_millis(ms), Some(applied)).code().to_owned();
        let codes = [code("anon", 50, "50"), code("anon", 49, "50"), code("anon", 50, "40ms"), code("service_role", 50, "50")];
        assert_eq!(codes, ["statement_time_exceeded", CANCELLED, CANCELLED, CANCELLED]);
        let other = limits.of("anon").timed(Error::new(Kind::Internal, "22012", "division by zero"), Duration::from_secs(1), Some("50"));
        assert_eq!(other.code(), "22012");
    }

    #[test]
    fn what_is_no_pair_is_none() {
        assert_eq!(pair("web_anon=100"), Some(("web_anon", 100)));
        for text in ["", "=1", "anon", "anon=", "anon=-1", "anon=x", " = 4"] {
            assert_eq!(pair(text), None, "{text}");
        }
    }
}
