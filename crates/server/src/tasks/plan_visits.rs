//! Service plans get their next visits.

use std::sync::Arc;

use queue::{Failure, Kind, Rules, Running};
use serde_json::Value;

use super::batches::{self, Nothing};

/// Makes jobs of service plans.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanVisits;

impl Kind for PlanVisits {
    const NAME: &'static str = "plan_visits";
    type Payload = Nothing;

    fn rules(&self) -> Rules {
        batches::rules()
    }

    async fn run(&self, task: Arc<Running>, _: Nothing) -> Result<Value, Failure> {
        batches::all(&task, "makes visits of service plans", "app.make_plan_visits", 200).await
    }
}
