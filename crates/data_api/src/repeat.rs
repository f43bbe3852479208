//! A new row that was sent before: a client that lost the answer sends it again and gets the first row. And a write that another one
//! undid, because both waited for each other: it is run again, once, since nothing of it was kept.
//!
//! Invariant: only the database says that it is the same row, by refusing with [`REPEAT`] and the row's key; whoever may not read that
//! row is told no more than that. Two that are sent at once meet in a unique key; the one that lost is run again and is told then.

use kernel::{Error, Grant, RequestContext, Result};
use postgres::Database;
use postgres::error::lost_a_race;
use serde_json::{Map, Value};

use crate::plan::Plan;
use crate::request::ApiRequest;
use crate::run::{self, Outcome};

/// A trigger refuses a row that is there already; the details are its key as a JSON object.
const REPEAT: &str = "idempotent_repeat";
/// In the name of a unique key over this column.
const KEY_COLUMN: &str = "idempotency_key";

/// Runs the plan; answers a repeated row with the first one.
pub(crate) async fn run(
    database: &Database,
    grant: Grant,
    context: &RequestContext,
    plan: &Plan<'_>,
    request: &ApiRequest,
) -> Result<Outcome> {
    let Plan::Write(write) = plan else { return run::run(database, grant, context, plan, request).await };
    let mut outcome = run::run(database, grant.clone(), context, plan, request).await;
    if outcome.as_ref().err().is_some_and(met_another) {
        outcome = run::run(database, grant.clone(), context, plan, request).await;
    }
    let error = match outcome {
        Ok(outcome) => return Ok(outcome),
        Err(error) => error,
    };
    let Some(first) = key(&error).and_then(|key| write.repeated(key)) else { return Err(error) };
    let outcome = run::run(database, grant, context, &Plan::Write(first), request).await?;
    if outcome.rows == 1 { Ok(outcome) } else { Err(error) }
}

fn met_another(error: &Error) -> bool {
    lost_a_race(error) || error.code() == "23505" && error.message().contains(KEY_COLUMN)
}

fn key(error: &Error) -> Option<Vec<(String, String)>> {
    let details = error.details().filter(|_| error.code() == REPEAT)?;
    let key: Map<String, Value> = serde_json::from_str(details.as_str()?).ok()?;
    key.into_iter().map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Kind;

    #[test]
    fn the_key_is_read_from_that_refusal_only() {
        let refusal = |code: &'static str, details: &str| Error::new(Kind::Conflict, code, "no").with_details(details);
        let expected = Some(vec![("id".to_owned(), "x".to_owned())]);
        assert_eq!(key(&refusal(REPEAT, r#"{"id": "x"}"#)), expected);
        assert_eq!(key(&refusal("23505", r#"{"id": "x"}"#)), None);
        assert_eq!(key(&refusal(REPEAT, r#"{"id": 1}"#)), None);
        assert_eq!(key(&refusal(REPEAT, "Key (id) is there")), None);
    }
}
