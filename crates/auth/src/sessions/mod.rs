//! Sessions: one sign-in on one device, and the tokens that speak for it.
//!
//! Invariant: an access token is written only from rows read in the same transaction that opened or refreshed the session, so it
//! never names a company of which the user is no active member, and is written for nobody who came otherwise than his company demands.

mod grants;
mod held;
mod list;
mod logout;
mod over;
pub(crate) mod queries;
mod refresh_token;

pub(crate) use grants::{refresh, token};
pub(crate) use held::{Holder, NewHeld, is_held, open_held, revoke_held, revoke_held_of};
use jiff::Timestamp;
use kernel::{CompanyId, Error, Kind, Result, SessionId, UserId};
pub(crate) use list::{end, list};
pub(crate) use logout::logout;
pub(crate) use over::{explain, note};
use postgres::Tx;
pub(crate) use queries::revoke_others;
pub(crate) use refresh_token::RefreshToken;
use serde_json::{Map, Value, json};

use crate::Auth;
use crate::errors::object;
use crate::input::{Caller, Device};
use crate::support::Support;
use crate::tokens::AUDIENCE;
use crate::users::User;

/// A session that is to be.
pub(crate) struct NewSession<'a> {
    pub(crate) user_id: UserId,
    /// The hash that a password was compared with: if it is another by now, there is no session.
    pub(crate) verified_hash: Option<&'a str>,
    /// The hash to keep in its place.
    pub(crate) renewed_hash: Option<&'a str>,
    pub(crate) device: Device,
    /// How he proved who he is, as `amr` names it.
    pub(crate) method: &'static str,
    /// Of which of his identities.
    pub(crate) provider: &'a str,
}

/// A session with everything its tokens say.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) user: User,
    pub(crate) refresh_counter: i64,
    pub(crate) aal: String,
    pub(crate) amr: Value,
    pub(crate) company: Option<Company>,
    /// The program of others that holds it.
    pub(crate) holder: Option<Holder>,
    /// What its token says, where a hook was asked.
    pub(crate) hooked: Option<Map<String, Value>>,
    /// Who of support works in it, in the user's place.
    pub(crate) support: Option<Support>,
    /// His company has its user sign in with its own provider, and he did not.
    must_sign_on: bool,
}

/// The company that a session works in, and what its user is there.
#[derive(Debug)]
pub(crate) struct Company {
    pub(crate) id: CompanyId,
    pub(crate) member_role: String,
    pub(crate) industry: Option<String>,
    pub(crate) slug: String,
}

/// How long a session lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetime {
    pub(crate) now: Timestamp,
    pub(crate) idle_seconds: i64,
    pub(crate) seconds_max: i64,
}

impl Lifetime {
    pub(crate) fn of(auth: &Auth) -> Self {
        let config = auth.config();
        Self { now: auth.now(), idle_seconds: config.session_idle_seconds.into(), seconds_max: config.session_seconds_max.into() }
    }
}

/// Opens a session for a user who proved who he is.
pub(crate) async fn open(auth: &Auth, tx: &Tx, new: NewSession<'_>) -> Result<Session> {
    let id = SessionId::new_v7();
    if !queries::create(tx, id, &new, Lifetime::of(auth)).await? {
        return Err(grants::invalid_credentials());
    }
    if auth.config().session_single_per_user {
        let caller = Caller { user_id: new.user_id, session_id: Some(id), is_assured: false };
        revoke_others(tx, caller, auth.now()).await?;
    }
    read(auth, tx, id, new.method).await
}

/// Reads a session that this transaction made or locked, for a token that is wanted by this method.
pub(crate) async fn read(auth: &Auth, tx: &Tx, id: SessionId, method: &str) -> Result<Session> {
    let mut session = queries::find(tx, id).await?.ok_or_else(|| Error::internal("a session in use is gone"))?;
    if session.must_sign_on {
        return Err(Error::new(Kind::Forbidden, "sso_required", "Your company has you sign in with its own provider"));
    }
    if auth.hooks().changes_tokens() {
        let claims = session.claims(auth);
        session.hooked = Some(auth.hooked_claims(tx, claims, method).await?);
    }
    Ok(session)
}

