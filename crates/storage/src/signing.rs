//! Links that are good for a while: to read one object, or to write one.
//!
//! Invariant: a link is of one object and one use; whoever changes a letter of it has none. It is signed with a key that nothing else is.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use kernel::{Error, Kind, PassKind, Result, Subject};
use postgres::Sql;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::objects::value;
use crate::{Caller, Storage};

/// What the keys of links are derived for.
const PURPOSE: &str = "links to objects";

/// What a link is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Use {
    /// Reading.
    Read,
    /// Writing.
    Write,
}

/// What a link says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// The bucket, a slash and the name.
    pub url: String,
    /// When it was made.
    pub iat: i64,
    /// When it ends.
    pub exp: i64,
    #[serde(rename = "use")]
    pub(crate) for_use: Use,
    /// How an image is to be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transformations: Option<Value>,
    /// Whether what is there may be replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) upsert: bool,
    /// Whose the object is then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<Uuid>,
}

impl Link {
    /// Makes what a link says to read an object.
    pub(crate) fn reading(bucket: &str, name: &str, now: Timestamp, seconds: u64) -> Self {
        let (iat, seconds) = (now.as_second(), i64::try_from(seconds).unwrap_or(i64::MAX));
        let url = format!("{bucket}/{name}");
        Self { url, iat, exp: iat.saturating_add(seconds), for_use: Use::Read, transformations: None, upsert: false, owner: None }
    }
}

impl Link {
    /// Returns when it ends.
    pub(crate) fn ends(&self) -> Timestamp {
        Timestamp::from_second(self.exp).unwrap_or(Timestamp::MAX)
    }

    /// Refuses a link to an image that is made of the object: whoever has it was not given the object itself.
    pub(crate) fn of_the_whole(self) -> Result<Self> {
        if self.transformations.is_none() {
            return Ok(self);
        }
        Err(Error::new(Kind::BadRequest, "InvalidSignature", "The signature is of an image of the object"))
    }
}

impl Storage {
    /// Returns how many seconds a link of the caller's is good, of those that he wants: a customer's and that of whoever has a link end with what
    /// let him in, and after a while in any case, since that may end early.
    pub(crate) async fn link_seconds(&self, caller: &Caller, wanted: u64) -> Result<u64> {
        let Subject::Pass(pass) = caller.grant().principal().subject() else { return Ok(wanted) };
        let mut sql = Sql::new("select ");
        match pass.kind {
            PassKind::ApiKey => return Ok(wanted),
            PassKind::Portal => sql.text("s.expires_at from auth.portal_sessions s where s.company_id = ").bind(pass.company_id),
            PassKind::Link => sql.text("s.expires_at from public.public_links s where s.company_id = ").bind(pass.company_id),
        };
        sql.text("::uuid and s.id = ").bind(pass.id).text("::uuid");
        let rows = self.read(&self.itself("looks when a guest's session ends"), sql).await?;
        let over = || Error::new(Kind::Forbidden, "AccessDenied", "What let you in is at its end");
        let end: Timestamp = value(rows.first().ok_or_else(over)?, "expires_at")?;
        let left = u64::try_from(end.as_second().saturating_sub(self.now().as_second())).unwrap_or(0);
        if left == 0 {
            return Err(over());
        }
        Ok(wanted.min(left).min(self.config().guest_link_time_s))
    }

    /// Signs a link.
    pub(crate) fn sign(&self, link: &Link) -> Result<String> {
        let keys = self.auth().derived_keys(PURPOSE);
        let key = keys.first().ok_or_else(|| Error::internal("there is no key for links"))?;
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), link, &EncodingKey::from_secret(key)).map_err(Error::internal)
    }

    /// Reads a link that was shown to read an object.
    pub fn read_link(&self, token: &str, bucket: &str, name: &str) -> Result<Link> {
        self.verify(token, Use::Read, bucket, name)
    }

    /// Reads a link that was shown to write an object.
    pub(crate) fn write_link(&self, token: &str, bucket: &str, name: &str) -> Result<Link> {
        self.verify(token, Use::Write, bucket, name)
    }

    fn verify(&self, token: &str, for_use: Use, bucket: &str, name: &str) -> Result<Link> {
        verify(&self.auth().derived_keys(PURPOSE), token, self.now()).and_then(|link| {
            let is_this = link.for_use == for_use && link.url == format!("{bucket}/{name}");
            if is_this { Ok(link) } else { Err(Error::new(Kind::BadRequest, "InvalidSignature", "Invalid signature")) }
        })
    }
}

fn verify(keys: &[[u8; 32]], token: &str, now: Timestamp) -> Result<Link> {
    let mut rules = Validation::new(Algorithm::HS256);
    rules.validate_exp = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    let mut refused = Error::new(Kind::BadRequest, "InvalidJWT", "Invalid Compact JWS");
    if token.split('.').count() != 3 {
        return Err(refused);
    }
    for key in keys {
        match jsonwebtoken::decode::<Link>(token, &DecodingKey::from_secret(key), &rules) {
            Ok(link) if link.claims.exp <= now.as_second() => {
                return Err(Error::new(Kind::BadRequest, "InvalidJWT", "\"exp\" claim timestamp check failed"));
            }
            Ok(link) => return Ok(link.claims),
            Err(error) => {
                let message = match error.kind() {
                    ErrorKind::InvalidSignature => "signature verification failed",
                    ErrorKind::InvalidAlgorithm => "\"alg\" (Algorithm) Header Parameter value not allowed",
                    _ => "Invalid JWS",
                };
                refused = Error::new(Kind::BadRequest, "InvalidJWT", message).with_source(error);
            }
        }
    }
    Err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_ends_and_is_of_its_key() {
        let now = Timestamp::from_second(1000).unwrap();
        let link = Link::reading("avatars", "a/b.png", now, 60);
        let sign = |key: &[u8; 32]| jsonwebtoken::encode(&Header::new(Algorithm::HS256), &link, &EncodingKey::from_secret(key)).unwrap();
        let token = sign(&[1; 32]);
        assert_eq!(verify(&[[2; 32], [1; 32]], &token, now).unwrap(), link);
        let message = |keys: &[[u8; 32]], token: &str, now| verify(keys, token, now).unwrap_err().message().to_owned();
        let late = Timestamp::from_second(1060).unwrap();
        assert_eq!(message(&[[1; 32]], &token, late), "\"exp\" claim timestamp check failed");
        assert_eq!(message(&[[2; 32]], &token, now), "signature verification failed");
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", token.split('.').nth(1).unwrap());
        for (bad, expected) in
            [("", "Invalid Compact JWS"), ("x", "Invalid Compact JWS"), ("a.b.c", "Invalid JWS"), (&unsigned, "Invalid JWS")]
        {
            assert_eq!(message(&[[1; 32]], bad, now), expected, "{bad}");
        }
    }
}
