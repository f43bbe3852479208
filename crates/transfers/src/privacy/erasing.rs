//! The task `erase_person`: part after part, until the person is gone.
//!
//! Invariant: each part is a transaction of its own that says how far it came, so that a task that died goes on where it was.

use std::sync::Arc;
use std::time::Duration;

use kernel::Error;
use postgres::Sql;
use queue::{Failure, Kind, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Transfers;
use crate::failing::stopped;

/// How long it stays away where work that tells of the person has to end first.
const PAUSE: Duration = Duration::from_secs(5);

/// Erases a person.
#[derive(Clone, Debug)]
pub struct ErasePerson(pub Transfers);

/// Which erasure it is; who the person is stands in its row.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The erasure.
    pub erasure_id: Uuid,
}

impl Kind for ErasePerson {
    const NAME: &'static str = "erase_person";
    type Payload = Wanted;

    fn rules(&self) -> Rules {
        Rules { timeout: Duration::from_hours(6), attempts_max: 20, running_max: Some(1), ..Rules::default() }
    }

    async fn run(&self, task: Arc<Running>, wanted: Wanted) -> Result<Value, Failure> {
        let mut parts: u64 = 0;
        loop {
            if task.stop().is_cancelled() {
                return Err(Failure::from(stopped()));
            }
            let tx = task.begin("erases a person").await?;
            self.0.take_time(&tx).await?;
            let mut part = Sql::new("select app.erase_part(");
            part.bind(wanted.erasure_id).text("::uuid, ").bind(self.0.config().erasure_audit_rows).text("::integer) as said");
            let said: String = tx.query_one(part).await?.try_get("said").map_err(Error::internal)?;
            let mut far = Sql::new("select app.erasure_percent(");
            far.bind(wanted.erasure_id).text("::uuid) as percent");
            let percent: Option<i32> = tx.query_one(far).await?.try_get("percent").map_err(Error::internal)?;
            tx.commit().await?;
            match said.as_str() {
                "goes_on" => {}
                "waits" => return Err(Failure::not_yet(PAUSE)),
                _ => return Ok(json!({ "erasure_id": wanted.erasure_id })),
            }
            parts = parts.saturating_add(1);
            task.progress(percent.and_then(|percent| u8::try_from(percent).ok()).unwrap_or(0), &format!("{parts} parts")).await?;
        }
    }
}
