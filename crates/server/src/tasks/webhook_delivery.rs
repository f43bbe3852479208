//! `webhook_delivery`: an event is sent to a webhook, again or for the first time.
//!
//! Invariant: the delivery is put in together with the mark that says so, by the member who asked, so that it is there once. When it is
//! tried, and what becomes of it, stands in `webhook_logs` and in no task.

use std::sync::Arc;

use jiff::Timestamp;
use kernel::{Capability, Demand, Error};
use messaging::Messaging;
use postgres::{Access, Sql};
use queue::{Failure, Field, FieldType, Kind, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

const PERMISSION: &str = "webhooks:update";

struct Sending;
impl Capability for Sending {
    const DEMAND: Demand = Demand::Permission(PERMISSION);
}

/// Sends an event to a webhook.
#[derive(Clone, Debug)]
pub(crate) struct WebhookDelivery(pub(crate) Messaging);

/// Which event, to which webhook.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delivery {
    webhook_id: Uuid,
    event_id: Uuid,
}

impl Kind for WebhookDelivery {
    const NAME: &'static str = "webhook_delivery";
    type Payload = Delivery;

    fn rules(&self) -> Rules {
        const FIELDS: &[Field] = &[
            Field { name: "webhook_id", field_type: FieldType::Id, is_required: true },
            Field { name: "event_id", field_type: FieldType::Id, is_required: true },
        ];
        Rules { permission: Some(PERMISSION), runs_as_caller: true, fields: FIELDS, ..Rules::default() }
    }

    async fn run(&self, task: Arc<Running>, delivery: Delivery) -> Result<Value, Failure> {
        if let Some(done) = task.marked() {
            return Ok(done.clone());
        }
        let done = match Box::pin(put(&task, &delivery)).await {
            Ok(done) => done,
            Err(error) if error.status().is_client_error() => return Err(Failure::never(format!("{}: {}", error.code(), error.message()))),
            Err(error) => return Err(error.into()),
        };
        self.0.wake();
        Ok(done)
    }
}

async fn put(task: &Running, delivery: &Delivery) -> kernel::Result<Value> {
    let tx = task.begin_as_asker::<Sending>(Access::Write).await?;
    let mut sql = Sql::new("select app.deliver_event_to(");
    sql.bind(delivery.webhook_id).text("::uuid, ").bind(delivery.event_id).text("::uuid, ").bind(Timestamp::now()).text("::timestamptz)");
    let id: Uuid = tx.query_one(sql).await?.try_get(0).map_err(Error::internal)?;
    let done = json!({ "delivery_id": id });
    task.mark(&tx, &done).await?;
    tx.commit().await?;
    Ok(done)
}
