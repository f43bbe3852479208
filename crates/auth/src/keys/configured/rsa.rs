//! RSA keys of such a file, by their numbers or as DER.
//!
//! Invariant: a modulus has 2048 to 8192 bits, and the halves of a key that signs belong together.

use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde_json::json;

use super::{Halves, Jwk, RsaKeyPair, decode};

const BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Takes a key by its numbers, as a JSON Web Key has them.
pub(super) fn of_numbers(jwk: &Jwk) -> Result<Halves, &'static str> {
    let (modulus, exponent) = (decode(&jwk.n)?, decode(&jwk.e)?);
    if jwk.d.is_empty() {
        return of_public(&modulus, &exponent, None);
    }
    if [&jwk.p, &jwk.q, &jwk.dp, &jwk.dq, &jwk.qi].into_iter().any(String::is_empty) {
        return Err("an RSA key that signs needs d, p, q, dp, dq and qi");
    }
    let mut content = integer(&[0]);
    content.extend(integer(&modulus));
    content.extend(integer(&exponent));
    for number in [&jwk.d, &jwk.p, &jwk.q, &jwk.dp, &jwk.dq, &jwk.qi] {
        content.extend(integer(&decode(number)?));
    }
    of_der(&tagged(0x30, &content))
}

/// Takes a private key as PKCS#1 has it.
pub(super) fn of_der(der: &[u8]) -> Result<Halves, &'static str> {
    let pair = RsaKeyPair::from_der(der).map_err(|_quotes_nothing| "the numbers are no RSA key of 2048 to 8192 bits")?;
    let public = pair.public_key();
    let number = |positive: aws_lc_rs::io::Positive<'_>| positive.big_endian_without_leading_zero().to_vec();
    of_public(&number(public.modulus()), &number(public.exponent()), Some(EncodingKey::from_rsa_der(der)))
}

fn of_public(modulus: &[u8], exponent: &[u8], encoding: Option<EncodingKey>) -> Result<Halves, &'static str> {
    let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
    let unused_bits = modulus.first().map_or(0, |first| first.leading_zeros());
    let bits = usize::try_from(unused_bits).ok().and_then(|unused| (modulus.len() * 8).checked_sub(unused));
    if !bits.is_some_and(|bits| BITS.contains(&bits)) {
        return Err("an RSA key must have 2048 to 8192 bits");
    }
    // 1 would make every message its own signature; the standard asks for an odd one.
    if exponent.len() > 4 || exponent == [1] || exponent.last().is_none_or(|last| last % 2 == 0) {
        return Err("the exponent of an RSA key must be odd, 3 or more, and have at most 4 bytes");
    }
    let public = json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(modulus), "e": URL_SAFE_NO_PAD.encode(exponent) });
    let decoding = DecodingKey::from_rsa_raw_components(modulus, exponent);
    Ok(Halves { algorithm: Algorithm::RS256, decoding, encoding, public: Some(public) })
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Writes a whole number that is not negative.
fn integer(number: &[u8]) -> Vec<u8> {
    let number = without_zeros(number);
    let is_marked = number.first().is_none_or(|first| *first >= 0x80);
    tagged(2, &[if is_marked { &[0][..] } else { &[] }, number].concat())
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let bytes = content.len().to_be_bytes();
    let length = without_zeros(&bytes);
    let mut written = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => written.push(short),
        // How many bytes the length has, then those.
        _ => {
            written.push(0x80 | u8::try_from(length.len()).unwrap_or_default());
            written.extend(length);
        }
    }
    written.extend(content);
    written
}
