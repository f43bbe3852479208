//! What the planner expects of a request's rows: how many, how wide, at which cost. It is asked once for each shape of request, and what it
//! said is kept for a while.
//!
//! Invariant: bounded in number and in age. A shape is the text of the statement, the role that runs it and how large its limit is: values
//! are no part of it, so that one answer stands for many requests and may be wrong for one of them. Who sees what came of it says so
//! ([`Estimates::saw`]); nothing that must be true hangs on an estimate.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use kernel::{Error, Grant, RequestContext, Result};
use lru::LruCache;
use postgres::{Access, Database, Sql};
use serde_json::Value;

/// What the planner expects of a statement.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Estimate {
    /// Rows that it gives.
    pub(crate) rows: u64,
    /// Bytes of one of them as PostgreSQL keeps it, embedded rows included.
    pub(crate) row_bytes: u64,
    /// What it costs, in the planner's own unit.
    pub(crate) cost: f64,
}

/// What requests have in common that are planned alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Shape([u8; 32]);

/// For whom the planner is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    /// The caller: the planner sees what his policies leave.
    pub(crate) grant: &'a Grant,
    /// What SQL may know of his request.
    pub(crate) context: &'a RequestContext,
    /// Whether the statement may write.
    pub(crate) access: Access,
}

/// What is known of shapes.
#[derive(Debug)]
pub(crate) struct Estimates {
    known: Mutex<LruCache<Shape, Known>>,
    age_max: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    estimate: Estimate,
    since: Instant,
}

impl Estimates {
    /// Keeps so many of them, each for so long.
    pub(crate) fn new(count_max: NonZeroUsize, age_max: Duration) -> Self {
        Self { known: Mutex::new(LruCache::new(count_max)), age_max }
    }

    /// Returns the shape of a statement that gives no more than so many rows, and what is known of it.
    pub(crate) fn of(&self, grant: &Grant, statement: &Sql, rows_max: i64) -> (Shape, Option<Estimate>) {
        let shape = Shape::of(grant, statement, rows_max);
        (shape, self.known(shape))
    }

    /// Learns what is expected of a shape: `explain` asks the planner in JSON.
    pub(crate) async fn learn(&self, shape: Shape, database: &Database, asker: Asker<'_>, explain: Sql) -> Result<Estimate> {
        let said = Box::pin(database.explain(asker.grant, asker.context, asker.access, explain)).await?;
        let estimate = Estimate::read(&said)?;
        self.keep(shape, estimate);
        Ok(estimate)
    }

    /// Takes what came of a request into account: the next one of its shape is expected to be no smaller.
    pub(crate) fn saw(&self, shape: Shape, rows: u64, bytes: u64) {
        let mut known = self.lock();
        if let Some(Known { estimate, .. }) = known.peek_mut(&shape)
            && bytes > estimate.bytes()
        {
            estimate.rows = rows.max(1);
            estimate.row_bytes = bytes.div_ceil(rows.max(1));
        }
    }

    fn known(&self, shape: Shape) -> Option<Estimate> {
        let mut known = self.lock();
        known.get(&shape).filter(|known| known.since.elapsed() < self.age_max).map(|known| known.estimate)
    }

    fn keep(&self, shape: Shape, estimate: Estimate) {
        self.lock().put(shape, Known { estimate, since: Instant::now() });
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Shape, Known>> {
        // Nothing that holds it can leave it half changed.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shape {
    fn of(grant: &Grant, statement: &Sql, rows_max: i64) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        let role = grant.principal().database_role();
        context.update(&role.len().to_be_bytes());
        context.update(role.as_bytes());
        // Limits of about the same size are planned alike.
        context.update(&rows_max.max(0).leading_zeros().to_be_bytes());
        statement.outline(|part| context.update(part));
        let mut shape = [0; 32];
        for (to, from) in shape.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        Self(shape)
    }
}

impl Estimate {
    /// Returns how many bytes all rows have together.
    pub(crate) fn bytes(&self) -> u64 {
        self.rows.saturating_mul(self.row_bytes)
    }

