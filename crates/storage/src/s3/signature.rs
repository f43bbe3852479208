//! Signatures of Amazon's version 4: in the header `Authorization`, and in an address that was signed before.
//!
//! Invariant: a request is whoever's it says only once the same signature comes out of the secret and of all that was signed: method, path,
//! query, the headers that are named, and what stands for the body. `host` is always among them.

use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use http::HeaderMap;
use http::request::Parts;
use jiff::Timestamp;
use jiff::fmt::strtime;
use kernel::{Error, Kind, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

pub(super) use crate::parts::hex;

/// What stands in a path and a query as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same, with the slashes of a path.
const KEPT_IN_PATH: &AsciiSet = &KEPT.remove(b'/');
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Seconds that the clocks of both may differ.
const SKEW_S: i64 = 900;
/// Seconds that a signed address may be good.
const PRESIGNED_S: i64 = 604_800;
/// Headers that may be signed.
const SIGNED_HEADERS_MAX: usize = 50;

/// What stands for a body whose bytes are not signed.
pub(super) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// A signature as a request shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Shown {
    pub(super) access_key: String,
    /// `20261122/eu-central-1/s3/aws4_request`.
    pub(super) scope: String,
    /// `20261122T103000Z`.
    pub(super) time: String,
    pub(super) signature: Vec<u8>,
    /// What stands for the body.
    pub(super) payload: String,
    /// The token of whom the request is, beside the key.
    pub(super) session_token: Option<String>,
    signed_headers: Vec<String>,
    /// The policy of a form, encoded as it is signed: it stands for the whole request.
    policy: Option<String>,
}

/// The key of one day, region and service, by which chunks are signed, too.
#[derive(Clone)]
pub(super) struct SigningKey(hmac::Key);

impl Shown {
    /// Reads the signature of a request; none where it shows none.
    pub(super) fn read(parts: &Parts, now: Timestamp) -> Result<Option<Self>> {
        let query = pairs(parts.uri.query().unwrap_or_default())?;
        let asked = |name: &str| query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        if let Some(header) = header(&parts.headers, "authorization")? {
            if asked("X-Amz-Signature").is_some() {
                return Err(malformed("The request is signed twice"));
            }
            return Self::of_header(header, &parts.headers, now).map(Some);
        }
        let Some(signature) = asked("X-Amz-Signature") else { return Ok(None) };
        let asked = |name: &'static str| asked(name).ok_or_else(|| malformed("A part of the signed address is missing"));
        if asked("X-Amz-Algorithm")? != ALGORITHM {
            return Err(malformed("X-Amz-Algorithm is AWS4-HMAC-SHA256"));
        }
        let time = asked("X-Amz-Date")?.to_owned();
        let seconds: i64 = asked("X-Amz-Expires")?.parse().map_err(|error| malformed("X-Amz-Expires is a number").with_source(error))?;
        if !(1..=PRESIGNED_S).contains(&seconds) {
            return Err(malformed("X-Amz-Expires is 1 to 604800"));
        }
        let age = now.as_second().saturating_sub(read_time(&time)?.as_second());
        if age > seconds || age < -SKEW_S {
            return Err(Error::new(Kind::Forbidden, "AccessDenied", "Request has expired"));
        }
        let session_token = query.iter().find(|(key, _)| key.eq_ignore_ascii_case("X-Amz-Security-Token")).map(|(_, value)| value.clone());
        let payload = header(&parts.headers, "x-amz-content-sha256")?.unwrap_or(UNSIGNED_PAYLOAD).to_owned();
        Self::of(asked("X-Amz-Credential")?, asked("X-Amz-SignedHeaders")?, signature, (time, payload, session_token)).map(Some)
    }