/// Tells whether a second factor was proved for the caller's session.
pub(crate) async fn is_proved(tx: &Tx, caller: Caller, auth: &Auth) -> Result<bool> {
    if caller.session_id.is_none() {
        return Ok(false);
    }
    Ok(queries::standing(tx, caller, Lifetime::of(auth)).await?.is_some_and(|standing| standing.proved))
}

impl Session {
    /// Returns the session as clients read it, with new tokens.
    pub(crate) fn answer(&self, auth: &Auth) -> Result<Value> {
        let keys = auth.keys();
        let expires_in = self.lives_seconds(auth);
        let claims = self.hooked.clone().unwrap_or_else(|| self.claims(auth));
        let expires_at = claims.get("exp").cloned();
        let access_token = keys.ring.sign(&claims).map_err(Error::internal)?;
        let refresh = RefreshToken { session_id: self.id, counter: self.refresh_counter };
        let refresh_token = refresh.encode(&keys.ring).ok_or_else(|| Error::internal("the key ring has no refresh key"))?;
        Ok(json!({
            "access_token": access_token,
            "token_type": "bearer",
            "expires_in": expires_in,
            "expires_at": expires_at,
            "refresh_token": refresh_token,
            "user": self.user,
        }))
    }

    /// Returns how long its access token lives; support's no longer than its session.
    fn lives_seconds(&self, auth: &Auth) -> i64 {
        let usual = i64::from(auth.config().access_token_seconds);
        self.support.as_ref().map_or(usual, |support| usual.min(support.not_after.as_second() - auth.now().as_second()))
    }

    fn claims(&self, auth: &Auth) -> Map<String, Value> {
        let now = auth.now().as_second();
        let expires_at = now + self.lives_seconds(auth);
        let mut claims = object([
            ("iss", json!(auth.issuer())),
            ("sub", json!(self.user.id)),
            ("aud", json!(AUDIENCE)),
            ("exp", json!(expires_at)),
            ("iat", json!(now)),
            ("email", json!(self.user.email)),
            ("phone", json!(self.user.phone)),
            ("app_metadata", self.user.app_metadata.clone()),
            ("user_metadata", self.user.user_metadata.clone()),
            // Whatever the account's row says: a person's session never has the service's rights.
            ("role", json!("authenticated")),
            ("aal", json!(self.aal)),
            ("amr", self.amr.clone()),
            ("session_id", json!(self.id)),
            ("is_anonymous", json!(self.user.is_anonymous)),
        ]);
        if let Some(company) = &self.company {
            // A company by the names that policies of other programs know it by, too. `auth.custom_access_token_hook` says the same.
            claims.extend(object([
                ("company_id", json!(company.id)),
                ("tenant_id", json!(company.id)),
                ("industry", json!(company.industry)),
                ("subdomain", json!(company.slug)),
                ("member_role", json!(company.member_role)),
            ]));
        }
        if let Some(holder) = &self.holder {
            holder.add_to(&mut claims);
        }
        if let Some(support) = &self.support {
            claims.insert("impersonated_by".to_owned(), json!(support.operator));
            claims.insert("act".to_owned(), json!({ "sub": support.operator }));
        }
        claims
    }
}

/// Returns the word that counts an outcome in the metrics: a closed list, so that nobody can make up new ones.
pub(crate) fn label(code: &str) -> &'static str {
    match code {
        "invalid_credentials" | "otp_expired" => "invalid",
        "user_banned" => "banned",
        "email_not_confirmed" => "unconfirmed",
        "over_request_rate_limit" => "limited",
        "user_already_exists" => "exists",
        "refresh_token_not_found" => "not_found",
        "refresh_token_already_used" => "already_used",
        "session_expired" => "expired",
        "weak_password" | "validation_failed" | "bad_json" => "refused",
        _ => "failed",
    }
}
