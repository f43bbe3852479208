//! A connection on which PostgreSQL sends its log: what is said to begin, and the messages that come then.
//!
//! Invariant: whatever comes is either understood or the end of the connection; how far it was read is told to PostgreSQL at most once
//! for each answer of [`Replication::next`], so that it may forget what nobody needs.

use std::io;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::{DataRowBody, Header, Message};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::dial::Dialer;
use super::fault::{Fault, Refusal};
use super::startup::Session;
use super::stream::Stream;

/// Both sides send.
const COPY_BOTH_TAG: u8 = b'W';
/// A tag and a length.
const HEADER_BYTES: usize = 5;
/// Bytes that a read has room for.
const READ_BYTES: usize = 64 * 1024;

/// The connection.
pub(crate) struct Replication {
    stream: Stream,
    read: BytesMut,
}

/// What PostgreSQL sends once it began.
#[derive(Debug)]
pub(crate) enum Sent {
    /// A piece of the log, as the plugin wrote it.
    Data {
        /// Where it stands.
        lsn: u64,
        bytes: Bytes,
    },
    /// How far PostgreSQL is, and whether it wants to hear how far we are.
    Alive { end: u64, wants_reply: bool },
}

impl Dialer {
    /// Makes a connection on which PostgreSQL can send its log.
    pub(crate) async fn replicate(&self) -> Result<Replication, Fault> {
        let (Session { stream, read, .. }, _address) = self.session(true).await?;
        Ok(Replication { stream, read })
    }
}

impl Replication {
    /// Makes a slot that ends with the connection. PostgreSQL answers when all transactions that are under way have ended. Returns the place
    /// in the log behind which everything comes.
    pub(crate) async fn make_slot(&mut self, name: &str) -> Result<u64, Fault> {
        self.say(&format!("CREATE_REPLICATION_SLOT \"{name}\" TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT")).await?;
        let mut point = None;
        loop {
            match self.hear().await? {
                Message::ReadyForQuery(_) => return point.ok_or_else(unexpected),
                Message::DataRow(row) => point = Some(consistent_point(&row)?),
                Message::RowDescription(_) | Message::CommandComplete(_) | Message::NoticeResponse(_) => {}
                _ => return Err(unexpected()),
            }
        }
    }

    /// Begins: from now on only [`Replication::next`] and [`Replication::confirm`] make sense. Names are those of our own.
    pub(crate) async fn begin(&mut self, slot: &str, publications: &[&str]) -> Result<(), Fault> {
        let publications: Vec<String> = publications.iter().map(|name| format!("\"{name}\"")).collect();
        let text = format!(
            "START_REPLICATION SLOT \"{slot}\" LOGICAL 0/0 (proto_version '1', publication_names '{}', messages 'true')",
            publications.join(",")
        );
        self.say(&text).await?;
        loop {
            let (tag, body) = self.frame().await?;
            match tag {
                COPY_BOTH_TAG => return Ok(()),
                b'E' => return Err(refusal(tag, &body)?),
                // Notices and parameters.
                b'N' | b'S' => {}
                _ => return Err(unexpected()),
            }
        }
    }

    /// Waits for what comes next.
    pub(crate) async fn next(&mut self) -> Result<Sent, Fault> {
        loop {
            let (tag, mut body) = self.frame().await?;
            match tag {
                b'd' if body.first() == Some(&b'w') && body.len() >= 25 => {
                    body.advance(1);
                    let lsn = body.get_u64();
                    // How far PostgreSQL is, and its clock.
                    body.advance(16);
                    return Ok(Sent::Data { lsn, bytes: body.freeze() });
                }
                b'd' if body.first() == Some(&b'k') && body.len() >= 18 => {
                    body.advance(1);
                    let end = body.get_u64();
                    body.advance(8);
                    return Ok(Sent::Alive { end, wants_reply: body.get_u8() != 0 });
                }
                b'N' | b'S' => {}
                b'E' => return Err(refusal(tag, &body)?),
                b'c' => return Err(Fault::ended()),
                _ => return Err(unexpected()),
            }
        }
    }

    /// Tells PostgreSQL that everything before a place in the log was taken.
    pub(crate) async fn confirm(&mut self, lsn: u64) -> Result<(), Fault> {
        let mut body = BytesMut::with_capacity(34);
        body.put_u8(b'r');
        // Written, flushed and applied are the same here; the clock is only shown.
        for _ in 0..3 {
            body.put_u64(lsn);
        }
        body.put_u64(0);
        body.put_u8(0);
        let mut out = BytesMut::with_capacity(40);
        frontend::CopyData::new(body.freeze())?.write(&mut out);
        self.stream.write_all(&out).await?;
        Ok(self.stream.flush().await?)
    }

    async fn say(&mut self, text: &str) -> Result<(), Fault> {
        let mut out = BytesMut::new();
        frontend::query(text, &mut out)?;
        self.stream.write_all(&out).await?;
        Ok(self.stream.flush().await?)
    }

    async fn hear(&mut self) -> Result<Message, Fault> {
        loop {
            match Message::parse(&mut self.read)? {
                Some(Message::ErrorResponse(body)) => return Err(Fault::Refused(Box::new(Refusal::of(&body)?))),
                Some(message) => return Ok(message),
                None => self.more().await?,
            }
        }
    }

    /// Returns the next message's tag and body.
    async fn frame(&mut self) -> Result<(u8, BytesMut), Fault> {
        loop {
            if let Some(header) = Header::parse(&self.read)? {
                let length = usize::try_from(header.len()).map_err(io::Error::other)?.saturating_add(1);
                if self.read.len() >= length {
                    let mut frame = self.read.split_to(length);
                    frame.advance(HEADER_BYTES);
                    return Ok((header.tag(), frame));
                }
                self.read.reserve(length.saturating_sub(self.read.len()));
            }
            self.more().await?;
        }
    }

    /// Reads more. What was read stays when the caller goes away.
    async fn more(&mut self) -> Result<(), Fault> {
        if self.read.capacity().saturating_sub(self.read.len()) < READ_BYTES / 4 {
            self.read.reserve(READ_BYTES);
        }
        if self.stream.read_buf(&mut self.read).await? == 0 { Err(Fault::ended()) } else { Ok(()) }
    }
}

/// Reads where a new slot begins, `X/Y` in hexadecimal.
fn consistent_point(row: &DataRowBody) -> Result<u64, Fault> {
    let range = row.ranges().nth(1)?.flatten().ok_or_else(unexpected)?;
    let text = row.buffer().get(range).and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or_else(unexpected)?;
    let half = |text: &str| u64::from_str_radix(text, 16).ok().filter(|half| *half <= u32::MAX.into());
    let (high, low) = text.split_once('/').ok_or_else(unexpected)?;
    let (high, low) = half(high).zip(half(low)).ok_or_else(unexpected)?;
    Ok((high << 32) | low)
}

fn refusal(tag: u8, body: &[u8]) -> Result<Fault, Fault> {
    let mut whole = BytesMut::with_capacity(body.len().saturating_add(HEADER_BYTES));
    whole.put_u8(tag);
    whole.put_u32(u32::try_from(body.len().saturating_add(4)).map_err(io::Error::other)?);
    whole.extend_from_slice(body);
    match Message::parse(&mut whole)? {
        Some(Message::ErrorResponse(body)) => Ok(Fault::Refused(Box::new(Refusal::of(&body)?))),
        _ => Ok(unexpected()),
    }
}

fn unexpected() -> Fault {
    Fault::Broken(io::Error::new(io::ErrorKind::InvalidData, "the server said something that does not belong to its log"))
}
