//! Tokens of others, good and bad, each with what is answered.

use super::*;
use aws_lc_rs::signature::KeyPair as _;
use aws_lc_rs::{hmac, rand, signature};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::json;

const SECRET: &str = "reallyreallyreallyreallyverysafe";
const NOW: i64 = 1_795_262_400;

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are where a process starts")]
fn gate(change: impl FnOnce(&mut GateOptions)) -> Gate {
    let mut options = GateOptions {
        authority: Authority::establish(),
        clock: Arc::new(Stopped),
        keys: Some(KeySet::read(SECRET, false).unwrap()),
        audience: None,
        role_path: RolePath::read(".role").unwrap(),
        anonymous_role: Some("anon".to_owned()),
        remembered_max: 1000,
    };
    change(&mut options);
    Gate::new(options)
}

fn with_keys(json: &Value) -> Gate {
    gate(|options| options.keys = Some(KeySet::read(&json.to_string(), false).unwrap()))
}

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// Signs with the shared secret, whatever the header says.
fn shared(header: &Value, claims: &str) -> String {
    let algorithm = match header["alg"].as_str() {
        Some("HS384") => hmac::HMAC_SHA384,
        Some("HS512") => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    let message = format!("{}.{}", part(&header.to_string()), part(claims));
    let tag = hmac::sign(&hmac::Key::new(algorithm, SECRET.as_bytes()), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn token(claims: &Value) -> String {
    shared(&json!({ "alg": "HS256" }), &claims.to_string())
}

async fn ask(gate: &Gate, authorization: &str) -> Result<(String, Value), JwtError> {
    let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization.parse().unwrap())]);
    let principal = gate.authenticate(&headers).await?;
    Ok((principal.database_role().to_owned(), serde_json::from_str(principal.claims()).unwrap()))
}

async fn role(gate: &Gate, token: &str) -> String {
    ask(gate, &format!("Bearer {token}")).await.unwrap().0
}

async fn refusal(gate: &Gate, token: &str) -> JwtError {
    ask(gate, &format!("Bearer {token}")).await.unwrap_err()
}

