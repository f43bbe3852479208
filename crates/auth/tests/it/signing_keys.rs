//! Tokens by the keys of the operator's file: signed by one, verified by their id, and by that key's algorithm alone.

use auth::keys::{ConfiguredKeys, KeyRing};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::server::{Server, claims, header, token};

const FILE: &str = include_str!("signing_keys.json");

fn file(signer: usize) -> Value {
    let mut file: Value = serde_json::from_str(FILE).unwrap();
    for number in 0..3 {
        file["keys"][number]["key_ops"] = if number == signer { json!(["sign", "verify"]) } else { json!(["verify"]) };
    }
    file
}

fn with_file(server: &Server, file: &Value) -> KeyRing {
    let ring = server.ring.clone().with_configured(Some(ConfiguredKeys::parse(&file.to_string()).unwrap())).unwrap();
    server.auth.replace_keys(&ring);
    ring
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
}

fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(header.to_string()), encode(claims.to_string()))
}

fn hs256(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = message(header, claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", encode(tag))
}

#[tokio::test]
async fn each_sort_of_key_signs_and_the_others_still_verify() {
    let server = Server::new().await;
    let before = server.sign_up("ann@example.com").await;
    let mut sessions = vec![before];
    for (signer, kid, alg) in [(0, "rsa", "RS256"), (1, "ec", "ES256"), (2, "oct", "HS256")] {
        let ring = with_file(&server, &file(signer));
        let session = server.sign_in("ann@example.com").await;
        assert_eq!((&header(&session)["kid"], &header(&session)["alg"]), (&json!(kid), &json!(alg)));
        sessions.push(session);
        for session in &sessions {
            // A shared secret that does not sign is one of others: what it signed is good, too.
            assert_eq!(server.user(session).await.status, 200, "{}", header(session));
        }
        let jwks = server.call("GET", "/.well-known/jwks.json", None, None).await.ok();
        let kids: Vec<_> = jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
        let own = ring.current().public().kid();
        let mut published = vec!["rsa", "ec", own];
        if signer == 1 {
            published.swap(0, 1);
        }
        assert_eq!(kids, published);
        assert!(
            jwks["keys"].as_array().unwrap().iter().all(|key| key.get("d").is_none() && key.get("k").is_none() && key.get("p").is_none())
        );
        // The API keys are signed by the installation's own key, whatever signs tokens.
        assert_eq!(server.call("GET", "/admin/users", Some(server.ring.service().token.expose()), None).await.status, 200);
    }
    // A key that left the file is refused at the next request, and the file itself may go.
    let mut without = file(1);
    without["keys"].as_array_mut().unwrap().remove(0);
    with_file(&server, &without);
    assert_eq!(server.user(&sessions[1]).await.body["code"], "bad_jwt");
    assert_eq!(server.user(&sessions[2]).await.status, 200);
    server.auth.replace_keys(&server.ring);
    assert_eq!(server.user(&sessions[2]).await.body["code"], "bad_jwt");
    assert_eq!(server.user(&sessions[0]).await.status, 200);
}

#[tokio::test]
async fn a_token_is_verified_by_its_key_and_nothing_else() {
    let server = Server::new().await;
    let keys = file(0);
    with_file(&server, &keys);
    let session = server.sign_up("ann@example.com").await;
    let said = claims(&session);
    let (head, rest) = token(&session).split_once('.').unwrap();
    let payload = rest.split_once('.').unwrap().0;
    let modulus = decode(&keys["keys"][0]["n"]);
    let secret = decode(&keys["keys"][2]["k"]);
    let other = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let by_other = |header: &Value| {
        let message = message(header, &said);
        let mut signed = vec![0; other.public_modulus_len()];
        other.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signed).unwrap();
        format!("{message}.{}", encode(signed))
    };
    let foreign = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let by_foreign = |header: &Value| {
        let message = message(header, &said);
        format!("{message}.{}", encode(foreign.sign(&SystemRandom::new(), message.as_bytes()).unwrap()))
    };
    let public = include_str!("signing_keys.json");
    let good = hs256(&json!({ "alg": "HS256", "kid": "oct" }), &said, &secret);
    assert_eq!(server.call("GET", "/user", Some(&good), None).await.status, 200, "the secret's own id and algorithm");
    let cut = |text: &str| text[..text.len() - 2].to_owned();
    for (what, forged) in [
        ("the public key as a secret", hs256(&json!({ "alg": "HS256", "kid": "rsa" }), &said, &modulus)),
        ("the file as a secret", hs256(&json!({ "alg": "HS256", "kid": "rsa" }), &said, public.as_bytes())),
        ("an empty secret", hs256(&json!({ "alg": "HS256", "kid": "rsa" }), &said, &[])),
        ("the secret under another key's id", hs256(&json!({ "alg": "HS256", "kid": "rsa" }), &said, &secret)),
        ("the secret under the curve's id", hs256(&json!({ "alg": "HS256", "kid": "ec" }), &said, &secret)),
        ("the secret without an id", hs256(&json!({ "alg": "HS256" }), &said, &secret)),
        ("the secret under an unknown id", hs256(&json!({ "alg": "HS256", "kid": "nobody" }), &said, &secret)),
        ("another length of digest", hs256(&json!({ "alg": "HS512", "kid": "oct" }), &said, &secret)),
        ("none", format!("{}.{payload}.", encode(r#"{"alg":"none","kid":"rsa"}"#))),
        ("None", format!("{}.{payload}.", encode(r#"{"alg":"None","kid":"oct"}"#))),
        ("no algorithm", format!("{}.{payload}.", encode(r#"{"kid":"rsa"}"#))),
        ("no signature", format!("{head}.{payload}.")),
        ("a cut signature", cut(token(&session))),
        ("another's RSA key", by_other(&json!({ "alg": "RS256", "kid": "rsa" }))),
        ("another's RSA key and no id", by_other(&json!({ "alg": "RS256" }))),
        (
            "another's RSA key that brings itself",
            by_other(&json!({ "alg": "RS256", "kid": "rsa", "jku": "https://evil.example.com/keys" })),
        ),
        ("another padding", by_other(&json!({ "alg": "PS256", "kid": "rsa" }))),
        ("another digest", by_other(&json!({ "alg": "RS512", "kid": "rsa" }))),
        ("the secret's id with RSA", by_other(&json!({ "alg": "RS256", "kid": "oct" }))),
        ("another's curve key", by_foreign(&json!({ "alg": "ES256", "kid": "ec" }))),
        ("RSA's id with the curve", by_foreign(&json!({ "alg": "ES256", "kid": "rsa" }))),
        ("an extension", hs256(&json!({ "alg": "HS256", "kid": "oct", "crit": ["b64"] }), &said, &secret)),
        ("an id that is none", hs256(&json!({ "alg": "HS256", "kid": ["oct"] }), &said, &secret)),
    ] {
        let answer = server.call("GET", "/user", Some(&forged), None).await;
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!("bad_jwt")), "{what}: {}", answer.text);
    }
    // What our own key signed is for this address, with a session; of a secret that others have that cannot be asked.
    let mut elsewhere = said.clone();
    elsewhere["iss"] = json!("https://elsewhere.example.com");
    assert_eq!(
        server.call("GET", "/user", Some(&hs256(&json!({ "alg": "HS256", "kid": "oct" }), &elsewhere, &secret)), None).await.status,
        200
    );
    with_file(&server, &file(2));
    assert_eq!(
        server.call("GET", "/user", Some(&hs256(&json!({ "alg": "HS256", "kid": "oct" }), &elsewhere, &secret)), None).await.status,
        403
    );
}

/// The public half of another installation's key is enough for what it signed for this address, and for no more.
#[tokio::test]
async fn the_api_keys_of_another_installation_are_no_keys_here() {
    let server = Server::new().await;
    let session = server.sign_up("ann@example.com").await;
    let theirs = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = theirs.public_key().as_ref();
    let mut keys = file(0);
    keys["keys"].as_array_mut().unwrap().push(
        json!({ "kid": "theirs", "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]), "key_ops": ["verify"] }),
    );
    with_file(&server, &keys);
    let sign = |claims: &Value| {
        let message = message(&json!({ "alg": "ES256", "kid": "theirs" }), claims);
        format!("{message}.{}", encode(theirs.sign(&SystemRandom::new(), message.as_bytes()).unwrap()))
    };
    let said = claims(&session);
    assert_eq!(server.call("GET", "/user", Some(&sign(&said)), None).await.status, 200, "before, this address was another installation's");
    let api_key = json!({ "iss": "thorbis", "role": "service_role", "iat": said["iat"], "exp": said["exp"] });
    let answer = server.call("GET", "/admin/users", Some(&sign(&api_key)), None).await;
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!("bad_jwt")), "{}", answer.text);
}

#[tokio::test]
async fn an_id_of_a_key_made_here_is_refused_in_the_file() {
    let server = Server::new().await;
    let mut keys = file(0);
    keys["keys"][1]["kid"] = json!(server.ring.current().public().kid());
    assert!(server.ring.clone().with_configured(Some(ConfiguredKeys::parse(&keys.to_string()).unwrap())).is_err());
}

#[test]
fn others_may_not_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), FILE).unwrap();
    let mode = |mode: u32| std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o600);
    assert_eq!(auth::keys::configured::load(file.path()).unwrap().kid(), "rsa");
    mode(0o640);
    let error = auth::keys::configured::load(file.path()).unwrap_err().to_string();
    assert!(error.contains("0640") && error.contains("chmod 600"), "{error}");
    mode(0o600);
    std::fs::write(file.path(), "{\"keys\": [{\"kty\": \"oct\", \"k\": \"sb_secret_x\"}]}").unwrap();
    let error = auth::keys::configured::load(file.path()).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("sb_secret_x"));
    assert!(auth::keys::configured::load(std::path::Path::new("/nowhere/keys.json")).is_err());
}
