//! A new row that was sent before: a client that lost the answer sends it again and gets the first row. And a write that another one
//! undid, because both waited for each other: it is run again a few times, since nothing of it was kept.
//!
//! Invariant: only the database says that it is the same row, by refusing with [`REPEAT`] and the row's key; whoever may not read that
//! row is told no more than that. Two that are sent at once meet in a unique key; the one that lost is run again and is told then.

use std::time::Duration;

use axum::response::Response;
use kernel::{Error, Grant, RequestContext, Result};
use postgres::error::lost_a_race;
use serde_json::{Map, Value};

use crate::DataApi;
use crate::idempotency::Key;
use crate::plan::Plan;
use crate::run::{self, Planned};

/// A trigger refuses a row that is there already; the details are its key as a JSON object.
const REPEAT: &str = "idempotent_repeat";
/// In the name of a unique key over this column.
const KEY_COLUMN: &str = "idempotency_key";

/// Runs the plan; answers a repeated row with the first one.
pub(crate) async fn run(
    api: &DataApi,
    grant: Grant,
    context: &RequestContext,
    planned: Planned<'_>,
    key: Option<&Key>,
) -> Result<Response> {
    let Plan::Write(write) = planned.plan else { return Ok(run::run(api, grant, context, planned, key).await?.response) };
    let mut answered = run::run(api, grant.clone(), context, planned, key).await;
    for round in 0..api.config().write_retries_max {
        match answered.as_ref().err().and_then(met_another) {
            None => break,
            Some(Met::ThatIsDone) => {}
            Some(Met::ThatWaitsOn) => tokio::time::sleep(pause(api.config().write_retry_pause_ms, round)).await,
        }
        answered = run::run(api, grant.clone(), context, planned, key).await;
    }
    let error = match answered {
        Ok(answered) => return Ok(answered.response),
        Err(error) => error,
    };
    let Some(first) = row_key(&error).and_then(|key| write.repeated(key)) else { return Err(error) };
    let first = Planned { plan: &Plan::Write(first), ..planned };
    let answered = run::run(api, grant, context, first, None).await?;
    if answered.rows == 1 { Ok(answered.response) } else { Err(error) }
}

/// Tells whether it was undone by another one that now goes on, after a pause in which that one may.
pub(crate) async fn waits_and_passes(api: &DataApi, error: &Error, round: u32) -> bool {
    let passes = lost_a_race(error);
    if passes {
        tokio::time::sleep(pause(api.config().write_retry_pause_ms, round)).await;
    }
    passes
}

/// What another request was doing with the same rows.
enum Met {
    /// It has committed.
    ThatIsDone,
    /// It goes on now that this one is out of its way, and needs a moment: at once both would meet again.
    ThatWaitsOn,
}

fn met_another(error: &Error) -> Option<Met> {
    if lost_a_race(error) {
        return Some(Met::ThatWaitsOn);
    }
    (error.code() == "23505" && error.message().contains(KEY_COLUMN)).then_some(Met::ThatIsDone)
}

/// Returns a pause around the first one's length, twice as long in each round; by chance, so that two do not go on in step.
fn pause(first_ms: u64, round: u32) -> Duration {
    let longest = first_ms.saturating_mul(2).saturating_mul(2_u64.saturating_pow(round));
    Duration::from_millis(rand::random_range(longest / 4..=longest))
}

fn row_key(error: &Error) -> Option<Vec<(String, String)>> {
    let details = error.details().filter(|_| error.code() == REPEAT)?;
    let key: Map<String, Value> = serde_json::from_str(details.as_str()?).ok()?;
    key.into_iter().map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Kind;

    #[test]
    fn pauses_grow_and_have_an_end() {
        for round in 0..5 {
            let pause = pause(20, round).as_millis();
            assert!((10 << round..=40 << round).contains(&pause), "{pause}");
        }
        assert!(pause(1, 200) <= Duration::from_millis(u64::MAX));
    }

    #[test]
    fn the_key_is_read_from_that_refusal_only() {
        let refusal = |code: &'static str, details: &str| Error::new(Kind::Conflict, code, "no").with_details(details);
        let expected = Some(vec![("id".to_owned(), "x".to_owned())]);
        assert_eq!(row_key(&refusal(REPEAT, r#"{"id": "x"}"#)), expected);
        assert_eq!(row_key(&refusal("23505", r#"{"id": "x"}"#)), None);
        assert_eq!(row_key(&refusal(REPEAT, r#"{"id": 1}"#)), None);
        assert_eq!(row_key(&refusal(REPEAT, "Key (id) is there")), None);
    }
}
