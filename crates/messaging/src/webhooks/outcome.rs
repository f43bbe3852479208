//! What an attempt came to. Pure.
//!
//! Invariant: a delivery was taken if the receiver said so with a status of 200 to 299, and not otherwise: whoever sends us on, or says
//! nothing in time, has not taken it.

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use outbound::http::{Answer, HttpFault};

/// What an attempt came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// The receiver has it.
    Taken,
    /// It may be tried again.
    Failed {
        /// Why.
        reason: String,
        /// Not before so many seconds, the receiver says.
        retry_after: Option<u64>,
    },
    /// The receiver wants no more, of this or of anything.
    Gone,
}

/// Reads what came back.
pub(super) fn judge(answer: &Result<Answer, HttpFault>, now: Timestamp) -> Outcome {
    let answer = match answer {
        Ok(answer) => answer,
        Err(fault) => return Outcome::Failed { reason: fault.to_string(), retry_after: None },
    };
    match answer.status {
        status if status.is_success() => Outcome::Taken,
        StatusCode::GONE => Outcome::Gone,
        status if status.is_redirection() => {
            Outcome::Failed { reason: format!("it answered {}, and nobody is followed elsewhere", status.as_u16()), retry_after: None }
        }
        status => Outcome::Failed { reason: format!("it answered {}", status.as_u16()), retry_after: retry_after(&answer.headers, now) },
    }
}

/// Reads `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    u64::try_from(at.as_second().saturating_sub(now.as_second())).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn answered(status: u16, retry_after: Option<&'static str>) -> Outcome {
        let headers = retry_after.map(|text| (RETRY_AFTER, HeaderValue::from_static(text)));
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::from_iter(headers),
            body: Vec::new(),
            is_cut: false,
        };
        // Sunday, 22 November 2026, 12:00:00 GMT.
        judge(&Ok(answer), Timestamp::from_second(1_795_348_800).unwrap())
    }

    #[test]
    fn only_2xx_is_taken() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(answered(status, None), Outcome::Taken);
        }
        assert_eq!(answered(410, None), Outcome::Gone);
        for status in [100, 301, 302, 304, 400, 401, 404, 408, 413, 429, 500, 503] {
            assert!(matches!(answered(status, None), Outcome::Failed { .. }), "{status}");
        }
        let fault = judge(&Err(HttpFault::Time), Timestamp::UNIX_EPOCH);
        assert_eq!(fault, Outcome::Failed { reason: "no answer in time".to_owned(), retry_after: None });
    }

    #[test]
    fn a_receiver_says_when_to_come_again() {
        let asked = |text| match answered(429, Some(text)) {
            Outcome::Failed { retry_after, .. } => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!((asked("120"), asked("0")), (Some(120), Some(0)));
        assert_eq!(asked("Sun, 22 Nov 2026 12:01:40 GMT"), Some(100));
        assert_eq!((asked("Sun, 22 Nov 2026 11:00:00 GMT"), asked("soon"), asked("-5")), (None, None, None));
    }
}
