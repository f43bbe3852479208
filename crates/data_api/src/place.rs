//! The position of a write in the database's log: told to whoever wrote where there are replicas, and shown by him when he reads.
//!
//! Invariant: it is asked for after the commit, so that a server that has replayed the log until there has the write. It says nothing but
//! how much was ever written.

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use kernel::Result;
use postgres::replicas::LogPosition;

use crate::DataApi;
use crate::plan::Plan;

const POSITION: HeaderName = HeaderName::from_static("database-position");

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
pub(crate) async fn told(api: &DataApi, plan: &Plan<'_>, mut response: Response) -> Response {
    if plan.only_reads() {
        return response;
    }
    match api.database().position().await {
        Ok(None) => {}
        Ok(Some(position)) => {
            if let Ok(value) = HeaderValue::from_str(&position.to_string()) {
                response.headers_mut().insert(POSITION, value);
            }
        }
        // It is written all the same.
        Err(error) => tracing::debug!(%error, "the position of a write could not be told"),
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
