//! What an operator's own code may say when somebody signs up or in.
//!
//! Invariant: a hook adds to what a token says and may refuse; it never makes a token somebody else's, another company's or another
//! role's, and where it fails nobody gets in by that.

pub(crate) mod config;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kernel::{Error, Kind, Result, UserId};
use outbound::Hook;
use postgres::{Access, Tx};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::Auth;
use crate::errors::{object, unprocessable};
use crate::input::Device;
use crate::sessions::queries::revoke_all;
use crate::users::queries::find;

use config::HooksConfig;

/// Claims of ours that a hook may change or leave out.
const CHANGEABLE: &[&str] = &["email", "phone", "app_metadata", "user_metadata"];
/// Claims that are ours alone, also where a token has none of them.
const RESERVED: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "role",
    "aal",
    "amr",
    "session_id",
    "is_anonymous",
    "company_id",
    "tenant_id",
    "member_role",
    "industry",
    "subdomain",
];

/// The hooks that are configured.
pub(crate) struct Hooks {
    custom_access_token: Option<Hook>,
    password: Option<Hook>,
    /// How many microseconds its last answer took.
    password_micros: AtomicU64,
    factor: Option<Hook>,
    before_user: Option<Hook>,
    after_user: Option<Hook>,
}

/// Somebody who is about to have an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newcomer<'a> {
    pub(crate) id: UserId,
    /// What he is known by; nothing of somebody who is known by nothing.
    pub(crate) provider: &'a str,
    pub(crate) email: &'a str,
    pub(crate) phone: &'a str,
    pub(crate) user_metadata: &'a Map<String, Value>,
}

impl Hooks {
    pub(crate) fn new(config: &HooksConfig) -> Result<Self> {
        let hook = |hook| Hook::new(hook, &config.limits);
        Ok(Self {
            custom_access_token: hook(&config.custom_access_token)?,
            password: hook(&config.password_verification_attempt)?,
            password_micros: AtomicU64::new(0),
            factor: hook(&config.mfa_verification_attempt)?,
            before_user: hook(&config.before_user_created)?,
            after_user: hook(&config.after_user_created)?,
        })
    }

    /// Tells whether one changes what tokens say.
    pub(crate) fn changes_tokens(&self) -> bool {
        self.custom_access_token.is_some()
    }
}

impl Auth {
    /// Returns what a token is to say, after the hook was asked: what decides who somebody is and where stays as it was.
    pub(crate) async fn hooked_claims(&self, tx: &Tx, claims: Map<String, Value>, method: &str) -> Result<Map<String, Value>> {
        let Some(hook) = &self.hooks().custom_access_token else { return Ok(claims) };
        let payload = json!({ "user_id": claims.get("sub"), "claims": claims, "authentication_method": method });
        let mut answer = hook.ask(Some(tx), &payload, self.now()).await?;
        let Some(Value::Object(changed)) = answer.remove("claims") else {
            return Err(Error::new(Kind::Internal, "unexpected_failure", "The output of the custom access token hook has no claims"));
        };
        let merged = kept(claims, changed);
        // Base64 makes four bytes of three; header and signature fit into the rest.
        let bytes = serde_json::to_string(&merged).map_err(Error::internal)?.len() * 4 / 3 + 512;
        if bytes > self.config().token_bytes_max {
            let message = "The claims of the custom access token hook are too large for a token";
            return Err(unprocessable("hook_payload_over_size_limit", message));
        }
        Ok(merged)
    }

