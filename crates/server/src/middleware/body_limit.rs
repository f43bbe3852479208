//! No body larger than the limit reaches a handler, announced or not.
//!
//! Invariant: the answer is 413 in our shape, also where a handler met the overrun and said something else.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::{Buf, Bytes};
use http::{HeaderMap, Request, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use kernel::{Error, Kind};

/// The code of a body that is too large.
pub(crate) const BODY_TOO_LARGE: &str = "body_too_large";
/// How long a body that nobody wants is read, so that the client gets to the answer.
const DRAIN_TIME: Duration = Duration::from_secs(3);

/// Returns the size that a request announces.
pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

pub(super) fn too_large(limit: u64) -> Error {
    Error::new(Kind::TooLarge, BODY_TOO_LARGE, format!("The request's body is larger than {limit} bytes"))
}

/// Refuses a request by its announced size.
///
/// A client that is still sending would see its connection break before it sees the answer, so that we read on for a while: at
/// most as much again as the limit. One that asked before it sends (`Expect`) is told right away.
pub(super) async fn refuse_unread<B>(request: Request<B>, limit: u64) -> Response
where
    B: Body<Data = Bytes> + Unpin,
{
    if !request.headers().contains_key(header::EXPECT) {
        let mut body = request.into_body();
        let drain = async {
            let mut left = limit.saturating_mul(2);
            while let Some(Ok(frame)) = body.frame().await {
                let bytes = frame.data_ref().map_or(0, Buf::remaining);
                left = left.saturating_sub(u64::try_from(bytes).unwrap_or(u64::MAX));
                if left == 0 {
                    return;
                }
            }
        };
        // Whether it was read to its end makes no difference to the answer.
        let _read = tokio::time::timeout(DRAIN_TIME, drain).await.is_ok();
    }
    too_large(limit).into_response()
}

/// Tells whether a body went over its limit.
#[derive(Clone, Debug)]
pub(super) struct Overrun(Arc<AtomicBool>);

impl Overrun {
    pub(super) fn happened(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body that breaks off at its limit.
#[derive(Debug)]
pub(super) struct Limited<B> {
    body: B,
    left: u64,
    overrun: Overrun,
}

impl<B> Limited<B> {
    pub(super) fn new(body: B, limit: u64) -> (Self, Overrun) {
        let overrun = Overrun(Arc::new(AtomicBool::new(false)));
        (Self { body, left: limit, overrun: overrun.clone() }, overrun)
    }
}

impl<B> Body for Limited<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else { return Poll::Pending };
        let Some(frame) = frame else { return Poll::Ready(None) };
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => return Poll::Ready(Some(Err(error.into()))),
        };
        let bytes = u64::try_from(frame.data_ref().map_or(0, Buf::remaining)).unwrap_or(u64::MAX);
        let Some(left) = self.left.checked_sub(bytes) else {
            self.overrun.0.store(true, Ordering::Relaxed);
            return Poll::Ready(Some(Err("the body is larger than the limit".into())));
        };
        self.left = left;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
