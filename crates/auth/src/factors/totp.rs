//! Codes of authenticator apps (RFC 6238): six digits of SHA-1 every 30 seconds, as every app knows them.
//!
//! Invariant: pure; the secret leaves this file only sealed or to its owner, once.

use kernel::{Error, Result, Secret};
use qrcode::QrCode;
use qrcode::render::svg::Color;
use totp_rs::{Builder, Secret as Seed, Totp};

use crate::keys;

/// As long as a SHA-1 digest, which the standard recommends.
const SECRET_BYTES: usize = 20;
/// The side of the picture, at least.
const PIXELS: u32 = 200;

/// What an authenticator app is given.
pub(super) struct Enrolment {
    /// The secret in base 32, to be typed.
    pub(super) secret: String,
    /// `otpauth://…`.
    pub(super) uri: String,
    /// The same as a picture: SVG without `#`, since clients put it into a `data:` address as it is.
    pub(super) qr_code: String,
}

/// Makes a secret.
pub(super) fn generate() -> Result<Secret<Vec<u8>>> {
    keys::random(SECRET_BYTES).map(Secret::new).map_err(Error::internal)
}

/// Returns how an app takes a secret.
pub(super) fn enrolment(secret: &Secret<Vec<u8>>, issuer: &str, account: &str) -> Result<Enrolment> {
    // The format has no way to write a colon in either name.
    let plain = |name: &str| name.replace(':', " ");
    let named = Builder::new().with_secret(seed(secret)).with_issuer(Some(plain(issuer))).with_account_name(plain(account));
    let totp = named.build().map_err(Error::internal)?;
    let uri = totp.to_url().map_err(Error::internal)?;
    let code = QrCode::new(uri.as_bytes()).map_err(Error::internal)?;
    let mut picture = code.render::<Color<'_>>();
    let qr_code = picture.dark_color(Color("black")).light_color(Color("white")).min_dimensions(PIXELS, PIXELS).build();
    Ok(Enrolment { secret: totp.secret().to_base32(), uri, qr_code })
}

/// Returns the time step of a code, if it is right now or one step away from now.
pub(super) fn step(secret: &Secret<Vec<u8>>, code: &str, now_seconds: i64) -> Result<Option<i64>> {
    let totp: Totp = Builder::new().with_secret(seed(secret)).build_noncompliant();
    let now = u64::try_from(now_seconds).map_err(Error::internal)?;
    let digits = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
    let step = if digits { totp.check(code, now) } else { None };
    step.map(|step| i64::try_from(step).map_err(Error::internal)).transpose()
}

fn seed(secret: &Secret<Vec<u8>>) -> Seed {
    Seed::new(secret.expose().clone().into_boxed_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standard() -> Secret<Vec<u8>> {
        Secret::new(b"12345678901234567890".to_vec())
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, of which apps show the last six digits.
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")] {
            assert_eq!(step(&standard(), code, seconds).unwrap(), Some(seconds / 30), "{code}");
            assert_eq!(step(&standard(), code, seconds + 30).unwrap(), Some(seconds / 30), "a step later");
            assert_eq!(step(&standard(), code, seconds + 60).unwrap(), None, "two steps later");
        }
        for wrong in ["", "28708", "2870822", "28708a", "287 082", " 287082", "287083", "２８７０８２"] {
            assert_eq!(step(&standard(), wrong, 59).unwrap(), None, "{wrong}");
        }
    }

    #[test]
    fn an_app_is_given_what_it_reads() {
        let Enrolment { secret, uri, qr_code } = enrolment(&standard(), "api.example.com:54321", "ann@example.com").unwrap();
        assert_eq!(secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(uri.starts_with("otpauth://totp/") && uri.contains(&format!("secret={secret}")) && uri.contains("issuer="), "{uri}");
        assert!(qr_code.starts_with("<?xml") && qr_code.ends_with("</svg>") && !qr_code.contains('#'), "{qr_code:.200}");
    }

    #[test]
    fn secrets_differ() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert!(one.expose().len() == 20 && one != other);
    }
}
