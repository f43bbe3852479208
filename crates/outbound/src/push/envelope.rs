//! The envelope in which a message goes to a browser: RFC 8291, which is `aes128gcm` of RFC 8188 under a key that sender and browser agree
//! on.
//!
//! Invariant: every message has a key and a salt of its own, so that no nonce is used twice.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Device;

/// One record, of the size that every push service takes.
const RECORD_BYTES: u32 = 4096;
/// What fits into one: without its header (salt, size, key), the mark at its end and its tag.
pub(crate) const PLAIN_BYTES_MAX: usize = 4096 - 86 - 1 - 16;

/// Puts a message into an envelope for a device.
pub(crate) fn seal(device: &Device, plain: &[u8]) -> Result<Vec<u8>, &'static str> {
    let own = PrivateKey::generate(&ECDH_P256).map_err(|_random| "no key could be made")?;
    let mut salt = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut salt).map_err(|_random| "no salt could be made")?;
    let decode = |text: Option<&String>| text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let (Some(key), Some(auth)) = (decode(device.public_key.as_ref()), decode(device.auth.as_ref())) else {
        return Err("the device has no keys");
    };
    close(&own, &salt, (&key, &auth), plain)
}

fn close(own: &PrivateKey, salt: &[u8; 16], (theirs, auth): (&[u8], &[u8]), plain: &[u8]) -> Result<Vec<u8>, &'static str> {
    if plain.len() > PLAIN_BYTES_MAX {
        return Err("the message is too large for a device");
    }
    let public = own.compute_public_key().map_err(|_key| "the key cannot be used")?;
    let info = [b"WebPush: info\0".as_slice(), theirs, public.as_ref()].concat();
    let peer = UnparsedPublicKey::new(&ECDH_P256, theirs);
    let secret = agree(own, peer, "the device's key is none", |shared| expand::<32>(auth, shared, &info))?;
    let key = expand::<16>(salt, &secret, b"Content-Encoding: aes128gcm\0")?;
    let nonce = expand::<12>(salt, &secret, b"Content-Encoding: nonce\0")?;
    let mut record = [plain, &[2]].concat();
    let cipher = UnboundKey::new(&AES_128_GCM, &key).map(LessSafeKey::new).map_err(|_key| "the key cannot be used")?;
    let nonce = Nonce::assume_unique_for_key(nonce);
    cipher.seal_in_place_append_tag(nonce, Aad::empty(), &mut record).map_err(|_length| "the message is too large for a device")?;
    let key_bytes = u8::try_from(public.as_ref().len()).map_err(|_length| "the key cannot be used")?;
    Ok([salt.as_slice(), &RECORD_BYTES.to_be_bytes(), &[key_bytes], public.as_ref(), &record].concat())
}

struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand<const N: usize>(salt: &[u8], secret: &[u8], info: &[u8]) -> Result<[u8; N], &'static str> {
    let mut bytes = [0; N];
    let extracted = Salt::new(HKDF_SHA256, salt).extract(secret);
    let expanded = extracted.expand(&[info], Bytes(N)).and_then(|okm| okm.fill(&mut bytes));
    expanded.map(|()| bytes).map_err(|_length| "no key could be derived")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    #[test]
    fn the_example_of_the_standard_comes_out() {
        // RFC 8291, section 5 and appendix A.
        let own = PrivateKey::from_private_key(&ECDH_P256, &decode("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")).unwrap();
        let theirs = decode("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
        let auth = decode("BTBZMqHH6r4Tts7J_aSIgg");
        let salt: [u8; 16] = decode("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        let sealed = close(&own, &salt, (&theirs, &auth), b"When I grow up, I want to be a watermelon").unwrap();
        let expected = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
        assert_eq!(URL_SAFE_NO_PAD.encode(sealed), expected);
    }

    #[test]
    fn what_is_too_large_or_for_no_key_is_refused() {
        let own = PrivateKey::generate(&ECDH_P256).unwrap();
        let theirs = PrivateKey::generate(&ECDH_P256).unwrap().compute_public_key().unwrap();
        let full = vec![b'x'; PLAIN_BYTES_MAX];
        assert_eq!(close(&own, &[0; 16], (theirs.as_ref(), &[0; 16]), &full).unwrap().len(), 4096);
        assert!(close(&own, &[0; 16], (theirs.as_ref(), &[0; 16]), &[full.as_slice(), b"x"].concat()).is_err());
        assert!(close(&own, &[0; 16], (&[4; 65], &[0; 16]), b"x").is_err(), "a point that is not on the curve");
    }
}