    /// Tells the hook of a password that was tried. For nobody it is not asked, and takes as long as the last time for somebody. Whether
    /// a wrong password was an account's is not told by a hook that fails either.
    pub(crate) async fn password_tried(&self, user_id: Option<UserId>, valid: bool) -> Result<()> {
        let Some(hook) = &self.hooks().password else { return Ok(()) };
        let micros = &self.hooks().password_micros;
        let Some(user_id) = user_id else {
            return hook.pretend(Duration::from_micros(micros.load(Ordering::Relaxed))).await;
        };
        let begun = Instant::now();
        let answer = self.ask_apart(hook, &json!({ "user_id": user_id, "valid": valid })).await;
        micros.store(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        let answer = match answer {
            Err(error) if !valid && !matches!(error.code(), "hook_refused" | "over_request_rate_limit") => {
                tracing::warn!(%user_id, code = error.code(), "the hook of a wrong password failed: {}", error.message());
                return Ok(());
            }
            answer => answer?,
        };
        let Some(message) = rejected(&answer, "Further password verification attempts will be rejected.") else { return Ok(()) };
        if answer.get("should_logout_user") == Some(&Value::Bool(true)) {
            let tx = self.begin(Access::Write, "a hook ends somebody's sessions").await?;
            revoke_all(&tx, user_id, self.now()).await?;
            tx.commit().await?;
        }
        Err(Error::new(Kind::BadRequest, "invalid_credentials", message))
    }

    /// Tells the hook of a code that was tried for a second factor; the error, where it rejects, after the user's sessions were ended.
    pub(crate) async fn factor_tried(&self, tx: &Tx, (user_id, factor): (UserId, Uuid), sort: &str, valid: bool) -> Result<Option<Error>> {
        let Some(hook) = &self.hooks().factor else { return Ok(None) };
        let payload = json!({ "factor_id": factor, "factor_type": sort, "user_id": user_id, "valid": valid });
        let answer = hook.ask(Some(tx), &payload, self.now()).await?;
        let Some(message) = rejected(&answer, "Further MFA verification attempts will be rejected.") else { return Ok(None) };
        revoke_all(tx, user_id, self.now()).await?;
        Ok(Some(Error::new(Kind::Forbidden, "mfa_verification_rejected", message)))
    }

    /// Asks the hook whether an account may be made.
    pub(crate) async fn before_user(&self, tx: &Tx, device: &Device, new: Newcomer<'_>) -> Result<()> {
        let Some(hook) = &self.hooks().before_user else { return Ok(()) };
        let (nothing, is_anonymous) = ("0001-01-01T00:00:00Z", new.provider.is_empty());
        let app_metadata = if is_anonymous { json!({}) } else { json!({ "provider": new.provider, "providers": [new.provider] }) };
        let user = json!({
            "id": new.id, "aud": "authenticated", "role": "", "email": new.email, "phone": new.phone,
            "app_metadata": app_metadata, "user_metadata": new.user_metadata,
            "identities": [], "created_at": nothing, "updated_at": nothing, "is_anonymous": is_anonymous,
        });
        let payload = json!({ "metadata": self.about("before-user-created", device), "user": user });
        hook.ask(Some(tx), &payload, self.now()).await.map(|_answer| ())
    }

    /// Tells the hook of an account that was made, after the commit. Nobody waits for it, and what it says changes nothing.
    pub(crate) fn after_user(&self, device: &Device, user_id: UserId) {
        if self.hooks().after_user.is_none() {
            return;
        }
        let (auth, metadata) = (self.clone(), self.about("after-user-created", device));
        tokio::spawn(async move {
            if let Err(error) = auth.tell_of_user(metadata, user_id).await {
                tracing::warn!(%user_id, code = error.code(), "the hook after an account was made failed: {}", error.message());
            }
        });
    }

    async fn tell_of_user(&self, metadata: Value, user_id: UserId) -> Result<()> {
        let Some(hook) = &self.hooks().after_user else { return Ok(()) };
        let tx = self.begin(Access::Write, "tell a hook of an account").await?;
        let Some(user) = find(&tx, user_id).await? else { return Ok(()) };
        hook.ask(Some(&tx), &json!({ "metadata": metadata, "user": user }), self.now()).await?;
        tx.commit().await
    }

    fn about(&self, name: &str, device: &Device) -> Value {
        json!({ "uuid": Uuid::now_v7(), "time": self.now(), "name": name, "ip_address": device.address.as_deref().unwrap_or_default() })
    }

    /// Asks a hook in a transaction of its own, if it needs one.
    async fn ask_apart(&self, hook: &Hook, payload: &Value) -> Result<Map<String, Value>> {
        if !hook.is_function() {
            return hook.ask(None, payload, self.now()).await;
        }
        let tx = self.begin(Access::Write, "ask a hook").await?;
        let answer = hook.ask(Some(&tx), payload, self.now()).await?;
        tx.commit().await?;
        Ok(answer)
    }
}

/// Puts what a hook says beside what it must not change.
fn kept(ours: Map<String, Value>, mut changed: Map<String, Value>) -> Map<String, Value> {
    changed.retain(|name, _| !RESERVED.contains(&name.as_str()));
    changed.extend(ours.into_iter().filter(|(name, _)| !CHANGEABLE.contains(&name.as_str())));
    changed
}

/// Returns what is said to whoever is rejected.
fn rejected(answer: &Map<String, Value>, usual: &str) -> Option<String> {
    if answer.get("decision").and_then(Value::as_str) != Some("reject") {
        return None;
    }
    let message = answer.get("message").and_then(Value::as_str).filter(|message| !message.is_empty()).unwrap_or(usual);
    Some(message.chars().take(500).collect())
}

/// Returns the payload of a hook that sends a mail or an SMS.
pub(crate) fn message(user: &Value, email: Option<EmailData<'_>>, code: &str) -> Value {
    match email {
        None => json!({ "user": user, "sms": { "otp": code } }),
        Some(email) => {
            // Of a change that both addresses confirm the names are crossed, as hooks made for Supabase read them.
            let (token, hash) = match email.side {
                Side::Only => ("token", "token_hash"),
                Side::Current => ("token", "token_hash_new"),
                Side::New => ("token_new", "token_hash"),
            };
            let empty = ["token", "token_hash", "token_new", "token_hash_new", "old_email", "old_phone", "provider", "factor_type"];
            let mut data = object(empty.map(|name| (name, json!(""))));
            data.extend(object([
                ("redirect_to", json!(email.redirect_to)),
                ("email_action_type", json!(email.kind)),
                ("site_url", json!(email.site_url)),
                (token, json!(code)),
                (hash, json!(email.token_hash)),
            ]));
            json!({ "user": user, "email_data": data })
        }
    }
}

/// What a mail's hook is told beside the user and the code.
pub(crate) struct EmailData<'a> {
    pub(crate) kind: &'a str,
    pub(crate) token_hash: &'a str,
    pub(crate) redirect_to: &'a str,
    pub(crate) site_url: &'a str,
    pub(crate) side: Side,
}

