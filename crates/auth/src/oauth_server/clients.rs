//! Programs of others: what is known of one, and what one may be.
//!
//! Invariant: a program's secret is shown when it is made and kept as a hash. What is wrong with a wish is found before anything is
//! written, and said in the words of the standard and of this API alike.

use aws_lc_rs::digest;
use jiff::Timestamp;
use kernel::{Error, Result, Secret};
use postgres::Row;
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use url::Url;
use uuid::Uuid;

use super::{OauthServerConfig, random_text, redirect_uri};

pub(super) const GRANTS: [&str; 2] = ["authorization_code", "refresh_token"];
pub(super) const AUTH_METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "none"];
const NAME_CHARACTERS_MAX: usize = 1024;
const ADDRESS_BYTES_MAX: usize = 2048;

/// A program of others.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) uri: Option<String>,
    pub(super) logo_uri: Option<String>,
    pub(super) auth_method: String,
    pub(super) secret_hash: Option<Vec<u8>>,
    pub(super) redirect_uris: Vec<String>,
    pub(super) grant_types: Vec<String>,
    pub(super) registration: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// What a program is to be; what is not there stays as it is, or is what most are.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    pub(super) client_name: Option<String>,
    pub(super) client_uri: Option<String>,
    pub(super) logo_uri: Option<String>,
    pub(super) redirect_uris: Option<Vec<String>>,
    pub(super) grant_types: Option<Vec<String>>,
    pub(super) response_types: Option<Vec<String>>,
    pub(super) client_type: Option<String>,
    pub(super) token_endpoint_auth_method: Option<String>,
}

/// What is wrong with a wish.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    RedirectUri(&'static str),
    Metadata(&'static str),
}

impl Fault {
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::RedirectUri(message) | Self::Metadata(message) => message,
        }
    }
}

impl Wish {
    /// Tells whether nothing is wished.
    pub(super) fn is_empty(&self) -> bool {
        let texts = [&self.client_name, &self.client_uri, &self.logo_uri, &self.client_type, &self.token_endpoint_auth_method];
        let lists = [&self.redirect_uris, &self.grant_types, &self.response_types];
        texts.iter().all(|text| text.is_none()) && lists.iter().all(|list| list.is_none())
    }

    /// Returns the way in which a new program proves itself; a site has a secret unless it says otherwise.
    pub(super) fn auth_method(&self) -> Result<&str, Fault> {
        let is_public = match self.client_type.as_deref() {
            None => None,
            Some("public") => Some(true),
            Some("confidential") => Some(false),
            Some(_) => return Err(Fault::Metadata("client_type must be public or confidential")),
        };
        match (self.token_endpoint_auth_method.as_deref(), is_public) {
            (None, Some(true)) => Ok("none"),
            (None, _) => Ok("client_secret_basic"),
            (Some(method), _) if !AUTH_METHODS.contains(&method) => {
                Err(Fault::Metadata("token_endpoint_auth_method must be client_secret_basic, client_secret_post or none"))
            }
            (Some(method), Some(public)) if (method == "none") != public => {
                Err(Fault::Metadata("client_type and token_endpoint_auth_method do not fit together"))
            }
            (Some(method), _) => Ok(method),
        }
    }

    /// Refuses what a program cannot be.
    pub(super) fn check(&self, config: &OauthServerConfig) -> Result<(), Fault> {
        if let Some(uris) = &self.redirect_uris {
            let most = usize::try_from(config.redirect_uris_max).unwrap_or(usize::MAX);
            if uris.is_empty() || uris.len() > most {
                return Err(Fault::RedirectUri("redirect_uris must have one address, and not too many"));
            }
            if let Some(message) = uris.iter().find_map(|uri| redirect_uri::fault(uri, &config.redirect_schemes)) {
                return Err(Fault::RedirectUri(message));
            }
        }
        let among = |given: &Option<Vec<String>>, known: &[&str]| {
            given.as_ref().is_none_or(|given| !given.is_empty() && given.iter().all(|one| known.contains(&one.as_str())))
        };
        let has_code = self.grant_types.as_ref().is_none_or(|types| types.iter().any(|one| one == "authorization_code"));
        if !among(&self.grant_types, &GRANTS) || !has_code {
            return Err(Fault::Metadata("grant_types must be authorization_code, and refresh_token beside it"));
        }
        if !among(&self.response_types, &["code"]) {
            return Err(Fault::Metadata("response_types must be code"));
        }
        let is_name = |name: &String| name.chars().count() <= NAME_CHARACTERS_MAX && !name.chars().any(char::is_control);
        if !self.client_name.as_ref().is_none_or(is_name) {
            return Err(Fault::Metadata("client_name has at most 1024 characters"));
        }
        if ![&self.client_uri, &self.logo_uri].into_iter().flatten().all(|uri| uri.is_empty() || is_page(uri)) {
            return Err(Fault::Metadata("client_uri and logo_uri must be http or https addresses"));
        }
        Ok(())
    }
}

/// What a page shows as a link or a picture: nothing that a browser would run.
fn is_page(text: &str) -> bool {
    let is_web = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    text.len() <= ADDRESS_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic()) && is_web
}