    /// Reads an EXPLAIN in JSON.
    fn read(said: &str) -> Result<Self> {
        let said: Value = serde_json::from_str(said).map_err(Error::internal)?;
        let plan = said.pointer("/0/Plan").ok_or_else(|| Error::internal("an explanation without a plan"))?;
        let cost = plan.get("Total Cost").and_then(Value::as_f64).unwrap_or_default();
        Ok(Self { rows: number(plan, "Plan Rows"), row_bytes: row_bytes(plan), cost })
    }
}

/// A row is as wide as the planner says, but for what is embedded: of an array of rows it knows no width, and of those in it it does.
fn row_bytes(plan: &Value) -> u64 {
    embedded_bytes(plan).saturating_add(number(plan, "Plan Width"))
}

fn embedded_bytes(plan: &Value) -> u64 {
    below(plan).map(|part| if role(part) == "SubPlan" { array_bytes(part) } else { embedded_bytes(part) }).fold(0, u64::saturating_add)
}

/// Rows become an array by an aggregate; whatever else is asked for each row is no part of it.
fn array_bytes(plan: &Value) -> u64 {
    let is_array = plan.get("Node Type").and_then(Value::as_str) == Some("Aggregate");
    let rows = below(plan).filter(|part| is_array && role(part) != "SubPlan");
    rows.map(|part| number(part, "Plan Rows").saturating_mul(row_bytes(part))).fold(0, u64::saturating_add)
}

fn below(plan: &Value) -> impl Iterator<Item = &Value> {
    // What is asked once for all rows is no part of any.
    plan.get("Plans").and_then(Value::as_array).into_iter().flatten().filter(|part| role(part) != "InitPlan")
}

fn role(plan: &Value) -> &str {
    plan.get("Parent Relationship").and_then(Value::as_str).unwrap_or_default()
}

fn number(plan: &Value, name: &str) -> u64 {
    plan.get(name).and_then(Value::as_u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests are where a process starts")]
    use super::*;
    use kernel::Authority;

    fn estimates(count: usize) -> Estimates {
        Estimates::new(NonZeroUsize::new(count).unwrap(), Duration::from_hours(1))
    }

    fn shape(text: &'static str, value: &str, rows_max: i64) -> Shape {
        let grant = Grant::system(&Authority::establish(), None, "a test");
        let mut sql = Sql::new(text);
        sql.bind(value);
        Shape::of(&grant, &sql, rows_max)
    }

    #[test]
    fn values_are_no_part_of_a_shape_and_the_size_of_the_limit_is() {
        let usual = shape("select 1 where 'a' = ", "a", 1000);
        assert_eq!(usual, shape("select 1 where 'a' = ", "b", 999));
        assert_ne!(usual, shape("select 1 where 'a' = ", "a", 100_000));
        assert_ne!(usual, shape("select 2 where 'a' = ", "a", 1000));
    }

    #[test]
    fn the_least_used_one_goes_and_what_came_of_one_is_remembered() {
        let estimates = estimates(2);
        let shapes = ["a", "b", "c"].map(|text| shape(text, "", 1));
        let said = Estimate { rows: 10, row_bytes: 100, cost: 7.0 };
        estimates.keep(shapes[0], said);
        estimates.saw(shapes[0], 5, 999);
        assert_eq!(estimates.known(shapes[0]), Some(said), "fewer than were expected");
        estimates.saw(shapes[0], 3, 10_000);
        assert_eq!(estimates.known(shapes[0]), Some(Estimate { rows: 3, row_bytes: 3334, cost: 7.0 }));
        estimates.saw(shapes[1], 3, 10_000);
        assert_eq!(estimates.known(shapes[1]), None, "nobody asked for it");
        estimates.keep(shapes[1], said);
        assert!(estimates.known(shapes[0]).is_some());
        estimates.keep(shapes[2], said);
        assert_eq!(shapes.map(|shape| estimates.known(shape).is_some()), [true, false, true]);
    }

    #[test]
    fn what_is_too_old_is_asked_again() {
        let estimates = Estimates::new(NonZeroUsize::MIN, Duration::ZERO);
        estimates.keep(shape("a", "", 1), Estimate::default());
        assert_eq!(estimates.known(shape("a", "", 1)), None);
    }

    #[test]
    fn embedded_rows_count_where_they_become_an_array() {
        let plan = serde_json::json!([{ "Plan": {
            "Node Type": "Limit", "Total Cost": 123.5, "Plan Rows": 1000, "Plan Width": 80, "Plans": [{
                "Node Type": "Seq Scan", "Parent Relationship": "Outer", "Plan Rows": 1000, "Plan Width": 80, "Plans": [
                    { "Node Type": "Result", "Parent Relationship": "InitPlan", "Plan Rows": 1, "Plan Width": 5000 },
                    { "Node Type": "Index Scan", "Parent Relationship": "SubPlan", "Plan Rows": 9, "Plan Width": 5000 },
                    { "Node Type": "Aggregate", "Parent Relationship": "SubPlan", "Plan Rows": 1, "Plan Width": 32, "Plans": [{
                        "Node Type": "Index Scan", "Parent Relationship": "Outer", "Plan Rows": 20, "Plan Width": 50, "Plans": [
                            { "Node Type": "Aggregate", "Parent Relationship": "SubPlan", "Plan Rows": 1, "Plan Width": 32, "Plans": [
                                { "Node Type": "Seq Scan", "Parent Relationship": "Outer", "Plan Rows": 2, "Plan Width": 10 }] }]
                    }] }
                ]
            }]
        } }]);
        let estimate = Estimate::read(&plan.to_string()).unwrap();
        assert_eq!(estimate, Estimate { rows: 1000, row_bytes: 80 + 20 * (50 + 2 * 10), cost: 123.5 });
        assert_eq!(estimate.bytes(), 1_480_000);
        assert!(Estimate::read("[]").is_err() && Estimate::read("x").is_err());
    }
}
