//! Figures of the companies computed anew: `refresh_reporting_views()`.

use std::sync::Arc;
use std::time::Duration;

use postgres::Sql;
use queue::{Failure, Kind, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Computes the kept figures anew. One at a time is enough.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefreshReports;

/// It needs to know nothing.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Nothing {}

impl Kind for RefreshReports {
    const NAME: &'static str = "refresh_reports";
    type Payload = Nothing;

    fn rules(&self) -> Rules {
        Rules { timeout: Duration::from_mins(10), running_max: Some(1), priority: -10, ..Rules::default() }
    }

    async fn run(&self, task: Arc<Running>, _: Nothing) -> Result<Value, Failure> {
        let tx = task.begin("refreshes reports").await?;
        tx.query(Sql::new("select set_config('statement_timeout', '600000', true)")).await?;
        tx.query(Sql::new("select public.refresh_reporting_views()")).await?;
        task.finish_within(&tx, json!({})).await?;
        tx.commit().await?;
        Ok(Value::Null)
    }
}
