//! The body of an upload as programs of S3 send it: as it is, or cut into chunks that are each signed.
//!
//! Invariant: bytes go on as they come, and the stream ends with an error where a signature or a sum is another one: whoever writes them
//! keeps nothing of a stream that ends so.

use std::collections::VecDeque;
use std::fmt::Write as _;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use kernel::{BlobStream, Error, Kind, Result};

use super::checksum::Sum;
use super::signature::{SigningKey, hex, sha256, unhex};

/// Letters of the line before a chunk, and of all that stands behind the last.
const LINE_MAX: usize = 16_384;

/// How a body comes.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// As it is, whatever it is.
    Plain,
    /// In chunks, each signed with what was signed before it.
    Signed(Box<Signing>),
    /// In chunks that are not signed.
    Unsigned,
}

/// What chunks are signed with.
#[derive(Clone, Debug)]
pub(super) struct Signing {
    pub(super) key: SigningKey,
    pub(super) time: String,
    pub(super) scope: String,
    /// What was signed before.
    pub(super) before: String,
}

/// A sum that the bytes must come out as, by header, in base64; to be said behind the body where it is not known.
pub(super) struct Expected {
    pub(super) name: String,
    pub(super) said: Option<String>,
    pub(super) sum: Sum,
}

struct Reading {
    body: BlobStream,
    form: Form,
    buffer: BytesMut,
    /// What is left of the chunk; none between two.
    left: Option<u64>,
    chunk: Sum,
    signature: Vec<u8>,
    sums: Vec<Expected>,
    ready: VecDeque<Bytes>,
    is_over: bool,
}

