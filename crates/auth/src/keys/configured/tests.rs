//! What such a file may hold, and what is refused.

use super::*;

/// Made for these tests and used nowhere else.
const FILE: &str = include_str!("../../../tests/it/signing_keys.json");

fn file() -> Value {
    serde_json::from_str(FILE).unwrap()
}

fn refusal(file: &Value) -> String {
    ConfiguredKeys::parse(&file.to_string()).expect_err("the file must be refused").to_string()
}

#[test]
fn one_signs_and_all_verify() {
    let keys = ConfiguredKeys::parse(FILE).unwrap();
    assert_eq!((keys.kid(), keys.algorithm()), ("rsa", "RS256"));
    let algorithms: Vec<_> = keys.all().map(|key| (key.kid.as_str(), name(key.algorithm), key.is_own)).collect();
    assert_eq!(algorithms, [("rsa", "RS256", true), ("ec", "ES256", true), ("oct", "HS256", false)]);
    // A list by itself is the other form, and whichever is marked signs.
    for signer in 0..3 {
        let mut list = file()["keys"].clone();
        list[0]["key_ops"] = json!(["verify"]);
        list[signer]["key_ops"] = json!(["sign", "verify"]);
        let keys = ConfiguredKeys::parse(&list.to_string()).unwrap();
        let token = keys.sign(&Map::from_iter([("sub".to_owned(), json!("x"))])).unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let key = keys.find(keys.kid()).unwrap();
        assert!(key.is_own, "what signs is ours");
        assert!(jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.decoding, key.algorithm).unwrap());
    }
}

#[test]
fn a_key_as_text_is_the_same_key() {
    let published = |jwk: Value| ConfiguredKeys::parse(&json!([jwk]).to_string()).unwrap().published().next().unwrap();
    for (number, pem) in [
        (0, include_str!("../../../tests/it/signing_keys.pem")),
        (0, include_str!("../../../tests/it/signing_keys.pkcs1.pem")),
        (1, include_str!("../../../tests/it/signing_keys.ec.pem")),
    ] {
        let mut jwk = file()["keys"][number].clone();
        jwk["key_ops"] = json!(["sign"]);
        let text = json!({ "kid": jwk["kid"], "pem": pem, "key_ops": ["sign"] });
        assert_eq!(published(text), published(jwk));
    }
}

#[test]
fn nothing_private_is_published_or_printed() {
    let (file, keys) = (file(), ConfiguredKeys::parse(FILE).unwrap());
    let shown = format!("{:?} {}", keys, keys.published().map(|key| key.to_string()).collect::<String>());
    for jwk in file["keys"].as_array().unwrap() {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(jwk[private].as_str().is_none_or(|number| !shown.contains(number)), "{private}");
        }
    }
    let published: Vec<_> = keys.published().collect();
    assert_eq!(published.len(), 2, "a shared secret is not there at all");
    let members = |key: &Value| {
        let mut names: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        names.join(" ")
    };
    assert_eq!(members(&published[0]), "alg e key_ops kid kty n use");
    assert_eq!(members(&published[1]), "alg crv key_ops kid kty use x y");
}

#[test]
fn what_cannot_be_used_is_named_and_never_quoted() {
    let with = |number: usize, member: &str, value: Value| {
        let mut file = file();
        file["keys"][number][member] = value;
        file
    };
    for (file, told) in [
        (json!({}), "no list of JSON Web Keys"),
        (json!([]), "1 to 16 keys"),
        (json!("sb_secret_x"), "no list of JSON Web Keys"),
        (json!(vec![file()["keys"][0].clone(); 17]), "1 to 16 keys"),
        (with(0, "key_ops", json!(["verify"])), "no key has sign"),
        (with(1, "key_ops", json!(["sign"])), "more than one key has sign"),
        (with(1, "kid", json!("rsa")), "the same kid"),
        (with(1, "kid", json!("")), "key 2: kid must have"),
        (with(1, "kid", json!("x".repeat(129))), "key 2: kid must have"),
        (with(0, "use", json!("enc")), "key 1: use must be sig"),
        (with(0, "alg", json!("HS256")), "key 1: alg must be"),
        (with(2, "alg", json!("RS256")), "key 3: alg must be"),
        (with(2, "alg", json!("none")), "key 3: alg must be"),
        (with(2, "kty", json!("OKP")), "key 3: kty must be"),
        (with(2, "k", json!("c2hvcnQ")), "key 3: a shared secret must have at least 32 bytes"),
        (with(2, "k", json!("not base64url!")), "key 3: a number or secret is not base64url"),
        (with(1, "crv", json!("P-384")), "key 2: crv must be P-256"),
        (with(1, "d", file()["keys"][1]["x"].clone()), "key 2: d, x and y are no key"),
        (with(1, "y", file()["keys"][1]["x"].clone()), "key 2: d, x and y are no key"),
        (with(0, "d", json!("")), "key 1: the key that signs needs its private half"),
        (with(0, "qi", json!("")), "key 1: an RSA key that signs needs"),
        (with(0, "d", json!("AQAB")), "key 1: the numbers are no RSA key"),
        (with(1, "pem", json!("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")), "key 2: pem must be"),
    ] {
        let message = refusal(&file);
        assert!(message.contains(told), "{told}: {message}");
    }
    // A short RSA key also where it only verifies, and an exponent that lets everything through.
    let public = |n: &str, e: &str| {
        let mut file = file();
        file["keys"][1] = json!({ "kty": "RSA", "kid": "public", "n": n, "e": e });
        file
    };
    let modulus = file()["keys"][0]["n"].as_str().unwrap().to_owned();
    assert!(ConfiguredKeys::parse(&public(&modulus, "AQAB").to_string()).is_ok());
    assert!(refusal(&public(&modulus[..168], "AQAB")).contains("2048 to 8192 bits"));
    assert!(refusal(&public(&modulus, "AQ")).contains("the exponent"));
    assert!(refusal(&public(&modulus, "Ag")).contains("the exponent"));
}
