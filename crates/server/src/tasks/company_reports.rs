//! Which companies get a report; each is a task of its own, `company_report`.

use std::sync::Arc;

use kernel::Error;
use postgres::Sql;
use queue::{Failure, Kind, Rules, Running};
use serde_json::{Value, json};

use super::batches;
use super::company_report::Wanted;

/// Puts in reports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompanyReports;

impl Kind for CompanyReports {
    const NAME: &'static str = "company_reports";
    type Payload = Wanted;

    fn rules(&self) -> Rules {
        batches::rules()
    }

    async fn run(&self, task: Arc<Running>, wanted: Wanted) -> Result<Value, Failure> {
        let tx = task.begin("puts in reports").await?;
        let mut put = Sql::new("select app.put_company_reports(");
        put.bind(wanted.report.name()).text("::text) as companies");
        let companies: i64 = tx.query_one(put).await?.try_get("companies").map_err(Error::internal)?;
        task.finish_within(&tx, json!({ "message": format!("{companies} companies") })).await?;
        tx.commit().await?;
        Ok(Value::Null)
    }
}
