//! The attacks on tokens, each with the refusal it must meet.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use jiff::Timestamp;
use jsonwebtoken::EncodingKey;
use kernel::{AssuranceLevel, Subject};
use serde_json::{Map, Value, json};

use super::*;

const NOW: i64 = 1_795_262_400;
const ISSUER: &str = "http://localhost:54321/auth/v1";
const USER: &str = "01900000-0000-7000-8000-000000000001";
const SESSION: &str = "01900000-0000-7000-8000-000000000002";
const SECRET: &str = "a shared secret of more than thirty-two bytes";

struct Bench {
    keys: Keys,
    verifier: Verifier,
}

impl Bench {
    fn new() -> Self {
        let ring = KeyRing::generate(Timestamp::from_second(NOW).unwrap()).unwrap();
        Self { keys: Keys { ring, generation: 0 }, verifier: verifier(Some(SECRET)) }
    }

    async fn verify(&self, token: &str) -> Result<Arc<Verified>, TokenError> {
        self.verifier.verify(&self.keys, token, NOW).await
    }

    async fn refusal(&self, token: &str) -> TokenError {
        self.verify(token).await.expect_err("the token must be refused")
    }

    fn kid(&self) -> String {
        self.keys.ring.current().public().kid().to_owned()
    }

    fn sign(&self, claims: &Value) -> String {
        self.keys.ring.current().sign(claims.as_object().unwrap()).unwrap()
    }
}

fn verifier(secret: Option<&str>) -> Verifier {
    let secret = secret.map(|secret| Secret::new(secret.to_owned()));
    Verifier::new(VerifierOptions {
        issuer: ISSUER.to_owned(),
        audiences: vec!["partner".to_owned()],
        shared_secret: secret.as_ref(),
        token_bytes_max: 16 * 1024,
        cache_bytes_max: 1024 * 1024,
    })
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": USER, "session_id": SESSION, "role": "authenticated", "aud": "authenticated",
            "iat": NOW, "exp": NOW + 3600, "aal": "aal1" })
}

fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// Signs with HMAC whatever is put together by hand.
fn hs256(header: &str, payload: &str, secret: &[u8]) -> String {
    let message = format!("{}.{}", part(header), part(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn hs256_of(claims: &Value) -> String {
    hs256(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string(), SECRET.as_bytes())
}

#[tokio::test]
async fn our_own_tokens_are_believed() {
    let bench = Bench::new();
    let verified = bench.verify(&bench.sign(&claims_with("aal", json!("aal2")))).await.unwrap();
    let Subject::User { user_id, session_id } = verified.subject.clone() else { panic!("not a user") };
    assert_eq!(user_id.to_string(), USER);
    assert_eq!(session_id.unwrap().to_string(), SESSION);
    assert_eq!(verified.assurance, AssuranceLevel::Two);
    assert!(matches!(bench.verify(bench.keys.ring.anon().token.expose()).await.unwrap().subject, Subject::Anonymous));
    assert!(matches!(bench.verify(bench.keys.ring.service().token.expose()).await.unwrap().subject, Subject::Service));
}

#[tokio::test]
async fn a_shared_secret_is_believed_only_when_configured() {
    let bench = Bench::new();
    let token = hs256_of(&json!({ "sub": USER, "role": "authenticated" }));
    assert!(matches!(bench.verify(&token).await.unwrap().subject, Subject::User { session_id: None, .. }));
    assert_eq!(verifier(None).verify(&bench.keys, &token, NOW).await.unwrap_err(), TokenError::UnknownKey);
}

#[tokio::test]
async fn alg_none_is_refused_however_it_is_written() {
    let bench = Bench::new();
    for alg in ["none", "None", "NONE", "nOnE", "", "HS384", "RS256", "es256", "ES384", "hs256"] {
        let header = json!({ "alg": alg, "typ": "JWT", "kid": bench.kid() }).to_string();
        for signature in ["", "AAAA"] {
            let token = format!("{}.{}.{signature}", part(&header), part(&claims().to_string()));
            assert_eq!(bench.refusal(&token).await, TokenError::Algorithm, "{alg:?} {signature:?}");
        }
    }
    let token = format!("{}.{}.", part(r#"{"typ":"JWT"}"#), part(&claims().to_string()));
    assert_eq!(bench.refusal(&token).await, TokenError::Algorithm);
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let bench = Bench::new();
    let jwk = bench.keys.ring.current().public().jwk();
    let point =
        [vec![4], URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap(), URL_SAFE_NO_PAD.decode(jwk["y"].as_str().unwrap()).unwrap()]
            .concat();
    for secret in [point.as_slice(), jwk.to_string().as_bytes(), jwk["x"].as_str().unwrap().as_bytes(), b""] {
        let with_kid = json!({ "alg": "HS256", "kid": bench.kid() }).to_string();
        assert_eq!(bench.refusal(&hs256(&with_kid, &claims().to_string(), secret)).await, TokenError::Algorithm);
        let without = r#"{"alg":"HS256"}"#;
        assert_eq!(bench.refusal(&hs256(without, &claims().to_string(), secret)).await, TokenError::Signature);
    }
}

#[tokio::test]
async fn a_key_id_only_names_keys_of_ours() {
    let bench = Bench::new();
    let good = bench.sign(&claims());
    let rest = good.split_once('.').unwrap().1;
    for kid in ["other", "../../etc/passwd", "' or 1=1 --", "", "/dev/null"] {
        let header = json!({ "alg": "ES256", "kid": kid }).to_string();
        assert_eq!(bench.refusal(&format!("{}.{rest}", part(&header))).await, TokenError::UnknownKey, "{kid}");
    }
    assert_eq!(bench.refusal(&format!("{}.{rest}", part(r#"{"alg":"ES256"}"#))).await, TokenError::UnknownKey);
    for header in [json!({ "alg": "ES256", "kid": 7 }), json!({ "alg": "ES256", "kid": "k".repeat(129) })] {
        assert_eq!(bench.refusal(&format!("{}.{rest}", part(&header.to_string()))).await, TokenError::Header);
    }
}

#[tokio::test]
async fn a_header_brings_no_key_along() {
    let bench = Bench::new();
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": bench.kid(), "x": x, "y": y });
    for (name, value) in [("jwk", jwk), ("jku", json!("https://example.org/jwks")), ("x5u", json!("https://example.org/cert"))] {
        let mut header = json!({ "alg": "ES256", "kid": bench.kid() });
        header[name] = value;
        let message = format!("{}.{}", part(&header.to_string()), part(&claims().to_string()));
        let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        assert_eq!(bench.refusal(&format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))).await, TokenError::Signature, "{name}");
    }
    let crit = json!({ "alg": "HS256", "crit": ["b64"], "b64": false }).to_string();
    assert_eq!(bench.refusal(&hs256(&crit, &claims().to_string(), SECRET.as_bytes())).await, TokenError::Header);
}

#[tokio::test]
async fn a_signature_must_fit_what_it_signs() {
    let bench = Bench::new();
    let good = bench.sign(&claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    assert_eq!(bench.refusal(&format!("{message}.")).await, TokenError::Signature);
    assert_eq!(bench.refusal(&format!("{message}.{}", &signature[..40])).await, TokenError::Signature);
    assert_eq!(bench.refusal(&format!("{message}.{}", URL_SAFE_NO_PAD.encode([0; 64]))).await, TokenError::Signature);
    let header = good.split('.').next().unwrap();
    let forged = claims_with("role", json!("service_role")).to_string();
    assert_eq!(bench.refusal(&format!("{header}.{}.{signature}", part(&forged))).await, TokenError::Signature);
    // The next project has its own keys.
    let other = Bench::new();
    assert_eq!(bench.refusal(&other.sign(&claims())).await, TokenError::UnknownKey);
    assert_eq!(bench.refusal(other.keys.ring.service().token.expose()).await, TokenError::UnknownKey);
    assert_eq!(bench.refusal(&hs256(r#"{"alg":"HS256"}"#, &claims().to_string(), b"another secret")).await, TokenError::Signature);
}

#[tokio::test]
async fn time_has_thirty_seconds_of_play() {
    let bench = Bench::new();
    assert!(bench.verify(&bench.sign(&claims_with("exp", json!(NOW - 29)))).await.is_ok());
    assert_eq!(bench.refusal(&bench.sign(&claims_with("exp", json!(NOW - 30)))).await, TokenError::Expired);
    assert!(bench.verify(&bench.sign(&claims_with("nbf", json!(NOW + 30)))).await.is_ok());
    assert_eq!(bench.refusal(&bench.sign(&claims_with("nbf", json!(NOW + 31)))).await, TokenError::NotYetValid);
    assert_eq!(bench.refusal(&bench.sign(&claims_with("iat", json!(NOW + 31)))).await, TokenError::IssuedInFuture);
    assert!(bench.verify(&bench.sign(&claims_with("exp", json!(1_795_262_400.75)))).await.is_ok());
    for wrong in [json!("tomorrow"), json!(1e300), json!([NOW]), json!(true)] {
        assert_eq!(bench.refusal(&bench.sign(&claims_with("exp", wrong.clone()))).await, TokenError::ClaimType("exp"), "{wrong}");
    }
    assert_eq!(bench.refusal(&bench.sign(&claims_with("exp", json!(i64::MIN)))).await, TokenError::Expired);
    assert!(bench.verify(&bench.sign(&claims_with("exp", json!(i64::MAX)))).await.is_ok());
}

#[tokio::test]
async fn a_remembered_token_still_expires() {
    let bench = Bench::new();
    let token = bench.sign(&claims());
    assert!(bench.verify(&token).await.is_ok());
    assert!(bench.verifier.verify(&bench.keys, &token, NOW + 3629).await.is_ok());
    assert_eq!(bench.verifier.verify(&bench.keys, &token, NOW + 3630).await.unwrap_err(), TokenError::Expired);
}

#[tokio::test]
async fn a_remembered_token_dies_with_its_key() {
    let mut bench = Bench::new();
    let token = bench.sign(&claims());
    assert!(bench.verify(&token).await.is_ok());
    let rotated = bench.keys.ring.rotated(Timestamp::from_second(NOW).unwrap()).unwrap();
    bench.keys = Keys { ring: rotated.clone(), generation: 1 };
    assert!(bench.verify(&token).await.is_ok(), "the previous key is still accepted");
    bench.keys = Keys { ring: rotated.without_previous(), generation: 2 };
    assert_eq!(bench.refusal(&token).await, TokenError::UnknownKey);
}

#[tokio::test]
async fn size_and_shape_are_bounded() {
    let bench = Bench::new();
    assert_eq!(bench.refusal(&"a".repeat(1024 * 1024)).await, TokenError::TooLarge);
    let large = bench.sign(&claims_with("user_metadata", json!("x".repeat(1024 * 1024))));
    assert_eq!(bench.refusal(&large).await, TokenError::TooLarge);
    for (token, parts) in [("abc", 1), ("a.b", 2), ("a.b.c.d", 4), ("....", 5), ("", 1)] {
        assert_eq!(bench.refusal(token).await, TokenError::Parts(parts), "{token}");
    }
    for header in ["", "!", "bm9wZQ", "W10"] {
        assert_eq!(bench.refusal(&format!("{header}.e30.AAAA")).await, TokenError::Header, "{header}");
    }
}

#[tokio::test]
async fn a_repeated_claim_is_refused() {
    let bench = Bench::new();
    let header = r#"{"alg":"HS256"}"#;
    for payload in [
        format!(r#"{{"sub":"{USER}","role":"authenticated","role":"service_role"}}"#),
        format!(r#"{{"sub":"{USER}","role":"authenticated","r\u006fle":"service_role"}}"#),
        "[]".to_owned(),
        "not json".to_owned(),
    ] {
        assert_eq!(bench.refusal(&hs256(header, &payload, SECRET.as_bytes())).await, TokenError::Claims, "{payload}");
    }
    let twice = r#"{"alg":"none","alg":"HS256"}"#;
    assert_eq!(bench.refusal(&hs256(twice, &claims().to_string(), SECRET.as_bytes())).await, TokenError::Header);
}

#[tokio::test]
async fn only_three_roles_exist() {
    let bench = Bench::new();
    for role in ["postgres", "app_owner", "app_definer", "SERVICE_ROLE", "service_role ", ""] {
        assert_eq!(bench.refusal(&bench.sign(&claims_with("role", json!(role)))).await, TokenError::Role, "{role}");
    }
    assert_eq!(bench.refusal(&bench.sign(&claims_with("role", json!(["service_role"])))).await, TokenError::ClaimType("role"));
    let mut without: Map<String, Value> = claims().as_object().unwrap().clone();
    without.remove("role");
    assert_eq!(bench.refusal(&bench.sign(&Value::Object(without))).await, TokenError::Role);
}

#[tokio::test]
async fn a_user_needs_an_id_and_of_ours_a_session() {
    let bench = Bench::new();
    assert_eq!(bench.refusal(&bench.sign(&claims_with("sub", json!("")))).await, TokenError::Subject);
    assert_eq!(bench.refusal(&bench.sign(&claims_with("sub", json!("42")))).await, TokenError::ClaimType("sub"));
    assert_eq!(bench.refusal(&bench.sign(&claims_with("session_id", Value::Null))).await, TokenError::Subject);
    assert_eq!(bench.refusal(&hs256_of(&json!({ "role": "authenticated" }))).await, TokenError::Subject);
}

#[tokio::test]
async fn audience_and_issuer_are_held_to() {
    let bench = Bench::new();
    for audience in [json!("authenticated"), json!("partner"), json!(["x", "partner"]), json!([]), Value::Null] {
        assert!(bench.verify(&bench.sign(&claims_with("aud", audience.clone()))).await.is_ok(), "{audience}");
    }
    assert_eq!(bench.refusal(&bench.sign(&claims_with("aud", json!("other")))).await, TokenError::Audience);
    assert_eq!(bench.refusal(&bench.sign(&claims_with("aud", json!(["other"])))).await, TokenError::Audience);
    assert_eq!(bench.refusal(&bench.sign(&claims_with("aud", json!(7)))).await, TokenError::ClaimType("aud"));
    assert_eq!(bench.refusal(&bench.sign(&claims_with("iss", json!("https://example.org")))).await, TokenError::Issuer);
    // Whoever holds the shared secret may call himself as he likes.
    assert!(bench.verify(&hs256_of(&claims_with("iss", json!("https://example.org")))).await.is_ok());
}

#[tokio::test]
async fn jsonwebtokens_own_tokens_are_understood() {
    let bench = Bench::new();
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims(), &key).unwrap();
    assert!(bench.verify(&token).await.is_ok());
}
