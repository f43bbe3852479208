//! What is good for nothing any more goes: challenges, codes and flows. What has a date of its own goes by the server's maintenance.

use std::sync::Arc;

use queue::{Failure, Kind, Rules, Running};
use serde_json::Value;

use super::batches::{self, Nothing};

/// Takes leftovers away.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CleanUp;

impl Kind for CleanUp {
    const NAME: &'static str = "clean_up";
    type Payload = Nothing;

    fn rules(&self) -> Rules {
        batches::rules()
    }

    async fn run(&self, task: Arc<Running>, _: Nothing) -> Result<Value, Failure> {
        batches::all(&task, "takes leftovers away", "app.expire_leftovers", 5000).await
    }
}
