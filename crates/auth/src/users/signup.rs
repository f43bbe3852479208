//! `POST /signup`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use kernel::{Error, Kind, Result, Secret, UserId};
use postgres::Access;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::queries::{self, NewUser};
use crate::Auth;
use crate::errors::{bad_request, unprocessable};
use crate::input::{Body, Device, Email, check_metadata};
use crate::sessions;

/// The body; members of other ways to sign up are looked at only to say that they are off.
#[derive(Deserialize)]
pub(crate) struct Signup {
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    password: Option<Secret<String>>,
    #[serde(default)]
    data: Option<Map<String, Value>>,
}

pub(crate) async fn signup(State(auth): State<Auth>, device: Device, Body(body): Body<Signup>) -> Result<Response> {
    let answer = Box::pin(sign_up(&auth, device, body)).await;
    let result = answer.as_ref().map_or_else(|error| sessions::label(error.code()), |_| "success");
    metrics::counter!("auth_sign_ups_total", "result" => result).increment(1);
    answer
}

async fn sign_up(auth: &Auth, device: Device, body: Signup) -> Result<Response> {
    let email = wanted_email(auth, &body)?;
    let password = body.password.filter(|password| !password.expose().is_empty());
    let password = password.ok_or_else(|| bad_request("validation_failed", "Signup requires a valid password"))?;
    auth.passwords().check_choice(password.expose())?;
    let confirmed = auth.config().autoconfirm;
    let mut user_metadata = body.data.unwrap_or_default();
    if confirmed {
        user_metadata.insert("email_verified".to_owned(), Value::Bool(true));
    }
    check_metadata(&user_metadata, auth.config().user_metadata_bytes_max)?;

    let hash = auth.passwords().hash(password).await?;
    let now = auth.now();
    let user = NewUser {
        id: UserId::new_v7(),
        email: &email,
        hash: Some(&hash),
        user_metadata: &user_metadata,
        app_metadata: &Map::new(),
        confirmed,
        now,
    };
    let tx = auth.begin(Access::Write, "sign-up").await?;
    if !queries::create(&tx, &user).await? {
        return Err(unprocessable("user_already_exists", "User already registered"));
    }
    let answer = if confirmed {
        let new = sessions::NewSession { user_id: user.id, verified_hash: &hash, renewed_hash: None, device };
        let session = sessions::open(auth, &tx, new).await?;
        session.answer(auth)?
    } else {
        let made = queries::find(&tx, user.id).await?;
        serde_json::to_value(made.ok_or_else(|| Error::internal("a user just made is gone"))?).map_err(Error::internal)?
    };
    tx.commit().await?;
    tracing::info!(user_id = %user.id, confirmed, "signed up");
    Ok(Json(answer).into_response())
}

/// Checks which way to sign up is wanted and whether it is on.
fn wanted_email(auth: &Auth, body: &Signup) -> Result<Email> {
    if !auth.config().signup_enabled {
        return Err(unprocessable("signup_disabled", "Signups not allowed for this instance"));
    }
    let present = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    match (present(&body.email), present(&body.phone)) {
        (true, true) => Err(bad_request("validation_failed", "Only an email address or phone number should be provided on signup.")),
        (false, true) => Err(bad_request("phone_provider_disabled", "Phone signups are disabled")),
        (false, false) if body.password.as_ref().is_none_or(|password| password.expose().is_empty()) => {
            Err(unprocessable("anonymous_provider_disabled", "Anonymous sign-ins are disabled"))
        }
        (false, false) => Err(Error::new(Kind::BadRequest, "validation_failed", "To signup, please provide your email")),
        (true, false) => Email::parse(body.email.as_deref().unwrap_or_default()),
    }
}
