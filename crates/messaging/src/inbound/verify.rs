//! Whether a call is of whom it says. Pure.
//!
//! Invariant: what is looked at are the bytes as they came, compared in constant time, with a time that is not long ago. What a call says is
//! read only after it was found to be true.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use jiff::Timestamp;
use kernel::Secret;
use outbound::signing::SigningKey;
use serde_json::{Map, Value};

/// A call that is true.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Told {
    /// By what the provider knows it; the same when it is sent again.
    pub(super) key: String,
    /// What happened.
    pub(super) event: String,
    /// When, as far as it says.
    pub(super) said_at: Option<Timestamp>,
    /// All of it.
    pub(super) payload: Value,
}

/// A call as it came.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
    pub(super) now: Timestamp,
    pub(super) tolerance_seconds: u32,
}

impl Call<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn is_recent(&self, seconds: i64) -> bool {
        self.now.as_second().abs_diff(seconds) <= u64::from(self.tolerance_seconds)
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(self.body).ok().filter(Value::is_object)
    }
}

/// Reads a call as Standard Webhooks signs it, also under the names that its headers had before.
pub(super) fn standard(call: Call<'_>, secrets: &[Secret<String>]) -> Option<Told> {
    let header = |name: &str| call.header(&format!("webhook-{name}")).or_else(|| call.header(&format!("svix-{name}")));
    let (id, timestamp, signatures) = (header("id")?, header("timestamp")?, header("signature")?);
    if !call.is_recent(timestamp.parse().ok()?) || id.is_empty() || id.len() > 255 {
        return None;
    }
    let mut keys = secrets.iter().filter_map(|secret| SigningKey::parse(secret.expose()));
    if !keys.any(|key| key.vouches(signatures, id, timestamp, call.body)) {
        return None;
    }
    let payload = call.json()?;
    // Clerk says milliseconds, others a date.
    let said_at = match payload.get("timestamp").or_else(|| payload.get("created_at")) {
        Some(Value::Number(millis)) => millis.as_i64().and_then(|millis| Timestamp::from_millisecond(millis).ok()),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    Some(Told { key: id.to_owned(), event: text(&payload, "type"), said_at, payload })
}

/// Reads a call of Stripe: `Stripe-Signature: t=…,v1=…`, hexadecimal over time and body.
pub(super) fn stripe(call: Call<'_>, secrets: &[Secret<String>]) -> Option<Told> {
    let parts: Vec<(&str, &str)> = call.header("stripe-signature")?.split(',').filter_map(|part| part.trim().split_once('=')).collect();
    let timestamp = parts.iter().find(|(name, _)| *name == "t")?.1;
    if !call.is_recent(timestamp.parse().ok()?) {
        return None;
    }
    let message = [timestamp.as_bytes(), b".", call.body].concat();
    let signatures: Vec<Vec<u8>> = parts.iter().filter(|(name, _)| *name == "v1").filter_map(|(_, text)| from_hex(text)).collect();
    let is_true = secrets.iter().filter(|secret| !secret.expose().is_empty()).any(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        signatures.iter().any(|signature| hmac::verify(&key, &message, signature).is_ok())
    });
    if !is_true {
        return None;
    }
    let payload = call.json()?;
    let key = text(&payload, "id");
    let said_at = payload.get("created").and_then(Value::as_i64).and_then(|seconds| Timestamp::from_second(seconds).ok());
    (!key.is_empty() && key.len() <= 255).then(|| Told { key, event: text(&payload, "type"), said_at, payload })
}

/// Reads a call of Twilio: `X-Twilio-Signature` over the address and the members of the form in the order of their names. It has no time,
/// so that what it says is known by its own id.
pub(super) fn twilio(call: Call<'_>, url: &str, tokens: &[Secret<String>]) -> Option<Told> {
    let signature = STANDARD.decode(call.header("x-twilio-signature")?).ok()?;
    let mut form: Vec<(String, String)> = url::form_urlencoded::parse(call.body).into_owned().collect();
    form.sort();
    let mut message = url.to_owned();
    for (name, value) in &form {
        message.push_str(name);
        message.push_str(value);
    }
    let is_true = tokens.iter().filter(|token| !token.expose().is_empty()).any(|token| {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.expose().as_bytes());
        hmac::verify(&key, message.as_bytes(), &signature).is_ok()
    });
    if !is_true {
        return None;
    }
    let mut payload: Map<String, Value> = form.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    let found = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    // What somebody answers has no status but this one.
    let status = Some(found("MessageStatus")).filter(|status| !status.is_empty()).unwrap_or_else(|| found("SmsStatus"));
    let id = found("MessageSid");
    if id.is_empty() || status.is_empty() || id.len() + status.len() > 200 {
        return None;
    }
    // Which message it is and whose, stands in the address that was given to Twilio, which it signed, too.
    let query = url.split_once('?').map_or("", |(_, query)| query);
    for name in ["company_id", "message_id"] {
        if let Some((_, value)) = url::form_urlencoded::parse(query.as_bytes()).find(|(found, _)| found == name) {
            payload.insert(name.to_owned(), Value::String(value.into_owned()));
        }
    }
    Some(Told { key: format!("{id}:{status}"), event: format!("message.{status}"), said_at: None, payload: Value::Object(payload) })
}

