//! Which suppliers are to be asked; each is a task of its own, `sync_integration`.

use std::sync::Arc;

use queue::{Failure, Kind, Rules, Running};
use serde_json::Value;

use super::batches::{self, Nothing};

/// Puts in fetches of what suppliers offer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SyncSuppliers;

impl Kind for SyncSuppliers {
    const NAME: &'static str = "sync_suppliers";
    type Payload = Nothing;

    fn rules(&self) -> Rules {
        batches::rules()
    }

    async fn run(&self, task: Arc<Running>, _: Nothing) -> Result<Value, Failure> {
        batches::all(&task, "puts in fetches of what suppliers offer", "app.put_supplier_syncs", 1000).await
    }
}