    /// Reads the signature of a form by its fields: it is of the policy, which says what the form may be.
    pub(super) fn of_form<'a>(field: impl Fn(&str) -> Option<&'a str>, now: Timestamp) -> Result<Self> {
        let field = |name: &'static str| {
            field(name)
                .ok_or_else(|| Error::new(Kind::Forbidden, "AccessDenied", format!("The form has no field {name}, and is not signed")))
        };
        let policy = field("policy")?.to_owned();
        if field("x-amz-algorithm")? != ALGORITHM {
            return Err(malformed("X-Amz-Algorithm is AWS4-HMAC-SHA256"));
        }
        let time = field("x-amz-date")?.to_owned();
        let age = now.as_second().saturating_sub(read_time(&time)?.as_second());
        if !(-SKEW_S..=PRESIGNED_S).contains(&age) {
            return Err(Error::new(Kind::Forbidden, "AccessDenied", "Invalid according to Policy: Policy expired."));
        }
        let (credential, signature) = (field("x-amz-credential")?, field("x-amz-signature")?);
        let session_token = field("x-amz-security-token").ok().map(str::to_owned);
        let shown = Self::of(credential, "host", signature, (time, UNSIGNED_PAYLOAD.to_owned(), session_token))?;
        Ok(Self { signed_headers: Vec::new(), policy: Some(policy), ..shown })
    }

    fn of_header(authorization: &str, headers: &HeaderMap, now: Timestamp) -> Result<Self> {
        let rest = authorization.strip_prefix(ALGORITHM).ok_or_else(|| malformed("Authorization is AWS4-HMAC-SHA256"))?;
        let part = |name: &str| {
            let found = rest.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
            found.ok_or_else(|| malformed("Authorization has Credential, SignedHeaders and Signature"))
        };
        let time = header(headers, "x-amz-date")?.ok_or_else(|| malformed("x-amz-date is missing"))?.to_owned();
        if now.as_second().abs_diff(read_time(&time)?.as_second()) > SKEW_S.unsigned_abs() {
            let message = "The difference between the request time and the server's time is too large";
            return Err(Error::new(Kind::Forbidden, "RequestTimeTooSkewed", message));
        }
        let payload = header(headers, "x-amz-content-sha256")?.ok_or_else(|| malformed("x-amz-content-sha256 is missing"))?.to_owned();
        let session_token = header(headers, "x-amz-security-token")?.map(str::to_owned);
        let shown = Self::of(part("Credential")?, part("SignedHeaders")?, part("Signature")?, (time, payload, session_token))?;
        // What says who asks, and what of, is signed itself.
        for name in ["x-amz-date", "x-amz-content-sha256", "x-amz-security-token"] {
            if headers.contains_key(name) && !shown.signed_headers.iter().any(|signed| signed == name) {
                return Err(malformed("Every header x-amz-… is signed"));
            }
        }
        Ok(shown)
    }

    fn of(
        credential: &str,
        signed: &str,
        signature: &str,
        (time, payload, session_token): (String, String, Option<String>),
    ) -> Result<Self> {
        let (access_key, scope) = credential.split_once('/').ok_or_else(|| malformed("A credential is key/date/region/s3/aws4_request"))?;
        let parts: Vec<&str> = scope.split('/').collect();
        let is_scope = matches!(parts.as_slice(), [date, region, "s3", "aws4_request"] if time.starts_with(date) && date.len() == 8 && !region.is_empty());
        if !is_scope || access_key.len() > 128 || scope.len() > 128 {
            return Err(malformed("A credential is key/date/region/s3/aws4_request, of the day of the request"));
        }
        let signed_headers: Vec<String> = signed.split(';').map(str::to_owned).collect();
        if signed_headers.len() > SIGNED_HEADERS_MAX || !signed_headers.iter().any(|name| name == "host") {
            return Err(malformed("SignedHeaders names host, and at most 50 headers"));
        }
        let signature = unhex(signature).filter(|bytes| bytes.len() == 32).ok_or_else(|| malformed("A signature is 64 letters"))?;
        let (access_key, scope) = (access_key.to_owned(), scope.to_owned());
        Ok(Self { access_key, scope, time, signature, payload, session_token, signed_headers, policy: None })
    }

    /// Holds the signature against a secret, and returns the key that chunks of the body are signed by.
    pub(super) fn verify(&self, parts: &Parts, secret: &[u8]) -> Result<SigningKey> {
        let key = SigningKey::of(secret, &self.scope);
        let said = match &self.policy {
            Some(policy) => policy.clone(),
            None => format!("{ALGORITHM}\n{}\n{}\n{}", self.time, self.scope, hex(sha256(self.canonical(parts)?.as_bytes()).as_ref())),
        };
        if key.is_of(said.as_bytes(), &self.signature) {
            return Ok(key);
        }
        let message = "The request signature we calculated does not match the signature you provided. Check your key and signing method.";
        Err(Error::new(Kind::Forbidden, "SignatureDoesNotMatch", message))
    }

    /// The request in the words that are signed.
    fn canonical(&self, parts: &Parts) -> Result<String> {
        let path = percent_decode_str(parts.uri.path()).collect::<Vec<u8>>();
        let mut said = format!("{}\n{}\n", parts.method, percent_encoding::percent_encode(&path, KEPT_IN_PATH));
        let mut query: Vec<(String, String)> = pairs(parts.uri.query().unwrap_or_default())?
            .into_iter()
            .filter(|(key, _)| !key.eq_ignore_ascii_case("X-Amz-Signature"))
            .map(|(key, value)| (utf8_percent_encode(&key, KEPT).to_string(), utf8_percent_encode(&value, KEPT).to_string()))
            .collect();
        query.sort();
        let query: Vec<String> = query.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        said.push_str(&query.join("&"));
        said.push('\n');
        for name in &self.signed_headers {
            let _infallible = writeln!(said, "{name}:{}", signed_header(parts, name)?);
        }
        let _infallible = write!(said, "\n{}\n{}", self.signed_headers.join(";"), self.payload);
        Ok(said)
    }
}

