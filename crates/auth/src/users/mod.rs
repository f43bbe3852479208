//! Users: signing up, reading and changing one's own account.
//!
//! Invariant: an answer about a user never holds his password's hash, and nobody changes his own `app_metadata`.

mod account;
mod anonymous;
pub(crate) mod queries;
mod signup;
mod signup_phone;
pub(crate) mod unproved;
pub(crate) mod ways_in;

pub(crate) use account::{check_size, factor_required, get, put, taken, taken_phone};
use jiff::Timestamp;
use kernel::{Error, Result, UserId};
use postgres::Row;
use serde::Serialize;
use serde_json::{Map, Value, json};
pub(crate) use signup::signup;
use uuid::Uuid;

use crate::errors::object;
use crate::tokens::AUDIENCE;

/// A user as clients read it.
#[derive(Clone, Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the wire's")]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) aud: String,
    pub(crate) role: String,
    pub(crate) email: String,
    pub(crate) phone: String,
    #[serde(flatten)]
    moments: Moments,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_phone: Option<String>,
    pub(crate) app_metadata: Value,
    pub(crate) user_metadata: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) factors: Option<Value>,
    identities: Value,
    created_at: Timestamp,
    updated_at: Timestamp,
    pub(crate) is_anonymous: bool,
}

/// When things happened; what did not happen is left out.
#[derive(Clone, Debug, Default, Serialize)]
struct Moments {
    #[serde(skip_serializing_if = "Option::is_none")]
    email_confirmed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_confirmed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invited_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation_sent_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_sent_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_change_sent_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_change_sent_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reauthentication_sent_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_sign_in_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    banned_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
}

/// What is answered in the place of an account that is there already.
pub(crate) struct StandIn<'a> {
    pub(crate) id: UserId,
    pub(crate) provider: &'static str,
    pub(crate) email: &'a str,
    pub(crate) phone: &'a str,
    pub(crate) user_metadata: &'a Map<String, Value>,
    pub(crate) now: Timestamp,
}

impl User {
    /// Tells whether there is a second factor that counts.
    pub(crate) fn has_second_factor(&self) -> bool {
        let factors = self.factors.as_ref().and_then(Value::as_array);
        factors.is_some_and(|factors| factors.iter().any(|factor| factor["status"] == "verified"))
    }

    /// Returns what is answered to whoever signs up with an address that has an account: what a new one would look like.
    pub(crate) fn stand_in(new: &StandIn<'_>, updated_at: Timestamp) -> Self {
        // PostgreSQL keeps no more digits.
        let now = Timestamp::from_microsecond(new.now.as_microsecond()).unwrap_or(new.now);
        let text = now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
        // Each sort of identity names what it is known by.
        let known = if new.provider == "email" { ("email", new.email) } else { ("phone", new.phone) };
        let mut data = object([("sub", json!(new.id)), (known.0, json!(known.1))]);
        data.extend(object([("email_verified", json!(false)), ("phone_verified", json!(false))]));
        // In the order in which the database answers those of accounts that are there: also that would tell them apart.
        let mut identity = object([("id", json!(new.id))]);
        if !new.email.is_empty() {
            identity.insert("email".to_owned(), json!(new.email));
        }
        identity.extend(object([
            ("user_id", json!(new.id)),
            ("provider", json!(new.provider)),
            ("created_at", json!(text)),
            ("updated_at", json!(text)),
            ("identity_id", json!(UserId::new_v7())),
            ("identity_data", json!(data)),
            ("last_sign_in_at", json!(text)),
        ]));
        Self {
            id: new.id,
            aud: AUDIENCE.to_owned(),
            role: AUDIENCE.to_owned(),
            email: new.email.to_owned(),
            phone: new.phone.to_owned(),
            moments: Moments { confirmation_sent_at: Some(now), ..Moments::default() },
            new_email: None,
            new_phone: None,
            app_metadata: json!({ "provider": new.provider, "providers": [new.provider] }),
            user_metadata: Value::Object(new.user_metadata.clone()),
            factors: None,
            identities: json!([identity]),
            created_at: now,
            updated_at,
            is_anonymous: false,
        }
    }

    /// Reads a row that was selected with [`queries::COLUMNS`].
    pub(crate) fn from_row(row: &Row) -> Result<Self> {
        let moment = |name: &str| row.try_get::<_, Option<Timestamp>>(name).map_err(Error::internal);
        let text = |name: &str| row.try_get::<_, String>(name).map_err(Error::internal);
        let maybe = |name: &str| row.try_get::<_, Option<String>>(name).map_err(Error::internal);
        let json = |name: &str| row.try_get::<_, Value>(name).map_err(Error::internal);
        Ok(Self {
            id: UserId(row.try_get::<_, Uuid>("id").map_err(Error::internal)?),
            aud: text("aud")?,
            role: text("role")?,
            email: text("email")?,
            phone: text("phone")?,
            moments: Moments {
                email_confirmed_at: moment("email_confirmed_at")?,
                phone_confirmed_at: moment("phone_confirmed_at")?,
                confirmed_at: moment("confirmed_at")?,
                invited_at: moment("invited_at")?,
                confirmation_sent_at: moment("confirmation_sent_at")?,
                recovery_sent_at: moment("recovery_sent_at")?,
                email_change_sent_at: moment("email_change_sent_at")?,
                phone_change_sent_at: moment("phone_change_sent_at")?,
                reauthentication_sent_at: moment("reauthentication_sent_at")?,
                last_sign_in_at: moment("last_sign_in_at")?,
                banned_until: moment("banned_until")?,
                deleted_at: moment("deleted_at")?,
            },
            new_email: maybe("new_email")?,
            new_phone: maybe("new_phone")?,
            app_metadata: json("app_metadata")?,
            user_metadata: json("user_metadata")?,
            factors: row.try_get("factors").map_err(Error::internal)?,
            identities: json("identities")?,
            created_at: row.try_get("created_at").map_err(Error::internal)?,
            updated_at: row.try_get("updated_at").map_err(Error::internal)?,
            is_anonymous: row.try_get("is_anonymous").map_err(Error::internal)?,
        })
    }
}
