//! Notifications on their way: `deliver_notification`, `send_digests` and `notify_due`.
//!
//! Invariant: what is sent goes into the outbox together with the end of the task, so that it is there once.

use std::sync::Arc;
use std::time::Duration;

use messaging::{Delivery, Messaging};
use queue::{Failure, Kind, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// After how long a notification comes back whose company has written too much in this hour.
const TOO_MANY: Duration = Duration::from_mins(15);

/// Sends one notification, once its person may be disturbed.
#[derive(Clone, Debug)]
pub(crate) struct DeliverNotification(pub(crate) Messaging);

/// Sends what was gathered, of the task's company or of all.
#[derive(Clone, Debug)]
pub(crate) struct SendDigests(pub(crate) Messaging);

/// Tells of what becomes due by itself. To be done every few minutes.
#[derive(Clone, Debug)]
pub(crate) struct NotifyDue(pub(crate) Messaging);

/// Which notification.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Which {
    notification_id: Uuid,
}

/// Nothing has to be known.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Everything {}

impl Kind for DeliverNotification {
    const NAME: &'static str = "deliver_notification";
    type Payload = Which;

    async fn run(&self, task: Arc<Running>, which: Which) -> Result<Value, Failure> {
        let Some(company_id) = task.company_id() else { return Err(Failure::never("a notification is of a company")) };
        let tx = task.begin("delivers a notification").await?;
        match self.0.deliver_notification(&tx, company_id, which.notification_id).await? {
            Delivery::Done => {}
            Delivery::Later(pause) => {
                tx.commit().await?;
                return Err(Failure::not_yet(pause));
            }
            Delivery::Full => return Err(Failure::not_yet(TOO_MANY)),
        }
        task.finish_within(&tx, json!({})).await?;
        tx.commit().await?;
        self.0.wake_outbox();
        Ok(Value::Null)
    }
}

impl Kind for SendDigests {
    const NAME: &'static str = "send_digests";
    type Payload = Everything;

    async fn run(&self, task: Arc<Running>, _: Everything) -> Result<Value, Failure> {
        loop {
            let tx = task.begin("sends digests").await?;
            if !self.0.send_digests(&tx, task.company_id()).await? {
                task.finish_within(&tx, json!({})).await?;
                tx.commit().await?;
                return Ok(Value::Null);
            }
            tx.commit().await?;
            if task.stop().is_cancelled() {
                return Err(Failure::not_yet(Duration::from_secs(1)));
            }
        }
    }
}

impl Kind for NotifyDue {
    const NAME: &'static str = "notify_due";
    type Payload = Everything;

    fn rules(&self) -> Rules {
        Rules { running_max: Some(1), priority: -10, ..Rules::default() }
    }

    async fn run(&self, task: Arc<Running>, _: Everything) -> Result<Value, Failure> {
        let tx = task.begin("tells of what became due").await?;
        let told = self.0.notify_due(&tx).await?;
        task.finish_within(&tx, json!({ "told": told })).await?;
        tx.commit().await?;
        Ok(Value::Null)
    }
}
