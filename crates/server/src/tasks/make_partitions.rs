//! Partitions of the coming months. Maintenance looks, too; this is the documented time.

use std::sync::Arc;

use postgres::Sql;
use queue::{Failure, Kind, Rules, Running};
use serde_json::{Value, json};

use super::batches::{self, Nothing};

/// Makes partitions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MakePartitions;

impl Kind for MakePartitions {
    const NAME: &'static str = "make_partitions";
    type Payload = Nothing;

    fn rules(&self) -> Rules {
        batches::rules()
    }

    async fn run(&self, task: Arc<Running>, _: Nothing) -> Result<Value, Failure> {
        let tx = task.begin("makes partitions").await?;
        tx.query(Sql::new("select app.make_partitions(), app.make_task_partitions(), app.make_message_partitions()")).await?;
        task.finish_within(&tx, json!({})).await?;
        tx.commit().await?;
        Ok(Value::Null)
    }
}
