//! What everybody may read: the settings, the public keys, and that the service is there.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use kernel::Result;
use postgres::{Access, Sql};
use serde_json::{Map, Value, json};

use crate::errors::object;
use crate::{Auth, one_time, passkeys};

/// How long others may keep the public keys: a rotation keeps the old ones accepted far longer.
const JWKS_CACHE: &str = "public, max-age=600";

/// The ways to sign in that clients ask about.
const PROVIDERS: &[&str] = &[
    "email",
    "phone",
    "anonymous_users",
    "apple",
    "azure",
    "bitbucket",
    "discord",
    "facebook",
    "figma",
    "fly",
    "github",
    "gitlab",
    "google",
    "kakao",
    "keycloak",
    "linkedin",
    "linkedin_oidc",
    "notion",
    "oidc",
    "slack",
    "slack_oidc",
    "snapchat",
    "spotify",
    "twitch",
    "twitter",
    "workos",
    "x",
    "zoom",
];

pub(crate) async fn settings(State(auth): State<Auth>) -> Json<Value> {
    Json(known(&auth))
}

fn known(auth: &Auth) -> Value {
    let phone = one_time::takes_phones(auth);
    let is_on = |name: &str| match name {
        "email" => auth.config().external.email.enabled,
        "phone" => phone,
        "anonymous_users" => auth.config().anonymous.enabled,
        name => auth.providers().iter().any(|provider| provider.name == name),
    };
    let external: Map<String, Value> = PROVIDERS.iter().map(|name| ((*name).to_owned(), json!(is_on(name)))).collect();
    json!({
        "external": external,
        "disable_signup": !auth.config().signup_enabled,
        "mailer_autoconfirm": auth.config().autoconfirm,
        "phone_autoconfirm": auth.config().one_time.phone_autoconfirm,
        "sms_provider": if phone { "twilio" } else { "" },
        "saml_enabled": false,
        "passkeys_enabled": passkeys::are_enabled(auth),
    })
}

impl Auth {
    /// Has the database know the settings as `auth.config` shows them, under the names that other services have for them. A secret is there
    /// by its name alone.
    pub async fn publish_settings(&self) -> Result<()> {
        let known = known(self);
        let text = |name: &str| known.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let mut told = object([
            ("JWT_SECRET", Value::Null),
            ("JWT_EXP", json!(self.config().access_token_seconds.to_string())),
            ("SITE_URL", json!(self.site().as_str())),
            ("DISABLE_SIGNUP", json!(text("disable_signup"))),
            ("MAILER_AUTOCONFIRM", json!(text("mailer_autoconfirm"))),
            ("SMS_AUTOCONFIRM", json!(text("phone_autoconfirm"))),
            ("SMS_PROVIDER", json!(text("sms_provider"))),
            ("SECURITY_HISTORY_DAYS", json!(self.config().security.history_days.to_string())),
            ("PASSWORD_MIN_LENGTH", json!(self.config().password.length_min.to_string())),
        ]);
        for (name, enabled) in known.get("external").and_then(Value::as_object).into_iter().flatten() {
            told.insert(format!("EXTERNAL_{}_ENABLED", name.to_uppercase()), json!(enabled.to_string()));
        }
        let mut sql = Sql::new("select app.publish_auth_settings(");
        sql.bind(Value::Object(told)).text("::jsonb)");
        let tx = self.begin(Access::Write, "tell the database the settings of sign-in").await?;
        tx.execute(sql).await?;
        tx.commit().await
    }
}

pub(crate) async fn jwks(State(auth): State<Auth>) -> Response {
    ([(CACHE_CONTROL, JWKS_CACHE)], Json(auth.keys().ring.jwks())).into_response()
}

pub(crate) async fn health() -> Json<Value> {
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "name": "Thorbis Auth",
        "description": "Users, sessions and companies",
    }))
}
