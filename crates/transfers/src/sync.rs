//! `sync_integration`: what a supplier offers, fetched.
//!
//! Invariant: it never says that it did something that it did not. The row of an integration has an address and a key, and nothing that says what
//! is answered there or which item is which; until it does, every task of this kind fails with a code of its own and says so in the row.

use std::sync::Arc;

use kernel::{Capability, Demand, Error, Kind as ErrorKind, Result};
use postgres::{Access, Sql};
use queue::{Failure, Field, FieldType, Kind, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::failing::failure;

struct Syncing;
impl Capability for Syncing {
    const DEMAND: Demand = Demand::Permission("supplier_integrations:update");
}

/// A supplier's offer, fetched.
#[derive(Clone, Copy, Debug)]
pub struct SyncIntegration;

/// Which integration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    integration_id: Uuid,
}

impl Kind for SyncIntegration {
    const NAME: &'static str = "sync_integration";
    type Payload = Which;

    fn rules(&self) -> Rules {
        const FIELDS: &[Field] = &[Field { name: "integration_id", field_type: FieldType::Id, is_required: true }];
        Rules { permission: Some("supplier_integrations:update"), runs_as_caller: true, fields: FIELDS, ..Rules::default() }
    }

    async fn run(&self, task: Arc<Running>, which: Which) -> Result<Value, Failure> {
        Err(failure(refuse(&task, which.integration_id).await.unwrap_or_else(|error| error)))
    }
}

/// Notes in the row that it cannot be done, and returns why.
async fn refuse(task: &Running, id: Uuid) -> Result<Error> {
    let message = "Nothing says what this supplier answers, or which of its items is which of the price book";
    let tx = task.begin_as_asker::<Syncing>(Access::Write).await?;
    let mut sql =
        Sql::new("update public.supplier_integrations i set last_sync_at = now(), last_sync_status = 'error', last_sync_error = ");
    sql.bind(message).text("::text where i.company_id = app.company_id() and i.id = ").bind(id).text("::uuid");
    if tx.execute(sql).await? == 0 {
        return Err(Error::new(ErrorKind::NotFound, "integration_not_found", "There is no such integration"));
    }
    tx.commit().await?;
    Ok(Error::new(ErrorKind::Unprocessable, "integration_not_described", message))
}