impl SigningKey {
    pub(super) fn of(secret: &[u8], scope: &str) -> Self {
        let first = [b"AWS4", secret].concat();
        let last = scope
            .split('/')
            .fold(first, |key, part| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec());
        Self(hmac::Key::new(hmac::HMAC_SHA256, &last))
    }

    /// Whether a signature is that of a text, in a time that says nothing of where they differ.
    pub(super) fn is_of(&self, text: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&self.0, text, signature).is_ok()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

/// A header as it is signed: trimmed, with one space for several.
fn signed_header(parts: &Parts, name: &str) -> Result<String> {
    let mut values = Vec::new();
    for value in parts.headers.get_all(name) {
        let value = value.to_str().map_err(|error| malformed("A header cannot be read").with_source(error))?;
        values.push(value.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    match (values.is_empty(), name) {
        (true, "host") => Ok(parts.uri.authority().map(ToString::to_string).unwrap_or_default()),
        (true, _) => Err(malformed("A header is signed and missing")),
        (false, _) => Ok(values.join(",")),
    }
}

/// The pairs of a query, decoded. A plus is a plus.
pub(super) fn pairs(query: &str) -> Result<Vec<(String, String)>> {
    let decode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map(std::borrow::Cow::into_owned).map_err(|error| malformed("The query is no text").with_source(error))
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        })
        .collect()
}

fn read_time(text: &str) -> Result<Timestamp> {
    let parsed = strtime::parse("%Y%m%dT%H%M%SZ", text).and_then(|parsed| parsed.to_datetime()).and_then(|time| time.in_tz("UTC"));
    parsed.map(|time| time.timestamp()).map_err(|error| malformed("A date is 20261122T103000Z").with_source(error))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>> {
    let text = headers.get(name).map(|value| value.to_str().map(str::trim)).transpose();
    text.map_err(|error| malformed("A header cannot be read").with_source(error))
}

fn malformed(message: &'static str) -> Error {
    Error::new(Kind::BadRequest, "AuthorizationHeaderMalformed", message)
}

/// The digest of bytes.
pub(super) fn sha256(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, bytes)
}

/// Letters as bytes.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of Amazon's own examples.
    const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn request(method: &str, uri: &str, headers: &[(&'static str, &str)]) -> Parts {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn now(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    /// "GET Object" of the documentation of Amazon S3.
    fn example() -> Parts {
        request(
            "GET",
            "/test.txt",
            &[
                ("host", "examplebucket.s3.amazonaws.com"),
                ("range", "bytes=0-9"),
                ("x-amz-content-sha256", EMPTY),
                ("x-amz-date", "20130524T000000Z"),
                (
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
                     SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
                     Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
                ),
            ],
        )
    }

    #[test]
    fn amazons_examples_are_verified() {
        let parts = example();
        let shown = Shown::read(&parts, now("2013-05-24T00:01:00Z")).unwrap().unwrap();
        assert_eq!((shown.access_key.as_str(), shown.payload.as_str()), ("AKIAIOSFODNN7EXAMPLE", EMPTY));
        assert!(shown.verify(&parts, SECRET).is_ok());
        // "Get Bucket (List Objects)".
        let list = request(
            "GET",
            "/?max-keys=2&prefix=J",
            &[
                ("host", "examplebucket.s3.amazonaws.com"),
                ("x-amz-content-sha256", EMPTY),
                ("x-amz-date", "20130524T000000Z"),
                (
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
                     SignedHeaders=host;x-amz-content-sha256;x-amz-date,\
                     Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
                ),
            ],
        );
        assert!(Shown::read(&list, now("2013-05-24T00:01:00Z")).unwrap().unwrap().verify(&list, SECRET).is_ok());
        // The address of "Authenticating Requests: Using Query Parameters".
        let signed = request(
            "GET",
            "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
            &[("host", "examplebucket.s3.amazonaws.com")],
        );
        let shown = Shown::read(&signed, now("2013-05-24T23:59:59Z")).unwrap().unwrap();
        assert!(shown.verify(&signed, SECRET).is_ok());
        let over = Shown::read(&signed, now("2013-05-25T00:00:01Z")).unwrap_err();
        assert_eq!((over.status().as_u16(), over.code()), (403, "AccessDenied"));
    }

    /// "Browser-Based Upload using HTTP POST" of the documentation of Amazon S3, its policy as it is encoded there.
    #[test]
    fn amazons_form_is_verified() {
        let policy = "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9";
        let fields = [
            ("policy", policy),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            ("x-amz-credential", "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"),
            ("x-amz-date", "20151229T000000Z"),
            ("x-amz-signature", "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e"),
        ];
        let read = |fields: &[(&str, &'static str)], at: &str| {
            let field = |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, value)| *value);
            Shown::of_form(field, now(at))
        };
        let parts = request("POST", "/sigv4examplebucket", &[]);
        assert!(read(&fields, "2015-12-29T01:00:00Z").unwrap().verify(&parts, SECRET).is_ok());
        let mut other = fields;
        other[0].1 = "e30=";
        assert_eq!(read(&other, "2015-12-29T01:00:00Z").unwrap().verify(&parts, SECRET).unwrap_err().code(), "SignatureDoesNotMatch");
        assert_eq!(read(&fields, "2016-01-06T00:00:00Z").unwrap_err().code(), "AccessDenied");
        assert_eq!(read(&fields[1..], "2015-12-29T01:00:00Z").unwrap_err().code(), "AccessDenied");
    }

    #[test]
    fn whatever_is_changed_has_another_signature() {
        let at = now("2013-05-24T00:01:00Z");
        let refused = |parts: &Parts| Shown::read(parts, at).unwrap().unwrap().verify(parts, SECRET).unwrap_err().code().to_owned();
        let mut parts = example();
        parts.uri = "/other.txt".parse().unwrap();
        assert_eq!(refused(&parts), "SignatureDoesNotMatch");
        let mut parts = example();
        parts.uri = "/test.txt?acl".parse().unwrap();
        assert_eq!(refused(&parts), "SignatureDoesNotMatch");
        let mut parts = example();
        parts.method = http::Method::DELETE;
        assert_eq!(refused(&parts), "SignatureDoesNotMatch");
        let mut parts = example();
        parts.headers.insert("range", "bytes=0-10".parse().unwrap());
        assert_eq!(refused(&parts), "SignatureDoesNotMatch");
        let parts = example();
        let shown = Shown::read(&parts, at).unwrap().unwrap();
        assert_eq!(shown.verify(&parts, b"another").unwrap_err().code(), "SignatureDoesNotMatch");
    }

    #[test]
    fn what_is_late_or_malformed_is_refused() {
        let late = Shown::read(&example(), now("2013-05-24T00:15:01Z")).unwrap_err();
        assert_eq!((late.status().as_u16(), late.code()), (403, "RequestTimeTooSkewed"));
        for (name, value) in [
            ("authorization", "AWS4-HMAC-SHA256"),
            ("authorization", "Bearer x"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=a/20130524/r/s3/aws4_request,SignedHeaders=range,Signature=00"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=a/20130523/r/s3/aws4_request,SignedHeaders=host,Signature=00"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=a/20130524/r/ec2/aws4_request,SignedHeaders=host,Signature=00"),
            ("x-amz-date", "yesterday"),
            ("x-amz-security-token", "not signed"),
        ] {
            let mut parts = example();
            parts.headers.insert(name, value.parse().unwrap());
            let refused = Shown::read(&parts, now("2013-05-24T00:01:00Z")).unwrap_err();
            assert_eq!((refused.status().as_u16(), refused.code()), (400, "AuthorizationHeaderMalformed"), "{value}");
        }
        assert_eq!(Shown::read(&request("GET", "/", &[]), Timestamp::UNIX_EPOCH).unwrap(), None);
    }
}