/// Returns the bytes of a body, held against its signatures and sums.
pub(super) fn unwrapped(body: BlobStream, form: Form, sums: Vec<Expected>) -> BlobStream {
    let reading = Reading {
        body,
        form,
        buffer: BytesMut::new(),
        left: None,
        chunk: Sum::sha256(),
        signature: Vec::new(),
        sums,
        ready: VecDeque::new(),
        is_over: false,
    };
    stream::unfold(Some(reading), |reading| async move {
        let mut reading = reading?;
        match reading.next().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(reading))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Ok(Some(piece));
            }
            if self.is_over {
                return Ok(None);
            }
            if matches!(self.form, Form::Plain) {
                match self.body.next().await.transpose()? {
                    Some(piece) => self.let_through(piece),
                    None => self.end(&[])?,
                }
                continue;
            }
            if !self.advance()? {
                match self.body.next().await.transpose()? {
                    Some(piece) => self.buffer.extend_from_slice(&piece),
                    None => return Err(incomplete()),
                }
            }
        }
    }

    /// Reads what the buffer has. False where it takes more.
    fn advance(&mut self) -> Result<bool> {
        match self.left {
            Some(left) if left > 0 => {
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
                if taken == 0 {
                    return Ok(false);
                }
                let piece = self.buffer.split_to(taken).freeze();
                self.left = Some(left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX)));
                self.chunk.update(&piece);
                self.let_through(piece);
                Ok(true)
            }
            Some(_) => {
                if self.buffer.len() < 2 {
                    return Ok(false);
                }
                if !self.buffer.starts_with(b"\r\n") {
                    return Err(incomplete());
                }
                self.buffer.advance(2);
                self.check_chunk()?;
                self.left = None;
                Ok(true)
            }
            None => self.line(),
        }
    }

    /// Reads the line before a chunk: its length in hexadecimal, and its signature.
    fn line(&mut self) -> Result<bool> {
        let Some(at) = self.buffer.windows(2).position(|two| two == b"\r\n") else {
            return if self.buffer.len() > LINE_MAX { Err(incomplete()) } else { Ok(false) };
        };
        let line = String::from_utf8_lossy(self.buffer.get(..at).unwrap_or_default()).into_owned();
        let (length, rest) = line.split_once(';').unwrap_or((&line, ""));
        let length = u64::from_str_radix(length.trim(), 16).map_err(|error| incomplete().with_source(error))?;
        let signature = rest.strip_prefix("chunk-signature=").map(str::trim).and_then(unhex).unwrap_or_default();
        if length > 0 {
            self.buffer.advance(at + 2);
            (self.left, self.signature, self.chunk) = (Some(length), signature, Sum::sha256());
            return Ok(true);
        }
        // The last one is empty; behind it stand sums, and an empty line.
        let behind = self.buffer.get(at + 2..).unwrap_or_default();
        let end =
            if behind.starts_with(b"\r\n") { Some(2) } else { behind.windows(4).position(|four| four == b"\r\n\r\n").map(|end| end + 4) };
        let Some(end) = end else {
            return if self.buffer.len() > LINE_MAX { Err(incomplete()) } else { Ok(false) };
        };
        let trailer = String::from_utf8_lossy(behind.get(..end).unwrap_or_default()).into_owned();
        (self.signature, self.chunk) = (signature, Sum::sha256());
        self.check_chunk()?;
        let lines: Vec<(String, String)> = trailer
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        self.check_trailer(&lines)?;
        self.end(&lines)?;
        Ok(true)
    }

    fn let_through(&mut self, piece: Bytes) {
        for expected in &mut self.sums {
            expected.sum.update(&piece);
        }
        if !piece.is_empty() {
            self.ready.push_back(piece);
        }
    }

    fn check_chunk(&mut self) -> Result<()> {
        let digest = hex(&std::mem::replace(&mut self.chunk, Sum::sha256()).finish());
        let Form::Signed(signing) = &mut self.form else { return Ok(()) };
        let Signing { key, time, scope, before } = signing.as_mut();
        let text = format!("AWS4-HMAC-SHA256-PAYLOAD\n{time}\n{scope}\n{before}\n{}\n{digest}", hex(sha256(b"").as_ref()));
        if !key.is_of(text.as_bytes(), &self.signature) {
            return Err(not_signed());
        }
        *before = hex(&self.signature);
        Ok(())
    }

    fn check_trailer(&mut self, lines: &[(String, String)]) -> Result<()> {
        let Form::Signed(signing) = &self.form else { return Ok(()) };
        let Signing { key, time, scope, before } = signing.as_ref();
        let signed = lines.iter().filter(|(name, _)| name != "x-amz-trailer-signature").fold(String::new(), |mut signed, (name, value)| {
            let _infallible = writeln!(signed, "{name}:{value}");
            signed
        });
        if signed.is_empty() {
            return Ok(());
        }
        let signature =
            lines.iter().find(|(name, _)| name == "x-amz-trailer-signature").and_then(|(_, value)| unhex(value)).unwrap_or_default();
        let text = format!("AWS4-HMAC-SHA256-TRAILER\n{time}\n{scope}\n{before}\n{}", hex(sha256(signed.as_bytes()).as_ref()));
        if key.is_of(text.as_bytes(), &signature) { Ok(()) } else { Err(not_signed()) }
    }

    fn end(&mut self, trailer: &[(String, String)]) -> Result<()> {
        self.is_over = true;
        for Expected { name, said, sum } in self.sums.drain(..) {
            let said = said.or_else(|| trailer.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()));
            let Some(said) = said else { return Err(incomplete()) };
            let came = if name == "x-amz-content-sha256" { hex(&sum.finish()) } else { sum.base64() };
            if came != said {
                return Err(match name.as_str() {
                    "x-amz-content-sha256" => {
                        let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
                        Error::new(Kind::BadRequest, "XAmzContentSHA256Mismatch", message)
                    }
                    _ => Error::new(Kind::BadRequest, "BadDigest", "The checksum you specified did not match what we received."),
                });
            }
        }
        Ok(())
    }
}

fn not_signed() -> Error {
    Error::new(Kind::Forbidden, "SignatureDoesNotMatch", "The signature of a chunk is another one.")
}

