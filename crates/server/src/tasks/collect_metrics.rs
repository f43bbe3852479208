//! Figures of the last 24 hours noted for each company: `collect_business_metrics()`.

use std::sync::Arc;

use postgres::Sql;
use queue::{Failure, Kind, Rules, Running};
use serde_json::{Value, json};

use super::batches::{self, Nothing};

/// Notes figures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CollectMetrics;

impl Kind for CollectMetrics {
    const NAME: &'static str = "collect_metrics";
    type Payload = Nothing;

    fn rules(&self) -> Rules {
        batches::rules()
    }

    async fn run(&self, task: Arc<Running>, _: Nothing) -> Result<Value, Failure> {
        let tx = task.begin("notes figures").await?;
        tx.query(Sql::new("select set_config('statement_timeout', '600000', true)")).await?;
        tx.query(Sql::new("select public.collect_business_metrics()")).await?;
        // With the end of the task, so that they are noted once.
        task.finish_within(&tx, json!({})).await?;
        tx.commit().await?;
        Ok(Value::Null)
    }
}
