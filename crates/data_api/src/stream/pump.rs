//! Moves rows from PostgreSQL into the body of an answer, no faster than the client takes it.
//!
//! Invariant: it ends when all is sent, when the client went away or takes nothing, when PostgreSQL fails, or when the time is over; with
//! it the statement, the connection and the place among the large results.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use kernel::{Error, Result};
use postgres::{Row, RowStream};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tracing::Instrument as _;

use super::body::{Arriving, Piece};
use crate::query::{Elements, IsStructured};

/// Pieces between the rows and the client; what is read ahead is bounded before them.
const PIECES: usize = 2;
/// The number of an element in its row.
const ELEMENT: usize = 2;
/// An element that is larger is a piece of its own and not copied.
const COPIED_BYTES_MAX: usize = 16 * 1024;

/// Rows on their way into a body.
pub(super) struct Pump {
    pub(super) rows: RowStream,
    pub(super) elements: Elements,
    pub(super) place: OwnedSemaphorePermit,
    /// How long the client may take nothing.
    pub(super) idle: Duration,
}

/// Why not everything was sent.
enum Stopped {
    /// The client went away.
    Left,
    /// The client took nothing for too long.
    Idle,
    /// All of it took too long.
    Late,
    /// PostgreSQL failed.
    Failed(Error),
}

impl Pump {
    /// Begins to move; the head stands before the first elements, which have come already.
    pub(super) fn start(self, head: Option<String>, first: Vec<Row>, time: Duration) -> Arriving {
        let (pieces, arriving) = mpsc::channel(PIECES);
        let work = async move {
            let moved = tokio::time::timeout(time, self.run(head, first, &pieces)).await;
            told(moved.unwrap_or(Err(Stopped::Late)));
        };
        // Who asked is answered by then; the lines of the log still name the request.
        tokio::spawn(work.in_current_span());
        Arriving::new(arriving)
    }

    async fn run(self, head: Option<String>, first: Vec<Row>, pieces: &mpsc::Sender<Piece>) -> Result<(), Stopped> {
        let Self { mut rows, elements, place, idle } = self;
        let put = async |piece: Piece| match tokio::time::timeout(idle, pieces.send(piece)).await {
            Ok(sent) => sent.map_err(|_left| Stopped::Left),
            Err(_elapsed) => Err(Stopped::Idle),
        };
        let mut writer = Writer::new(elements, head);
        let mut next = Some(first);
        while let Some(came) = next {
            for piece in writer.pieces(&came).map_err(Stopped::Failed)? {
                put(Piece::More(piece)).await?;
            }
            drop(came);
            next = tokio::select! {
                () = pieces.closed() => return Err(Stopped::Left),
                came = rows.next() => came.map_err(Stopped::Failed)?,
            };
        }
        if let Some(end) = writer.end() {
            put(Piece::More(end)).await?;
        }
        put(Piece::Last).await?;
        drop(place);
        Ok(())
    }
}

fn told(moved: Result<(), Stopped>) {
    let outcome = match &moved {
        Ok(()) => "complete",
        Err(Stopped::Left) => "left",
        Err(Stopped::Idle) => "idle",
        Err(Stopped::Late) => "late",
        Err(Stopped::Failed(_)) => "failed",
    };
    metrics::counter!("data_api_streams_total", "outcome" => outcome).increment(1);
    match moved {
        Ok(()) => {}
        Err(Stopped::Left) => tracing::debug!("the client of a large result went away"),
        Err(Stopped::Idle) => tracing::warn!("a large result broke off: its client took nothing for too long"),
        Err(Stopped::Late) => tracing::warn!("a large result broke off: it took too long"),
        Err(Stopped::Failed(error)) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(code = error.code(), source, "a large result broke off: {}", error.message());
        }
    }
}

/// Writes elements behind each other, as one body.
struct Writer {
    elements: Elements,
    is_first: bool,
    written: BytesMut,
}

impl Writer {
    fn new(elements: Elements, head: Option<String>) -> Self {
        let mut written = BytesMut::new();
        match elements {
            Elements::Objects | Elements::ObjectsStripped | Elements::Values(_) => written.put_u8(b'['),
            Elements::Csv => {
                written.put_slice(head.unwrap_or_default().as_bytes());
                written.put_u8(b'\n');
            }
            Elements::CsvOfValues => written.put_slice(b"pgrst_scalar\n"),
        }
        Self { elements, is_first: true, written }
    }

