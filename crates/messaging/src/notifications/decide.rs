//! Events become notifications: planned by the database, worded here, written down with the reasons.
//!
//! Invariant: an event that fails delays no other one, and is tried again; what was written for it once is not written again.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use kernel::{Error, Result};
use serde_json::{Value, json};

use super::deliver::way_of;
use super::rows::{self, Planned, Taken};
use super::texts::Saying;
use crate::Messaging;

/// What one look at events did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Decided {
    /// Events that were decided on.
    pub events: usize,
    /// Events that will be tried again, or were given up.
    pub failed: usize,
}

impl Messaging {
    /// Decides on what members may have to be told of, once.
    pub async fn pass_notifications(&self) -> Result<Decided> {
        let config = &self.config().notifications;
        let tx = self.begin("takes what members may have to be told of").await?;
        let taken = rows::take(&tx, self.now(), config).await?;
        tx.commit().await?;
        let at_once = usize::try_from(config.events_at_once).unwrap_or(1);
        let results: Vec<Result<bool>> =
            stream::iter(taken.into_iter().map(|taken| self.decide(taken))).buffer_unordered(at_once).collect().await;
        let mut decided = Decided::default();
        for result in results {
            if result? {
                decided.events += 1;
            } else {
                decided.failed += 1;
            }
        }
        Ok(decided)
    }

    /// Has what became due by itself looked for by whichever worker is free.
    pub async fn ask_for_due(&self) -> Result<()> {
        let tx = self.begin("has what became due looked for").await?;
        rows::enqueue(&tx, "notify_due").await?;
        tx.commit().await
    }

    /// Returns when there may be something to decide.
    pub async fn notifications_woken(&self) {
        self.woken_within(Duration::from_millis(self.config().notifications.poll_interval_ms)).await;
    }

    /// Decides on one event; false where that failed, which is noted.
    async fn decide(&self, taken: Taken) -> Result<bool> {
        let Err(error) = self.try_to_decide(taken).await else {
            metrics::counter!("notification_events_total", "result" => "decided").increment(1);
            return Ok(true);
        };
        metrics::counter!("notification_events_total", "result" => "failed").increment(1);
        tracing::warn!(company_id = %taken.company_id, event_id = %taken.id, attempt = taken.attempt, code = error.code(),
                       "it could not be decided who is told");
        let tx = self.begin("notes that it could not be decided who is told").await?;
        rows::fail(&tx, taken, &format!("{} ({})", error.message(), error.code()), self.now(), &self.config().notifications).await?;
        tx.commit().await?;
        Ok(false)
    }

    async fn try_to_decide(&self, taken: Taken) -> Result<()> {
        let config = &self.config().notifications;
        let tx = self.begin("decides who is told").await?;
        let planned = rows::plan(&tx, taken, &self.ways(), self.now(), config).await?;
        let written: Value = planned.iter().map(|planned| self.word(planned)).collect::<Result<_>>()?;
        rows::write(&tx, taken, &written, self.now()).await?;
        tx.commit().await
    }

    /// The ways that leave this installation.
    fn ways(&self) -> Vec<&'static str> {
        ["email", "sms", "push"].into_iter().filter(|name| way_of(name).is_some_and(|channel| self.outbound().sends(channel))).collect()
    }

    /// Words what is sent or gathered.
    fn word(&self, planned: &Planned) -> Result<Value> {
        let mut row = json!({
            "topic": planned.topic,
            "event": planned.event,
            "user_id": planned.user_id,
            "channel": planned.channel,
            "decision": planned.decision,
            "reason": planned.reason,
            "window_end": planned.window_end,
            "priority": planned.priority,
            "locale": planned.locale,
        });
        if let (Some(channel), Some(row), true) = (&planned.channel, row.as_object_mut(), planned.decision != "withheld") {
            let said = self.texts().say(&Saying {
                topic: &planned.topic,
                channel,
                locale: &planned.locale,
                params: &planned.params,
                templates: &planned.templates,
            })?;
            row.insert("subject".to_owned(), json!(said.subject));
            row.insert("body".to_owned(), json!(said.body));
            row.insert("body_html".to_owned(), json!(said.html));
            row.insert("note".to_owned(), json!(said.note));
        }
        serde_json::to_value(row).map_err(Error::internal)
    }
}
