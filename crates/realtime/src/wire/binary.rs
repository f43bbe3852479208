//! Binary frames of version 2.0.0: a client's broadcast (kind 3), the server's (kind 4), and what a client says otherwise (kind 0).
//!
//! Invariant: lengths are bytes of UTF-8 and one byte each; a frame that is shorter than it says is none.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Incoming, NULL, quoted};

/// Anything that a client says, with its JSON behind the names.
const PLAIN: u8 = 0;
/// A client's broadcast.
const PUSH: u8 = 3;
/// The server's.
const BROADCAST: u8 = 4;
/// The payload is bytes, not JSON.
const RAW: u8 = 0;
/// The payload is JSON.
const JSON: u8 = 1;

/// A broadcast that a client sent as a binary frame.
#[derive(Debug)]
pub(crate) struct Push {
    pub(crate) join_ref: String,
    pub(crate) reference: String,
    pub(crate) topic: String,
    pub(crate) event: String,
    pub(crate) is_json: bool,
    pub(crate) payload: Bytes,
}

/// Reads a frame; nothing where it is no broadcast of a client.
pub(crate) fn read(frame: &Bytes) -> Option<Push> {
    let [kind, lengths @ .., encoding] = *frame.first_chunk::<7>()?;
    if kind != PUSH || !matches!(encoding, RAW | JSON) {
        return None;
    }
    let mut at = 7_usize;
    let mut next = |length: u8| {
        let end = at.checked_add(length.into())?;
        let part = std::str::from_utf8(frame.get(at..end)?).ok()?;
        at = end;
        Some(part.to_owned())
    };
    let [join_ref, reference, topic, event, meta] = lengths;
    let (join_ref, reference, topic, event) = (next(join_ref)?, next(reference)?, next(topic)?, next(event)?);
    // What a client adds beside its payload is nobody's to believe.
    let _meta = next(meta)?;
    Some(Push { join_ref, reference, topic, event, is_json: encoding == JSON, payload: frame.slice(at..) })
}

/// Reads what a client says in a binary frame as it would in a text; nothing where it is no such frame, or its payload no JSON.
pub(crate) fn read_plain(frame: &Bytes) -> Option<Incoming> {
    let [kind, lengths @ ..] = *frame.first_chunk::<5>()?;
    if kind != PLAIN {
        return None;
    }
    let mut rest = std::str::from_utf8(frame.get(5..)?).ok()?;
    let mut next = |length: u8| {
        let (part, behind) = rest.split_at_checked(length.into())?;
        rest = behind;
        Some(part)
    };
    let [join_ref, reference, topic, event] = lengths;
    let (join_ref, reference, topic, event) = (next(join_ref)?, next(reference)?, next(topic)?, next(event)?);
    let number = |said: &str| if said.is_empty() { NULL.into() } else { quoted(said).into() };
    let payload = serde_json::from_str::<&RawValue>(rest).ok()?.to_owned();
    Some(Incoming { join_ref: number(join_ref), reference: number(reference), topic: topic.to_owned(), event: event.to_owned(), payload })
}

/// Writes bytes that are told to a channel; nothing where a name is too long.
pub(crate) fn write(topic: &str, event: &str, meta: &str, payload: &[u8]) -> Option<Bytes> {
    let length = |text: &str| u8::try_from(text.len()).ok();
    let mut frame = Vec::with_capacity(5 + topic.len() + event.len() + meta.len() + payload.len());
    frame.extend([BROADCAST, length(topic)?, length(event)?, length(meta)?, RAW]);
    for part in [topic.as_bytes(), event.as_bytes(), meta.as_bytes(), payload] {
        frame.extend_from_slice(part);
    }
    Some(frame.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_read_by_its_lengths() {
        let frame = Bytes::from_static(b"\x03\x01\x01\x0a\x02\x00\x0112realtime:xhi{\"a\":1}");
        let push = read(&frame).unwrap();
        assert_eq!(
            (push.join_ref.as_str(), push.reference.as_str(), push.topic.as_str(), push.event.as_str()),
            ("1", "2", "realtime:x", "hi")
        );
        assert!(push.is_json && &*push.payload == b"{\"a\":1}");
        let raw = Bytes::from_static(b"\x03\x00\x00\x0a\x02\x02\x00realtime:xhi{}\xff\x00");
        let push = read(&raw).unwrap();
        assert!(!push.is_json && &*push.payload == b"\xff\x00");
    }

    #[test]
    fn what_is_said_in_bytes_is_read_as_in_text() {
        let said = read_plain(&Bytes::from_static(b"\x00\x01\x00\x0a\x09\x31realtime:xbroadcast{\"a\":1}")).unwrap();
        assert_eq!((&*said.join_ref, &*said.reference), ("\"1\"", "null"));
        assert_eq!((said.topic.as_str(), said.event.as_str(), said.payload.get()), ("realtime:x", "broadcast", "{\"a\":1}"));
        for none in [
            &b"\x00\x00\x00\x0a\x09realtime:xbroadcast\xff"[..],
            b"\x00\x00\x00\x0a\x09realtime:xbroadcast",
            b"\x00\x09",
            b"\x03\x00\x00\x00\x00{}",
        ] {
            assert!(read_plain(&Bytes::copy_from_slice(none)).is_none());
        }
    }

    #[test]
    fn what_is_cut_or_of_another_kind_is_none() {
        let whole = b"\x03\x01\x01\x0a\x02\x00\x0112realtime:xhi";
        for end in 0..whole.len() {
            assert!(read(&Bytes::copy_from_slice(&whole[..end])).is_none(), "{end}");
        }
        assert!(read(&Bytes::from_static(b"\x00\x01\x01\x0a\x02\x00\x0112realtime:xhi")).is_none());
        assert!(read(&Bytes::from_static(b"\x03\x01\x01\x0a\x02\x00\x0212realtime:xhi")).is_none());
        assert!(read(&Bytes::from_static(b"\x03\x02\x01\x0a\x02\x00\x01\xff\xff2realtime:xhi")).is_none());
    }

    #[test]
    fn bytes_are_told_with_their_lengths() {
        assert_eq!(&*write("realtime:x", "hi", "{}", b"\xff").unwrap(), b"\x04\x0a\x02\x02\x00realtime:xhi{}\xff");
        assert!(write(&"x".repeat(256), "hi", "", b"").is_none());
    }
}
