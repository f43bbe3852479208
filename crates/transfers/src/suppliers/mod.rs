//! `sync_integration`: what a supplier offers becomes items of the price book, as the company describes its catalogue and allows.
//!
//! Invariant: a fetch that fails changes nothing that was not fetched before it did, and says why in the integration's row. Done again it comes to
//! the same.

mod catalogue;
mod pages;
mod routes;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use kernel::{CompanyId, Error, Kind as ErrorKind};
use queue::{Failure, Field, FieldType, Kind, Rules, Running};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Transfers;
use crate::failing::{failure, stopped};
use catalogue::Catalogue;
use pages::{Pages, Stopped};
pub use routes::router;
use rows::{Counts, Supplier};

/// Items that one transaction takes.
const BATCH: usize = 500;
/// What is wrong with items is told of so many.
const PROBLEMS_MAX: usize = 100;

/// A supplier's offer, fetched.
#[derive(Clone, Debug)]
pub struct SyncIntegration(pub Transfers);

/// Which integration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    integration_id: Uuid,
}

/// What was fetched so far.
#[derive(Default)]
struct Fetched {
    counts: Counts,
    items: usize,
    problems: Vec<Value>,
}

impl Kind for SyncIntegration {
    const NAME: &'static str = "sync_integration";
    type Payload = Which;

    fn rules(&self) -> Rules {
        const FIELDS: &[Field] = &[Field { name: "integration_id", field_type: FieldType::Id, is_required: true }];
        Rules {
            permission: Some("supplier_integrations:update"),
            fields: FIELDS,
            priority: -5,
            timeout: Duration::from_hours(1),
            running_per_company_max: Some(1),
            ..Rules::default()
        }
    }

    async fn run(&self, task: Arc<Running>, which: Which) -> Result<Value, Failure> {
        let Some(company_id) = task.company_id() else { return Err(failure(unknown())) };
        let place = (company_id, which.integration_id);
        let tx = task.begin("begins to fetch what a supplier offers").await?;
        let supplier = rows::open(&tx, company_id, which.integration_id).await?;
        tx.commit().await?;
        let Some(supplier) = supplier else { return Err(failure(unknown())) };
        let mut fetched = Fetched::default();
        let ended = Box::pin(self.fetch(&task, place, &supplier, &mut fetched)).await;
        let (error, outcome) = match ended {
            Ok(()) => (None, Ok(())),
            Err(Stopped::Refused(error)) => (Some(format!("{} ({})", error.message(), error.code())), Err(failure(error))),
            Err(Stopped::Later(pause, why)) => (Some(why.clone()), Err(Failure::again_after(pause, why))),
        };
        let tx = task.begin("notes what a supplier offered").await?;
        rows::close(&tx, company_id, which.integration_id, &fetched.counts, error.as_deref()).await?;
        if outcome.is_ok() {
            let Fetched { counts, items, problems } = &fetched;
            task.finish_within(&tx, json!({ "items": items, "counts": counts, "problems": problems })).await?;
        }
        tx.commit().await?;
        outcome.map(|()| Value::Null)
    }
}

impl SyncIntegration {
    async fn fetch(&self, task: &Running, place: (CompanyId, Uuid), supplier: &Supplier, fetched: &mut Fetched) -> Result<(), Stopped> {
        if !supplier.is_enabled {
            let message = "The integration is switched off: api_enabled says so";
            return Err(Stopped::Refused(Error::new(ErrorKind::Unprocessable, "integration_disabled", message)));
        }
        let catalogue = Catalogue::read(&supplier.catalogue).map_err(Stopped::Refused)?;
        let keys = supplier.keys(&self.0).map_err(Stopped::Refused)?;
        let endpoint = supplier.endpoint.as_deref().unwrap_or_default();
        let mut pages = Pages::of(self.0.http(), &catalogue, endpoint, keys, self.0.config()).map_err(Stopped::Refused)?;
        while let Some(page) = pages.next().await? {
            if task.stop().is_cancelled() {
                return Err(Stopped::Refused(stopped()));
            }
            Self::take(task, place, &catalogue, page, fetched).await.map_err(Stopped::Refused)?;
            // How many come nobody knows.
            task.progress(50, &format!("{} items", fetched.items)).await.map_err(Stopped::Refused)?;
        }
        Ok(())
    }

    async fn take(
        task: &Running,
        (company_id, id): (CompanyId, Uuid),
        catalogue: &Catalogue,
        page: Vec<catalogue::Read>,
        fetched: &mut Fetched,
    ) -> kernel::Result<()> {
        fetched.items += page.len();
        let (mut items, mut problems) = (Vec::new(), Vec::new());
        for item in page {
            match item {
                Ok(item) => items.push(item),
                Err(problem) => problems.push(problem),
            }
        }
        fetched.counts.failed += i64::try_from(problems.len()).unwrap_or(i64::MAX);
        for batch in items.chunks(BATCH) {
            let tx = task.begin("takes what a supplier offers").await?;
            let (counts, more) = rows::take(&tx, company_id, id, &catalogue.currency, batch.to_vec()).await?;
            tx.commit().await?;
            fetched.counts.imported += counts.imported;
            fetched.counts.updated += counts.updated;
            fetched.counts.failed += counts.failed;
            problems.extend(more);
        }
        let room = PROBLEMS_MAX.saturating_sub(fetched.problems.len());
        fetched.problems.extend(problems.into_iter().take(room));
        Ok(())
    }
}

fn unknown() -> Error {
    Error::new(ErrorKind::NotFound, "integration_not_found", "There is no such integration")
}