/// Which of an account's addresses a mail goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// Its only one.
    Only,
    /// The one that it has, of two that have to agree.
    Current,
    /// The one that it is to have.
    New,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_hook_adds_and_makes_nobody_somebody_else() {
        let ours = claims(&json!({
            "sub": "ann", "role": "authenticated", "session_id": "s", "company_id": "c", "member_role": "viewer", "exp": 2, "iat": 1,
            "aal": "aal1", "email": "a@b.de", "user_metadata": { "name": "Ann" }, "impersonator": "support",
        }));
        let said = claims(&json!({
            "sub": "eve", "role": "service_role", "session_id": "t", "company_id": "d", "exp": 99, "aal": "aal2", "nbf": 0,
            "email": "x@y.de", "plan": "gold", "tenant_id": "d", "impersonator": "nobody",
        }));
        assert_eq!(
            Value::Object(kept(ours, said)),
            json!({
                "email": "x@y.de", "plan": "gold", "sub": "ann", "role": "authenticated", "session_id": "s", "company_id": "c",
                "member_role": "viewer", "exp": 2, "iat": 1, "aal": "aal1", "impersonator": "support",
            })
        );
        // Where there is no company, none is made up.
        let alone = kept(claims(&json!({ "sub": "ann" })), claims(&json!({ "company_id": "d", "member_role": "owner" })));
        assert_eq!(Value::Object(alone), json!({ "sub": "ann" }));
    }
}