    /// Returns the pieces that come of some rows.
    fn pieces(&mut self, rows: &[Row]) -> Result<Vec<Bytes>> {
        let mut pieces = Vec::with_capacity(1);
        for row in rows {
            self.element(row.raw(ELEMENT).map_err(Error::internal)?, &mut pieces);
        }
        self.finish(&mut pieces);
        Ok(pieces)
    }

    fn element(&mut self, element: Option<Bytes>, pieces: &mut Vec<Bytes>) {
        if !std::mem::take(&mut self.is_first) {
            self.written.put_slice(separator(self.elements, element.is_none()));
        }
        match element {
            // Only a value may be null: lines and objects are texts.
            None => self.written.put_slice(b"null"),
            Some(bytes) if bytes.len() > COPIED_BYTES_MAX => {
                self.finish(pieces);
                pieces.push(bytes);
            }
            Some(bytes) => self.written.put_slice(&bytes),
        }
    }

    fn finish(&mut self, pieces: &mut Vec<Bytes>) {
        if !self.written.is_empty() {
            pieces.push(self.written.split().freeze());
        }
    }

    /// Returns what stands behind the last element, if anything does.
    fn end(self) -> Option<Bytes> {
        match self.elements {
            Elements::Objects | Elements::ObjectsStripped | Elements::Values(_) => Some(Bytes::from_static(b"]")),
            Elements::Csv | Elements::CsvOfValues => None,
        }
    }
}

/// What stands between two elements in PostgreSQL's own arrays.
fn separator(elements: Elements, is_null: bool) -> &'static [u8] {
    match elements {
        Elements::Objects => b", \n ",
        Elements::ObjectsStripped => b",",
        Elements::Values(IsStructured(true)) if !is_null => b", \n ",
        Elements::Values(_) => b", ",
        Elements::Csv | Elements::CsvOfValues => b"\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(elements: Elements, head: Option<&str>, values: &[Option<&'static str>]) -> String {
        let mut writer = Writer::new(elements, head.map(str::to_owned));
        let mut pieces = Vec::new();
        for value in values {
            writer.element(value.map(|text| Bytes::from_static(text.as_bytes())), &mut pieces);
        }
        writer.finish(&mut pieces);
        pieces.extend(writer.end());
        String::from_utf8(pieces.concat()).unwrap()
    }

    #[test]
    fn elements_stand_as_postgresql_would_have_written_them_together() {
        let two = [Some("1"), Some("2")];
        assert_eq!(written(Elements::Objects, None, &two), "[1, \n 2]");
        assert_eq!(written(Elements::ObjectsStripped, None, &two), "[1,2]");
        assert_eq!(written(Elements::Values(IsStructured(false)), None, &[Some("1"), None, Some("2")]), "[1, null, 2]");
        assert_eq!(written(Elements::Values(IsStructured(true)), None, &[Some("[1]"), None, Some("[2]")]), "[[1], null, \n [2]]");
        assert_eq!(written(Elements::Csv, Some("a,b"), &two), "a,b\n1\n2");
        assert_eq!(written(Elements::CsvOfValues, None, &two), "pgrst_scalar\n1\n2");
        assert_eq!(written(Elements::Objects, None, &[]), "[]");
        assert_eq!(written(Elements::Csv, Some(""), &[]), "\n");
    }

    #[test]
    fn a_large_element_is_a_piece_of_its_own() {
        let mut writer = Writer::new(Elements::Objects, None);
        let mut pieces = Vec::new();
        let large = Bytes::from(vec![b'x'; COPIED_BYTES_MAX + 1]);
        for element in [Bytes::from_static(b"1"), large.clone(), Bytes::from_static(b"2")] {
            writer.element(Some(element), &mut pieces);
        }
        writer.finish(&mut pieces);
        assert_eq!(pieces, [Bytes::from_static(b"[1, \n "), large, Bytes::from_static(b", \n 2")]);
    }
}
