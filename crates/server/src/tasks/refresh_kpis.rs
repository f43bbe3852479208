//! The figures of the day: what was added since the last time is folded, every few minutes. `refresh_reports` does the same to the end.

use std::sync::Arc;

use queue::{Failure, Kind, Rules, Running};
use serde_json::Value;

use super::batches::{self, Nothing};

/// Folds what was added to figures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefreshKpis;

impl Kind for RefreshKpis {
    const NAME: &'static str = "refresh_kpis";
    type Payload = Nothing;

    fn rules(&self) -> Rules {
        batches::rules()
    }

    async fn run(&self, task: Arc<Running>, _: Nothing) -> Result<Value, Failure> {
        batches::all(&task, "folds figures", "app.refresh_figures", 20_000).await
    }
}
