//! Statistics of tables that changed much, so that the planner knows them.

use std::sync::Arc;

use kernel::Error;
use postgres::Sql;
use queue::{Failure, Kind, Rules, Running};
use serde_json::{Value, json};

use super::batches::{self, Nothing};

/// Tables of one task.
const TABLES_MAX: usize = 1000;

/// Computes statistics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnalyzeTables;

impl Kind for AnalyzeTables {
    const NAME: &'static str = "analyze_tables";
    type Payload = Nothing;

    fn rules(&self) -> Rules {
        batches::rules()
    }

    /// Each table is a transaction of its own, in the order of their names.
    async fn run(&self, task: Arc<Running>, _: Nothing) -> Result<Value, Failure> {
        let mut last = String::new();
        for count in 0..TABLES_MAX {
            let tx = task.begin("computes statistics").await?;
            tx.query(Sql::new("select set_config('statement_timeout', '600000', true)")).await?;
            let mut next = Sql::new("select app.analyze_next(");
            next.bind(last.as_str()).text("::text) as name");
            let name: Option<String> = tx.query_one(next).await?.try_get("name").map_err(Error::internal)?;
            tx.commit().await?;
            match name {
                Some(name) if !task.stop().is_cancelled() => last = name,
                _ => return Ok(json!({ "message": format!("{count} tables") })),
            }
        }
        Ok(json!({ "message": format!("{TABLES_MAX} tables") }))
    }
}
