//! The position of a write in the database's log: told to whoever wrote where there are replicas, and shown by him when he reads.
//!
//! Invariant: it is asked for after the commit, so that a server that has replayed the log until there has the write. It says nothing but
//! how much was ever written.

use std::time::Duration;

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use kernel::Result;
use postgres::replicas::LogPosition;

use crate::DataApi;
use crate::plan::Plan;

const POSITION: HeaderName = HeaderName::from_static("database-position");
/// How long a written answer waits for its position.
const TIME: Duration = Duration::from_millis(100);

/// Reads which position an answer must have; several are one that has all of them.
pub(crate) fn shown(headers: &HeaderMap) -> Result<Option<u64>> {
    let mut shown = None;
    for value in headers.get_all(POSITION) {
        for text in value.to_str().unwrap_or("?").split(',') {
            let position: LogPosition = text.trim().parse()?;
            shown = shown.max(Some(position.0));
        }
    }
    Ok(shown)
}

/// Tells the position of what was written.
pub(crate) async fn told(api: &DataApi, plan: &Plan<'_>, response: Response) -> Response {
    if plan.only_reads() { response } else { told_anyway(api, response).await }
}

/// Tells the position of what may have been written. Nobody waits long for it: it is written all the same.
pub(crate) async fn told_anyway(api: &DataApi, mut response: Response) -> Response {
    match tokio::time::timeout(TIME, api.database().position()).await {
        Ok(Ok(None)) => {}
        Ok(Ok(Some(position))) => {
            if let Ok(value) = HeaderValue::from_str(&position.to_string()) {
                response.headers_mut().insert(POSITION, value);
            }
        }
        Ok(Err(error)) => tracing::debug!(%error, "the position of a write could not be told"),
        Err(_elapsed) => tracing::debug!("the position of a write was not told in time"),
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_of_several_positions_counts() {
        let headers = |values: &[&'static str]| values.iter().map(|value| (POSITION, HeaderValue::from_static(value))).collect();
        assert_eq!(shown(&headers(&[])).unwrap(), None);
        assert_eq!(shown(&headers(&["0/10", "1/0, 0/FF"])).unwrap(), Some(0x1_0000_0000));
        for bad in ["", "x", "0/1,", "17"] {
            assert_eq!(shown(&headers(&[bad])).unwrap_err().code(), "position_invalid", "{bad}");
        }
    }
}
