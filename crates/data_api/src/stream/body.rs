//! The body of an answer whose rows are still arriving.
//!
//! Invariant: it ends well only where it was said that nothing is missing.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::mpsc;

/// What arrives.
#[derive(Debug)]
pub(super) enum Piece {
    /// More of the body.
    More(Bytes),
    /// Nothing is missing.
    Last,
}

/// A body that is still arriving.
#[derive(Debug)]
pub(super) struct Arriving {
    pieces: mpsc::Receiver<Piece>,
    is_over: bool,
}

/// The body ends before its end. Why, the log has said.
#[derive(Debug)]
pub(super) struct BrokenOff;

impl Arriving {
    pub(super) fn new(pieces: mpsc::Receiver<Piece>) -> Self {
        Self { pieces, is_over: false }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let piece = std::task::ready!(self.pieces.poll_recv(context));
        self.is_over = !matches!(piece, Some(Piece::More(_)));
        Poll::Ready(match piece {
            Some(Piece::More(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Piece::Last) => None,
            None => Some(Err(BrokenOff)),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}

impl fmt::Display for BrokenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the result broke off")
    }
}

impl std::error::Error for BrokenOff {}