#[tokio::test]
async fn a_token_names_its_role_and_nobody_has_the_one_for_nobody() {
    let gate = gate(|_| {});
    let nobody = gate.authenticate(&HeaderMap::new()).await.unwrap();
    assert_eq!((nobody.database_role(), &**nobody.claims()), ("anon", r#"{"role":"anon"}"#));
    assert_eq!(nobody.subject(), &Subject::Role { name: "anon".into(), is_anonymous: true });
    let said = json!({ "role": "author", "sub": "7" });
    for scheme in ["Bearer", "bearer", "BEARER  "] {
        assert_eq!(ask(&gate, &format!("{scheme} {}", token(&said))).await.unwrap(), ("author".to_owned(), said.clone()));
    }
    let without = ask(&gate, &format!("Bearer {}", token(&json!({ "sub": "7" })))).await.unwrap();
    assert_eq!(without, ("anon".to_owned(), json!({ "sub": "7", "role": "anon" })));
    assert_eq!(ask(&gate, "Basic YTpi").await.unwrap().0, "anon", "nothing of ours");
}

#[tokio::test]
async fn the_role_is_where_the_path_leads() {
    let gate = gate(|options| options.role_path = RolePath::read("$.realm.roles[1]").unwrap());
    let said = json!({ "realm": { "roles": ["a", "author"] }, "role": "root" });
    let (role, claims) = ask(&gate, &format!("Bearer {}", token(&said))).await.unwrap();
    assert_eq!((role.as_str(), &claims["role"]), ("author", &json!("author")), "and SQL sees it in its usual place");
}

#[tokio::test]
async fn refusals_have_the_dialects_words() {
    let closed = gate(|options| options.anonymous_role = None);
    let bare = gate(|options| options.keys = None);
    let open = gate(|options| options.audience = Some("us".to_owned()));
    let unsigned = format!("{}.{}.", part(r#"{"alg":"none"}"#), part("{}"));
    let good = token(&json!({ "role": "author" }));
    let forged = format!("{}.{}", good.rsplit_once('.').unwrap().0, URL_SAFE_NO_PAD.encode([0; 32]));
    let no_key = Some("No suitable key was found to decode the JWT");
    let wrong_key = Some("None of the keys was able to decode the JWT");
    let none = Some("JWT is unsecured but expected 'alg' was not 'none'");
    for (gate, sent, status, code, message, details) in [
        (&bare, good.clone(), 500, "PGRST300", "Server lacks JWT secret", None),
        (&open, String::new(), 401, "PGRST301", "Empty JWT is sent in Authorization header", None),
        (&open, "a.b".to_owned(), 401, "PGRST301", "Expected 3 parts in JWT; got 2", None),
        (&open, forged, 401, "PGRST301", "No suitable key or wrong key type", wrong_key),
        (&open, shared(&json!({ "alg": "RS256" }), "{}"), 401, "PGRST301", "No suitable key or wrong key type", no_key),
        (&open, unsigned, 401, "PGRST301", "Wrong or unsupported encoding algorithm", none),
        (&open, "!.e30.AAAA".to_owned(), 401, "PGRST301", "JWT cryptographic operation failed", None),
        (&open, shared(&json!({ "alg": "HS1" }), "{}"), 401, "PGRST301", "JWT couldn't be decoded", None),
        (&closed, token(&json!({ "sub": "7" })), 401, "PGRST302", "Anonymous access is disabled", None),
        (&open, shared(&json!({ "alg": "HS256" }), "[]"), 401, "PGRST303", "Parsing claims failed", None),
        (&open, shared(&json!({ "alg": "HS256" }), r#"{"role":"a","role":"b"}"#), 401, "PGRST303", "Parsing claims failed", None),
        (&open, token(&json!({ "exp": NOW - 31 })), 401, "PGRST303", "JWT expired", None),
        (&open, token(&json!({ "nbf": NOW + 31 })), 401, "PGRST303", "JWT not yet valid", None),
        (&open, token(&json!({ "iat": NOW + 31 })), 401, "PGRST303", "JWT issued at future", None),
        (&open, token(&json!({ "exp": "soon" })), 401, "PGRST303", "The JWT 'exp' claim must be a number", None),
        (&open, token(&json!({ "nbf": [] })), 401, "PGRST303", "The JWT 'nbf' claim must be a number", None),
        (&open, token(&json!({ "iat": true })), 401, "PGRST303", "The JWT 'iat' claim must be a number", None),
        (&open, token(&json!({ "aud": "them" })), 401, "PGRST303", "JWT not in audience", None),
        (&open, token(&json!({ "aud": ["them"] })), 401, "PGRST303", "JWT not in audience", None),
        (&open, token(&json!({ "aud": [7] })), 401, "PGRST303", "The JWT 'aud' claim must be a string or an array of strings", None),
    ] {
        let refused = refusal(gate, &sent).await;
        let error = refused.to_error();
        assert_eq!((error.status().as_u16(), error.code(), error.message()), (status, code, message));
        assert_eq!(error.details(), details.map(|text| json!(text)).as_ref(), "{message}");
        let challenge = match code {
            "PGRST300" => None,
            "PGRST302" => Some("Bearer".to_owned()),
            _ => Some(format!("Bearer error=\"invalid_token\", error_description=\"{message}\"")),
        };
        assert_eq!(refused.challenge(), challenge);
    }
    assert_eq!(closed.authenticate(&HeaderMap::new()).await.unwrap_err(), JwtError::TokenRequired);
}

#[tokio::test]
async fn claims_that_hold_are_let_through() {
    let gate = gate(|options| options.audience = Some("us".to_owned()));
    for claims in [
        json!({ "exp": NOW - 30, "nbf": NOW + 30, "iat": NOW + 30, "role": "author" }),
        json!({ "exp": null, "aud": null, "role": "author" }),
        json!({ "exp": 1e300, "aud": [], "role": "author" }),
        json!({ "aud": "us", "role": "author" }),
        json!({ "aud": ["them", "us"], "role": "author" }),
    ] {
        assert_eq!(role(&gate, &token(&claims)).await, "author", "{claims}");
    }
}

#[tokio::test]
async fn a_secret_is_text_or_base64_and_long() {
    for algorithm in ["HS256", "HS384", "HS512"] {
        let sent = shared(&json!({ "alg": algorithm, "kid": "any" }), r#"{"role":"author"}"#);
        assert_eq!(role(&gate(|_| {}), &sent).await, "author", "{algorithm}");
    }
    let encoded = base64::engine::general_purpose::STANDARD.encode(SECRET);
    let written = gate(|options| options.keys = Some(KeySet::read(&format!("{encoded}\n"), true).unwrap()));
    assert_eq!(role(&written, &token(&json!({ "role": "author" }))).await, "author");
    assert_eq!(KeySet::read("short", false).unwrap_err(), SecretError::TooShort);
    assert_eq!(KeySet::read("not base64!", true).unwrap_err(), SecretError::NotBase64);
    assert_eq!(KeySet::read(r#"{"kty":"what","and":"so on and so on and so on"}"#, false).unwrap_err(), SecretError::NoKey);
}

#[tokio::test]
async fn keys_are_chosen_by_name_and_kind() {
    let secret = URL_SAFE_NO_PAD.encode(SECRET);
    let other = URL_SAFE_NO_PAD.encode("another secret, which is as long");
    let set = with_keys(&json!({ "keys": [
        { "kty": "unknown", "kid": "x" },
        { "kty": "oct", "k": other, "kid": "old" },
        { "kty": "oct", "k": secret, "kid": "new", "alg": "HS256" },
    ] }));
    let made = |header: Value| shared(&header, r#"{"role":"author"}"#);
    assert_eq!(role(&set, &made(json!({ "alg": "HS256", "kid": "new" }))).await, "author");
    assert_eq!(role(&set, &made(json!({ "alg": "HS256" }))).await, "author", "each is tried");
    assert_eq!(refusal(&set, &made(json!({ "alg": "HS256", "kid": "old" }))).await, JwtError::WRONG_KEY);
    assert_eq!(refusal(&set, &made(json!({ "alg": "HS256", "kid": "none" }))).await, JwtError::NO_KEY);
    assert_eq!(refusal(&set, &made(json!({ "alg": "HS512", "kid": "new" }))).await, JwtError::NO_KEY, "it is for HS256 alone");
    let unnamed = with_keys(&json!({ "kty": "oct", "k": secret }));
    assert_eq!(refusal(&unnamed, &made(json!({ "alg": "HS256", "kid": "new" }))).await, JwtError::NO_KEY);
}

#[tokio::test]
async fn public_keys_verify_what_their_private_ones_signed() {
    let random = rand::SystemRandom::new();
    let claims = r#"{"role":"author"}"#;
    let message = |algorithm: &str| format!("{}.{}", part(&json!({ "alg": algorithm }).to_string()), part(claims));
    let ed = signature::Ed25519KeyPair::generate().unwrap();
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(ed.public_key()) });
    let signed = message("EdDSA");
    let sent = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(ed.sign(signed.as_bytes())));
    assert_eq!(role(&with_keys(&jwk), &sent).await, "author");

    for (algorithm, curve, signing) in [
        ("ES256", "P-256", &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        ("ES384", "P-384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        ("ES512", "P-521", &signature::ECDSA_P521_SHA512_FIXED_SIGNING),
    ] {
        let pair = signature::EcdsaKeyPair::generate(signing).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
        let jwk = json!({ "kty": "EC", "crv": curve, "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) });
        let signed = message(algorithm);
        let sent = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(pair.sign(&random, signed.as_bytes()).unwrap()));
        assert_eq!(role(&with_keys(&jwk), &sent).await, "author", "{algorithm}");
        let forged = format!("{}.{}", message(algorithm), URL_SAFE_NO_PAD.encode(pair.sign(&random, b"other").unwrap()));
        assert_eq!(refusal(&with_keys(&jwk), &forged).await, JwtError::WRONG_KEY, "{algorithm}");
        let only_other = json!({ "kty": "EC", "crv": curve, "x": jwk["x"], "y": jwk["y"], "kid": "a", "alg": algorithm });
        let other = shared(&json!({ "alg": "HS256", "kid": "a" }), claims);
        assert_eq!(refusal(&with_keys(&only_other), &other).await, JwtError::NO_KEY, "{algorithm}");
    }

    let pair = signature::RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let public = pair.public_key();
    let (n, e) = (public.modulus().big_endian_without_leading_zero(), public.exponent().big_endian_without_leading_zero());
    let jwk = json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e) });
    let kinds: [(&str, &'static dyn signature::RsaEncoding); 4] = [
        ("RS256", &signature::RSA_PKCS1_SHA256),
        ("RS512", &signature::RSA_PKCS1_SHA512),
        ("PS256", &signature::RSA_PSS_SHA256),
        ("PS512", &signature::RSA_PSS_SHA512),
    ];
    for (algorithm, padding) in kinds {
        let signed = message(algorithm);
        let mut made = vec![0; pair.public_modulus_len()];
        pair.sign(padding, &random, signed.as_bytes(), &mut made).unwrap();
        let sent = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&made));
        assert_eq!(role(&with_keys(&jwk), &sent).await, "author", "{algorithm}");
        let only_other = json!({ "kty": "RSA", "alg": "RS384", "n": jwk["n"], "e": jwk["e"] });
        assert_eq!(refusal(&with_keys(&only_other), &sent).await, JwtError::NO_KEY, "{algorithm}");
    }
    // The public key as a secret: the oldest trick.
    assert_eq!(refusal(&with_keys(&jwk), &token(&json!({ "role": "author" }))).await, JwtError::NO_KEY);
}

#[tokio::test]
async fn a_remembered_token_still_expires_and_a_bad_one_is_not_remembered() {
    let gate = gate(|_| {});
    let sent = token(&json!({ "role": "author", "exp": NOW - 31 }));
    for _ in 0..2 {
        assert_eq!(refusal(&gate, &sent).await, JwtError::Expired);
    }
    gate.0.remembered.run_pending_tasks().await;
    assert_eq!(gate.0.remembered.entry_count(), 1, "its signature was good");
    refusal(&gate, "a.b.c").await;
    gate.0.remembered.run_pending_tasks().await;
    assert_eq!(gate.0.remembered.entry_count(), 1);
}
