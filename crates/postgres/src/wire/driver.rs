//! Who reads and writes on a connection: everything that was queued goes out at once, and answers go to those who asked, in their order.
//!
//! Invariant: answers are read whether anybody waits for them or not; each ends with `ReadyForQuery`, so that the next one begins where it
//! must. When the stream ends, everybody who waits is told.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use postgres_protocol::message::backend::{self, Header, Message};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::poll_read_buf;

use super::batch::Part;
use super::connection::{Pending, Replies, Shared};
use super::fault::{Fault, Refusal};
use crate::row::Column;

/// Bytes that one read has room for.
const READ_BYTES: usize = 32 * 1024;
/// Bytes of room below which more is made.
const READ_BYTES_MIN: usize = 8 * 1024;
/// A row that is larger keeps the room that it was read into.
const COPIED_BYTES_MAX: usize = 8 * 1024;
/// A tag and a length.
const HEADER_BYTES: usize = 5;

/// Reads and writes until nobody has the connection any more, or it breaks.
pub(super) struct Driver<S> {
    stream: S,
    shared: Arc<Shared>,
    writing: BytesMut,
    is_flushed: bool,
    reading: BytesMut,
    /// Who waits for an answer, in the order of the answers.
    awaited: VecDeque<Pending>,
    coming: Coming,
    is_ending: bool,
}

/// The answer that is being read.
#[derive(Default)]
struct Coming {
    parts: Vec<Part>,
    /// The statement that is being answered.
    part: Part,
    is_prepared: bool,
    refusal: Option<Refusal>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Takes a connection whose start is over, with what was read beyond it.
    pub(super) fn new(stream: S, reading: BytesMut, shared: Arc<Shared>) -> Self {
        Self {
            stream,
            shared,
            writing: BytesMut::new(),
            is_flushed: true,
            reading,
            awaited: VecDeque::new(),
            coming: Coming::default(),
            is_ending: false,
        }
    }

    fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Before looking: whoever queues something from now on wakes us.
        self.shared.waker.register(cx.waker());
        self.take_queued();
        let written = self.poll_write(cx)?;
        if self.is_ending {
            return written.map(Ok);
        }
        let read = self.poll_read(cx)?;
        if read.is_ready() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        // Nobody has it any more, and all has been answered: it says goodbye.
        if self.shared.is_abandoned() && self.awaited.is_empty() {
            self.is_ending = true;
            frontend::terminate(&mut self.writing);
            return self.poll_write(cx);
        }
        Poll::Pending
    }

    fn take_queued(&mut self) {
        let Ok(mut outgoing) = self.shared.outgoing.lock() else { return };
        if self.writing.is_empty() {
            std::mem::swap(&mut self.writing, &mut outgoing.bytes);
        } else {
            self.writing.extend_from_slice(&outgoing.bytes);
            outgoing.bytes.clear();
        }
        self.awaited.append(&mut outgoing.queued);
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.writing.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.writing))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.writing.advance(written);
            self.is_flushed = false;
        }
        if !self.is_flushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.is_flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads all there is. Ready when the stream has ended.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            // Whoever takes the rows wakes us when there is room again.
            if self.awaited.front().is_some_and(|pending| matches!(&pending.reply, Replies::Rows(inlet) if inlet.is_full())) {
                return Poll::Pending;
            }
            let room = self.reading.capacity().saturating_sub(self.reading.len());
            if room < READ_BYTES_MIN || room < self.missing() {
                self.reading.reserve(READ_BYTES.max(self.missing()));
            }
            if ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.reading))? == 0 {
                return Poll::Ready(Ok(()));
            }
            self.understand()?;
        }
    }

    /// How many bytes of the message that is being read are still to come.
    fn missing(&self) -> usize {
        match Header::parse(&self.reading) {
            Ok(Some(header)) => usize::try_from(header.len()).unwrap_or_default().saturating_add(1).saturating_sub(self.reading.len()),
            _ => HEADER_BYTES,
        }
    }

    fn understand(&mut self) -> io::Result<()> {
        while let Some(header) = Header::parse(&self.reading)? {
            let length = usize::try_from(header.len()).map_err(io::Error::other)?.saturating_add(1);
            if self.reading.len() < length {
                break;
            }
            let is_small = length <= COPIED_BYTES_MAX;
            match (header.tag(), self.reading.get(HEADER_BYTES..length).unwrap_or_default()) {
                // What comes with every answer is read where it is, so that the room for reading is used again and again. Of what nobody
                // needs nothing is read.
                (backend::DATA_ROW_TAG, [_, _, values @ ..]) if is_small => {
                    self.coming.part.values.push(Bytes::copy_from_slice(values));
                }
                (backend::PARSE_COMPLETE_TAG, _) => self.coming.is_prepared = true,
                (backend::COMMAND_COMPLETE_TAG, tag) => {
                    self.coming.part.affected = affected(tag);
                    self.part_is_over();
                }
                (backend::READY_FOR_QUERY_TAG, &[status]) => {
                    self.shared.status.store(status, Ordering::Release);
                    self.answer_is_over()?;
                }
                (
                    backend::BIND_COMPLETE_TAG
                    | backend::CLOSE_COMPLETE_TAG
                    | backend::PARAMETER_DESCRIPTION_TAG
                    | backend::NOTICE_RESPONSE_TAG,
                    _,
                ) => {}
                _ => {
                    if let Some(message) = Message::parse(&mut self.reading)? {
                        self.heard(message)?;
                    }
                    continue;
                }
            }
            self.reading.advance(length);
        }
        self.hand_on();
        Ok(())
    }

    /// Hands on the rows that came, where somebody takes them as they come.
    fn hand_on(&mut self) {
        let Some(Pending { reply: Replies::Rows(inlet), .. }) = self.awaited.front() else { return };
        if !self.coming.part.values.is_empty()
            && let Some(columns) = &self.coming.part.columns
        {
            inlet.put(columns, std::mem::take(&mut self.coming.part.values));
        }
    }

    fn heard(&mut self, message: Message) -> io::Result<()> {
        match message {
            Message::DataRow(row) => self.coming.part.values.push(row.buffer_bytes().clone()),
            Message::RowDescription(body) => self.coming.part.columns = Some(Column::described(&body)?),
            Message::NoData => self.coming.part.columns = Some(Arc::from([])),
            Message::EmptyQueryResponse | Message::PortalSuspended => self.part_is_over(),
            Message::ErrorResponse(body) => {
                let refusal = Refusal { passed: self.coming.parts.len(), ..Refusal::of(&body)? };
                // The first one says why; a deferred check may speak when all parts are over.
                self.coming.refusal.get_or_insert(refusal);
            }
            Message::ParameterStatus(body) => self.shared.parameter(body.name()?, body.value()?),
            Message::NotificationResponse(_) => {}
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "PostgreSQL said something that nobody asked for")),
        }
        Ok(())
    }

    fn part_is_over(&mut self) {
        self.hand_on();
        let mut part = std::mem::take(&mut self.coming.part);
        let expected = self.awaited.front_mut().and_then(|pending| pending.expected.get_mut(self.coming.parts.len()));
        if let Some(expected) = expected {
            if let Some(lesson) = expected.lesson.take() {
                self.shared.learn(&lesson, self.coming.is_prepared, part.columns.as_ref());
            }
            part.columns = part.columns.or_else(|| expected.columns.take());
        }
        self.coming.is_prepared = false;
        self.coming.parts.push(part);
    }

    fn answer_is_over(&mut self) -> io::Result<()> {
        let Some(mut pending) = self.awaited.pop_front() else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "PostgreSQL answered what nobody asked"));
        };
        let coming = std::mem::take(&mut self.coming);
        // The statement that was refused may be prepared all the same; those behind it were skipped.
        let (mut is_prepared, mut columns) = (coming.is_prepared, coming.part.columns);
        for lesson in pending.expected.iter_mut().skip(coming.parts.len()).filter_map(|expected| expected.lesson.take()) {
            self.shared.learn(&lesson, std::mem::take(&mut is_prepared), columns.take().as_ref());
        }
        self.shared.answered();
        pending.reply.end(match coming.refusal {
            Some(refusal) => Err(Fault::Refused(Box::new(refusal))),
            None => Ok(coming.parts),
        });
        Ok(())
    }

    /// Tells everybody who waits that there will be no answer.
    fn end(&mut self, cause: &io::Result<()>) {
        if let Err(cause) = cause {
            tracing::debug!(%cause, "a database connection ended");
        }
        let mut queued = self.shared.broke();
        self.awaited.append(&mut queued);
        // Who is answered when PostgreSQL ends a connection hears why.
        if let (Some(refusal), Some(pending)) = (self.coming.refusal.take(), self.awaited.pop_front()) {
            pending.reply.end(Err(Fault::Refused(Box::new(refusal))));
        }
        for pending in self.awaited.drain(..) {
            pending.reply.end(Err(Fault::ended()));
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Driver<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let ended = ready!(self.poll_drive(cx));
        self.end(&ended);
        Poll::Ready(())
    }
}

/// Reads how many rows were touched: `UPDATE 3`, `INSERT 0 3`, `SELECT 3`; others end with a word.
fn affected(tag: &[u8]) -> u64 {
    let tag = tag.strip_suffix(&[0]).unwrap_or(tag);
    let count = tag.rsplit(|byte| *byte == b' ').next().and_then(|count| std::str::from_utf8(count).ok());
    count.and_then(|count| count.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::affected;

    #[test]
    fn a_tag_says_how_many_rows_were_touched() {
        for (tag, rows) in [("UPDATE 3\0", 3), ("INSERT 0 12\0", 12), ("SELECT 1\0", 1), ("BEGIN\0", 0), ("CREATE TABLE\0", 0), ("", 0)] {
            assert_eq!(affected(tag.as_bytes()), rows, "{tag}");
        }
    }
}