fn text(payload: &Value, name: &str) -> String {
    payload.get(name).and_then(Value::as_str).unwrap_or_default().chars().take(120).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks_exact(2);
    if !digits.remainder().is_empty() || text.is_empty() {
        return None;
    }
    digits.map(|two| u8::from_str_radix(str::from_utf8(two).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_614_265_330;

    fn secrets(all: &[&str]) -> Vec<Secret<String>> {
        all.iter().map(|secret| Secret::new((*secret).to_owned())).collect()
    }

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn call<'a>(headers: &'a HeaderMap, body: &'a str, seconds: i64) -> Call<'a> {
        Call { headers, body: body.as_bytes(), now: Timestamp::from_second(seconds).unwrap(), tolerance_seconds: 300 }
    }

    #[test]
    fn standard_webhooks_are_read_under_both_names() {
        // The example that the standard's libraries are tested with.
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", r#"{"test": 2432232314}"#);
        let ours = secrets(&["whsec_c2VjcmV0LXRoYXQtaXMtbmV3LWVub3VnaA==", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
        let of = |id: &str, at: &str, signature: &str| {
            [
                headers(&[("webhook-id", id), ("webhook-timestamp", at), ("webhook-signature", signature)]),
                headers(&[("svix-id", id), ("svix-timestamp", at), ("svix-signature", signature)]),
            ]
        };
        for headers in of(id, "1614265330", signature) {
            let told = standard(call(&headers, body, NOW + 299), &ours).unwrap();
            assert_eq!((told.key.as_str(), told.event.as_str(), told.payload), (id, "", json!({ "test": 2_432_232_314_i64 })));
            for seconds in [NOW + 301, NOW - 301] {
                assert!(standard(call(&headers, body, seconds), &ours).is_none(), "a replay of {seconds}");
            }
            assert!(standard(call(&headers, r#"{"test":2432232314}"#, NOW), &ours).is_none(), "other bytes of the same sense");
            assert!(standard(call(&headers, body, NOW), &ours[..1]).is_none());
            assert!(standard(call(&headers, body, NOW), &[]).is_none());
        }
        for (id, at, signature) in
            [("", "1614265330", signature), (id, "1614265331", signature), (id, "soon", signature), (id, "1614265330", "v1,")]
        {
            for headers in of(id, at, signature) {
                assert!(standard(call(&headers, body, NOW), &ours).is_none(), "{id} {at} {signature}");
            }
        }
        assert!(standard(call(&HeaderMap::new(), body, NOW), &ours).is_none());
    }

    #[test]
    fn stripe_signs_time_and_body_in_hexadecimal() {
        // Computed with openssl from the published rule: HMAC-SHA256 over the time, a dot and the body.
        const SIGNATURE: &str = "3810978d3b2ef5f97de3a5f00fdde97e3fe821f57d24265384c18dc0cd2315d2";
        let body = r#"{"id":"evt_1","type":"customer.subscription.updated","created":1614265300}"#;
        let ours = secrets(&["whsec_new_secret", "whsec_test_secret"]);
        let read = |header: &str, body: &str, seconds: i64, secrets: &[Secret<String>]| {
            stripe(call(&headers(&[("stripe-signature", header)]), body, seconds), secrets)
        };
        let good = format!("t={NOW},v1={},v1={SIGNATURE},v0=6ffbb59b", "0".repeat(64));
        let told = read(&good, body, NOW, &ours).unwrap();
        assert_eq!((told.key.as_str(), told.event.as_str()), ("evt_1", "customer.subscription.updated"));
        assert_eq!(told.said_at, Timestamp::from_second(1_614_265_300).ok());
        assert!(read(&good, body, NOW + 301, &ours).is_none());
        assert!(read(&good, &body.replace("evt_1", "evt_2"), NOW, &ours).is_none());
        assert!(read(&good, body, NOW, &secrets(&["", "whsec_other"])).is_none());
        for header in ["", "t=1614265330", &format!("v1={SIGNATURE}"), &format!("t={NOW},v0={SIGNATURE}"), &format!("t={NOW},v1=zz")] {
            assert!(read(header, body, NOW, &ours).is_none(), "{header}");
        }
    }

    #[test]
    fn twilio_signs_address_and_form() {
        let ours = secrets(&["other", "12345"]);
        let read =
            |signature: &str, url: &str, body: &str| twilio(call(&headers(&[("x-twilio-signature", signature)]), body, NOW), url, &ours);
        // The example of Twilio's documentation, whose form is of a call and no message of ours: it is true, and says nothing to us.
        let theirs = "Digits=1234&To=%2B18005551212&From=%2B14158675309&Caller=%2B14158675309&CallSid=CA1234567890ABCDE";
        assert!(read("RSOYDt4T1cUTdK1PDd93/VVr8B8=", "https://mycompany.com/myapp.php?foo=1&bar=2", theirs).is_none());
        // Computed with openssl by the same rule.
        let url = "https://api.example.com/webhooks/v1/twilio?company_id=7";
        let body = "To=%2B15550100&MessageSid=SM1&MessageStatus=delivered";
        let told = read("dFiePKQOtgjYv5yHRprduUgkVTQ=", url, body).unwrap();
        assert_eq!((told.key.as_str(), told.event.as_str()), ("SM1:delivered", "message.delivered"));
        assert_eq!((&told.payload["To"], &told.payload["company_id"]), (&json!("+15550100"), &json!("7")));
        assert!(read("dFiePKQOtgjYv5yHRprduUgkVTQ=", "https://api.example.com/webhooks/v1/twilio?company_id=8", body).is_none());
        assert!(read("dFiePKQOtgjYv5yHRprduUgkVTQ=", url, "To=%2B15550100&MessageSid=SM1&MessageStatus=failed").is_none());
        assert!(read("", url, body).is_none());
    }
}
