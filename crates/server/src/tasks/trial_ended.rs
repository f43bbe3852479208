//! Those who pay for a company told that its trial is over.

use std::sync::Arc;

use kernel::Error;
use outbound::Channel;
use postgres::Sql;
use queue::{Failure, Kind, Running};
use serde_json::{Value, json};

use super::batches::Nothing;
use super::letters::{self, Letter};
use super::send_message::Desk;

/// Who is told.
const PERMISSION: &str = "billing:manage";

/// Tells of a trial that is over.
#[derive(Clone, Debug)]
pub(crate) struct TrialEnded(pub(crate) Desk);

impl Kind for TrialEnded {
    const NAME: &'static str = "trial_ended";
    type Payload = Nothing;

    async fn run(&self, task: Arc<Running>, _: Nothing) -> Result<Value, Failure> {
        let Some(company_id) = task.company_id() else { return Err(Failure::never("a trial is of a company")) };
        if !self.0.outbound.sends(Channel::Mail) {
            return Err(Failure::never("this installation has no way out for mail"));
        }
        let tx = task.begin("tells of a trial that is over").await?;
        let asked = Sql::new("select c.name, c.writes_until::date::text as until from public.companies c where c.id = app.company_id()");
        let row = tx.query_one(asked).await?;
        let name: String = row.try_get("name").map_err(Error::internal)?;
        let until: Option<String> = row.try_get("until").map_err(Error::internal)?;
        let until =
            until.map(|until| format!(" Until {until} nothing changes; after that it can be read and not written.")).unwrap_or_default();
        let letter = Letter {
            purpose: "trial_ended",
            sender_name: &name,
            subject: format!("The trial of {name} is over"),
            text: format!("The trial of {name} is over.{until}\n\nChoose a subscription to go on as before.\n"),
        };
        let told = letters::post_to_members(&self.0, &tx, company_id, PERMISSION, &letter).await?;
        task.finish_within(&tx, json!({ "message": format!("{told} members told") })).await?;
        tx.commit().await?;
        self.0.outbound.wake();
        Ok(Value::Null)
    }
}
