//! Binary frames of version 2.0.0: a client's broadcast (kind 3) and the server's (kind 4).
//!
//! Invariant: lengths are bytes of UTF-8 and one byte each; a frame that is shorter than it says is none.

use bytes::Bytes;

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