impl Client {
    pub(super) fn is_public(&self) -> bool {
        self.auth_method == "none"
    }

    /// Tells whether this is the program's secret, in the same time for any.
    pub(super) fn is_secret(&self, presented: &str) -> bool {
        self.secret_hash.as_ref().is_some_and(|kept| bool::from(hash(presented).as_slice().ct_eq(kept)))
    }

    /// Returns the program as its operator reads it, with its secret if that was just made.
    pub(super) fn document(&self, secret: Option<&Secret<String>>) -> Value {
        let mut document = json!({
            "client_id": self.id,
            "client_type": if self.is_public() { "public" } else { "confidential" },
            "redirect_uris": self.redirect_uris,
            "token_endpoint_auth_method": self.auth_method,
            "grant_types": self.grant_types,
            "response_types": ["code"],
            "client_name": self.name,
            "registration_type": self.registration,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        });
        let more = [("client_uri", self.uri.as_ref()), ("logo_uri", self.logo_uri.as_ref()), ("client_secret", secret.map(Secret::expose))];
        if let Some(document) = document.as_object_mut() {
            let given = more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
            document.extend(given);
        }
        document
    }

    /// Returns the program as people see it who are asked for something.
    pub(super) fn shown(&self) -> Value {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        json!({ "id": self.id, "name": self.name, "uri": text(&self.uri), "logo_uri": text(&self.logo_uri) })
    }

    /// Reads a row that was selected with [`super::queries::COLUMNS`].
    pub(super) fn from_row(row: &Row) -> Result<Self> {
        let text = |name: &str| row.try_get::<_, String>(name).map_err(Error::internal);
        let maybe = |name: &str| row.try_get::<_, Option<String>>(name).map_err(Error::internal);
        let list = |name: &str| {
            let value = row.try_get::<_, Value>(name).map_err(Error::internal)?;
            serde_json::from_value(value).map_err(Error::internal)
        };
        Ok(Self {
            id: row.try_get("client_id").map_err(Error::internal)?,
            name: text("client_name")?,
            uri: maybe("client_uri")?,
            logo_uri: maybe("logo_uri")?,
            auth_method: text("auth_method")?,
            secret_hash: row.try_get("secret_hash").map_err(Error::internal)?,
            redirect_uris: list("redirect_uris")?,
            grant_types: list("grant_types")?,
            registration: text("registration")?,
            created_at: row.try_get("client_created_at").map_err(Error::internal)?,
            updated_at: row.try_get("client_updated_at").map_err(Error::internal)?,
        })
    }
}

/// Makes a secret for a program.
pub(super) fn new_secret() -> Result<Secret<String>> {
    random_text().map(Secret::new)
}

/// Returns what is kept of a secret or a code: both are random enough that a plain hash hides them.
pub(super) fn hash(text: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(value: Value) -> Wish {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_program_has_a_secret_unless_it_cannot_keep_one() {
        for (given, method) in [
            (json!({}), Some("client_secret_basic")),
            (json!({ "client_type": "public" }), Some("none")),
            (json!({ "client_type": "confidential" }), Some("client_secret_basic")),
            (json!({ "token_endpoint_auth_method": "client_secret_post" }), Some("client_secret_post")),
            (json!({ "token_endpoint_auth_method": "none", "client_type": "public" }), Some("none")),
            (json!({ "token_endpoint_auth_method": "none", "client_type": "confidential" }), None),
            (json!({ "token_endpoint_auth_method": "client_secret_basic", "client_type": "public" }), None),
            (json!({ "token_endpoint_auth_method": "private_key_jwt" }), None),
            (json!({ "client_type": "secret" }), None),
        ] {
            assert_eq!(wish(given.clone()).auth_method().ok(), method, "{given}");
        }
    }

    #[test]
    fn what_a_program_cannot_be_is_refused() {
        let config = OauthServerConfig::default();
        let uris = json!(["https://app.example.com/callback"]);
        assert!(wish(json!({ "redirect_uris": uris, "client_uri": "", "client_name": "Ünï" })).check(&config).is_ok());
        for given in [
            json!({ "redirect_uris": [] }),
            json!({ "redirect_uris": vec!["https://a.example.com/"; 11] }),
            json!({ "redirect_uris": ["https://a.example.com/", "http://a.example.com/"] }),
        ] {
            assert!(matches!(wish(given.clone()).check(&config), Err(Fault::RedirectUri(_))), "{given}");
        }
        for given in [
            json!({ "grant_types": [] }),
            json!({ "grant_types": ["refresh_token"] }),
            json!({ "grant_types": ["authorization_code", "password"] }),
            json!({ "response_types": ["token"] }),
            json!({ "client_name": "x".repeat(1025) }),
            json!({ "client_name": "a\nb" }),
            json!({ "client_uri": "javascript:alert(1)" }),
            json!({ "logo_uri": "data:image/svg+xml,x" }),
            json!({ "logo_uri": "/logo.png" }),
        ] {
            assert!(matches!(wish(given.clone()).check(&config), Err(Fault::Metadata(_))), "{given}");
        }
    }
}