fn incomplete() -> Error {
    Error::new(Kind::BadRequest, "IncompleteBody", "The body is not cut into chunks as the request says, or ends before its end.")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chunked upload of Amazon's documentation: 65 KB of the letter a in two chunks, and an empty one.
    const SIGNATURES: [&str; 3] = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ];

    fn signed() -> Form {
        let scope = "20130524/us-east-1/s3/aws4_request".to_owned();
        let key = SigningKey::of(b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", &scope);
        let before = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9".to_owned();
        Form::Signed(Box::new(Signing { key, time: "20130524T000000Z".to_owned(), scope, before }))
    }

    fn example() -> Vec<u8> {
        let [first, second, last] = SIGNATURES;
        let (one, two) = ("a".repeat(65_536), "a".repeat(1024));
        format!("10000;chunk-signature={first}\r\n{one}\r\n400;chunk-signature={second}\r\n{two}\r\n0;chunk-signature={last}\r\n\r\n")
            .into_bytes()
    }

    async fn read(body: Vec<u8>, form: Form, sums: Vec<Expected>) -> Result<Vec<u8>> {
        // As a line has it: in pieces that end anywhere.
        let pieces: Vec<Result<Bytes>> = body.chunks(1000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let mut content = unwrapped(stream::iter(pieces).boxed(), form, sums);
        let mut came = Vec::new();
        while let Some(piece) = content.next().await {
            came.extend_from_slice(&piece?);
        }
        Ok(came)
    }

    fn expecting(name: &str, said: Option<&str>) -> Vec<Expected> {
        vec![Expected { name: name.to_owned(), said: said.map(str::to_owned), sum: Sum::of_header(name).unwrap_or_else(Sum::sha256) }]
    }

    #[tokio::test]
    async fn amazons_example_is_read_and_no_letter_of_it_may_be_changed() {
        assert_eq!(read(example(), signed(), vec![]).await.unwrap(), vec![b'a'; 66_560]);
        for place in [30, 100, 65_600, 66_600] {
            let mut changed = example();
            changed[place] = if changed[place] == b'b' { b'c' } else { b'b' };
            assert!(read(changed, signed(), vec![]).await.is_err(), "{place}");
        }
        let cut = example().into_iter().take(65_700).collect();
        assert_eq!(read(cut, signed(), vec![]).await.unwrap_err().code(), "IncompleteBody");
        // A chunk left out, and another order.
        let [first, _, last] = SIGNATURES;
        let body = format!("10000;chunk-signature={first}\r\n{}\r\n0;chunk-signature={last}\r\n\r\n", "a".repeat(65_536));
        assert_eq!(read(body.into_bytes(), signed(), vec![]).await.unwrap_err().code(), "SignatureDoesNotMatch");
    }

    #[tokio::test]
    async fn sums_before_and_behind_the_body_are_held_against_it() {
        // As the catalogue of CRCs and `openssl md5 -binary | base64` say of nine digits.
        let body = |sum: &str| format!("9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:{sum}\r\n\r\n").into_bytes();
        let trailed = || expecting("x-amz-checksum-crc32", None);
        assert_eq!(read(body("y/Q5Jg=="), Form::Unsigned, trailed()).await.unwrap(), b"123456789");
        assert_eq!(read(body("AAAAAA=="), Form::Unsigned, trailed()).await.unwrap_err().code(), "BadDigest");
        let without = b"9\r\n123456789\r\n0\r\n\r\n".to_vec();
        assert_eq!(read(without, Form::Unsigned, trailed()).await.unwrap_err().code(), "IncompleteBody");
        let plain = |said| read(b"123456789".to_vec(), Form::Plain, expecting("content-md5", Some(said)));
        assert_eq!(plain("JfnnlDI7RTiF9RgfG2JNCw==").await.unwrap(), b"123456789");
        assert_eq!(plain("AAAAAAAAAAAAAAAAAAAAAA==").await.unwrap_err().code(), "BadDigest");
        let digest = read(b"abc".to_vec(), Form::Plain, expecting("x-amz-content-sha256", Some(&"0".repeat(64)))).await;
        assert_eq!(digest.unwrap_err().code(), "XAmzContentSHA256Mismatch");
        for bad in ["", "x\r\n", "ffffffffffffffffff\r\n", "5\r\nabcdefg", "-1\r\n"] {
            assert_eq!(read(bad.into(), Form::Unsigned, vec![]).await.unwrap_err().code(), "IncompleteBody", "{bad:?}");
        }
        assert_eq!(read(vec![b'1'; 40_000], Form::Unsigned, vec![]).await.unwrap_err().code(), "IncompleteBody");
    }
}
