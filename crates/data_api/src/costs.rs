//! The cost guard: a request whose plan the planner expects to cost more than its role may spend is refused before it runs.
//!
//! Invariant: the planner is asked once for each shape, in the caller's transaction, and for the plan that holds for all values, with the
//! rows that are wanted rounded up: no value makes a costly shape look cheap, and a refusal depends on no value and no row. What the
//! planner expects is never told.

use std::time::Duration;

use kernel::{Error, Kind, Result};
use moka::future::Cache;
use postgres::{Shape, Sql, Tx};
use serde_json::Value;

use crate::config::DataApiConfig;

/// What shapes cost, as far as it is known.
#[derive(Debug)]
pub(crate) struct Costs(Cache<Key, f64>);

/// A shape, and for whom and over which tables it is planned: each role has its own policies, and an index makes another plan.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Key {
    generation: u64,
    role: Box<str>,
    shape: Shape,
}

/// What one statement is guarded by.
#[derive(Debug)]
pub(crate) struct Guard<'a> {
    known: &'a Cache<Key, f64>,
    key: Key,
    cost_max: f64,
}

impl Costs {
    pub(crate) fn new(config: &DataApiConfig) -> Self {
        let kept = Duration::from_secs(config.plan_cost_kept_s);
        Self(Cache::builder().max_capacity(config.plan_cost_shapes_max).time_to_live(kept).build())
    }

    /// Returns the guard of a statement.
    pub(crate) fn guard(&self, generation: u64, role: &str, statement: &Sql, cost_max: u64) -> Guard<'_> {
        // As exact as the planner's own numbers.
        let cost_max = u32::try_from(cost_max).map_or_else(|_large| cost_max.to_string().parse().unwrap_or(f64::MAX), f64::from);
        Guard { known: &self.0, key: Key { generation, role: role.into(), shape: statement.shape() }, cost_max }
    }
}

impl Guard<'_> {
    /// Tells whether it is known already that the statement may run.
    pub(crate) async fn is_known_to_allow(&self) -> bool {
        self.known.get(&self.key).await.is_some_and(|cost| cost <= self.cost_max)
    }

    /// Refuses a statement that costs too much; asks the planner where its shape is not known.
    pub(crate) async fn allows(&self, tx: &Tx) -> Result<()> {
        let cost = if let Some(cost) = self.known.get(&self.key).await {
            cost
        } else {
            let cost = asked(tx, &self.key.shape).await?;
            self.known.insert(self.key.clone(), cost).await;
            cost
        };
        if cost <= self.cost_max {
            return Ok(());
        }
        tracing::info!(cost, cost_max = self.cost_max, role = &*self.key.role, "a request would cost too much");
        let message = "The planner expects this request to cost more than this role's requests may";
        Err(Error::new(Kind::BadRequest, "plan_too_costly", message)
            .with_hint("Ask for fewer rows, filter by a column that has an index, or order by one."))
    }
}

async fn asked(tx: &Tx, shape: &Shape) -> Result<f64> {
    metrics::counter!("data_api_plan_costs_asked_total").increment(1);
    let said: Value = serde_json::from_str(&tx.explain_shape(shape).await?).map_err(Error::internal)?;
    said.pointer("/0/Plan/Total Cost").and_then(Value::as_f64).ok_or_else(|| Error::internal("a plan without a cost"))
}
