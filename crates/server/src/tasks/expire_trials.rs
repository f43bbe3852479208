//! Trials end when their time is over.

use std::sync::Arc;

use queue::{Failure, Kind, Rules, Running};
use serde_json::Value;

use super::batches::{self, Nothing};

/// Ends trials.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExpireTrials;

impl Kind for ExpireTrials {
    const NAME: &'static str = "expire_trials";
    type Payload = Nothing;

    fn rules(&self) -> Rules {
        batches::rules()
    }

    async fn run(&self, task: Arc<Running>, _: Nothing) -> Result<Value, Failure> {
        batches::all(&task, "ends trials", "app.expire_trials", 200).await
    }
}
