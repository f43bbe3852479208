//! `POST /signup`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use kernel::{Error, Kind, Result, Secret, UserId};
use outbound::Channel;
use postgres::{Access, Tx};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::queries::{self, NewUser};
use super::unproved::{self, Known};
use super::{StandIn, User, anonymous, signup_phone};
use crate::errors::{bad_request, unprocessable};
use crate::even::Even;
use crate::flows::Challenge;
use crate::hooks::Newcomer;
use crate::input::{Body, Device, Email, Params, Phone, check_metadata};
use crate::one_time::{Account, Delivery};
use crate::{Auth, one_time, sessions};

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
    #[serde(default)]
    code_challenge: Option<String>,
    #[serde(default)]
    code_challenge_method: Option<String>,
}

pub(crate) async fn signup(
    State(auth): State<Auth>,
    Params(back): Params<one_time::Return>,
    device: Device,
    Body(body): Body<Signup>,
) -> Result<Response> {
    let even = Even::begin(auth.config().password.refusal_step_ms);
    let by_phone = body.phone.as_ref().is_some_and(|phone| !phone.is_empty());
    let answer = Box::pin(sign_up(&auth, device, body, back.redirect_to.as_deref())).await;
    // Who signs up where nothing has to be confirmed is told what is there.
    let confirmed = if by_phone { auth.config().one_time.phone_autoconfirm } else { auth.config().autoconfirm };
    if !confirmed {
        even.reach().await;
    }
    let result = answer.as_ref().map_or_else(|error| sessions::label(error.code()), |_| "success");
    metrics::counter!("auth_sign_ups_total", "result" => result).increment(1);
    answer
}

async fn sign_up(auth: &Auth, device: Device, body: Signup, redirect_to: Option<&str>) -> Result<Response> {
    if body.email.is_none() && body.phone.is_none() {
        auth.limits().anonymous(&device, auth.now()).await?;
    }
    let wanted = wanted(auth, &body)?;
    let challenge = Challenge::read(body.code_challenge.as_deref(), body.code_challenge_method.as_deref())?;
    if matches!(wanted, Wanted::Nothing) {
        return Box::pin(anonymous::sign_up(auth, device, body.data.unwrap_or_default())).await;
    }
    let password = body.password.filter(|password| !password.expose().is_empty());
    let password = password.ok_or_else(|| bad_request("validation_failed", "Signup requires a valid password"))?;
    let email = match wanted {
        Wanted::Email(email) => email,
        Wanted::Phone(phone) => {
            return Box::pin(signup_phone::sign_up(auth, device, &phone, (password, body.data.unwrap_or_default()))).await;
        }
        Wanted::Nothing => return Err(anonymous::disabled()),
    };
    auth.limits().strict("sign_up", email.as_str(), &device).await?;
    auth.passwords().check_choice(password.expose())?;
    let confirmed = auth.config().autoconfirm;
    let mut user_metadata = body.data.unwrap_or_default();
    if confirmed {
        user_metadata.insert("email_verified".to_owned(), Value::Bool(true));
    }
    check_metadata(&user_metadata, auth.config().user_metadata_bytes_max)?;

    let known = Known::Email(&email);
    let choice = unproved::choose(auth, known, password).await?;
    let now = auth.now();
    let user = NewUser {
        id: UserId::new_v7(),
        email: &email,
        hash: choice.hash(),
        user_metadata: &user_metadata,
        app_metadata: &Map::new(),
        confirmed,
        now,
    };
    let tx = auth.begin(Access::Write, "sign-up").await?;
    let newcomer = Newcomer { id: user.id, provider: "email", email: email.as_str(), phone: "", user_metadata: &user_metadata };
    auth.before_user(&tx, &device, newcomer).await?;
    let is_new = queries::create(&tx, &user).await?;
    if confirmed && !is_new {
        return Err(unprocessable("user_already_exists", "User already registered"));
    }
    unproved::settle(&tx, known, is_new.then_some(user.id), &choice, (&user_metadata, now)).await?;
    let about = device.clone();
    let answer = if confirmed {
        let new = sessions::NewSession {
            user_id: user.id,
            verified_hash: choice.hash(),
            renewed_hash: None,
            device,
            method: "password",
            provider: "email",
        };
        let session = sessions::open(auth, &tx, new).await?;
        session.answer(auth)?
    } else {
        ask_to_confirm(auth, &tx, &device, (&email, redirect_to, challenge.as_ref())).await?;
        shown(&tx, &user, is_new).await?
    };
    tx.commit().await?;
    one_time::sent(auth);
    if is_new {
        auth.after_user(&about, user.id);
    }
    tracing::info!(user_id = %user.id, confirmed, is_new, "signed up");
    Ok(Json(answer).into_response())
}

/// Returns the account as it is told to whoever made it. Whoever has no access to the mailbox is not told that there is one already: the
/// answer is that of a new one.
async fn shown(tx: &Tx, user: &NewUser<'_>, is_new: bool) -> Result<Value> {
    let made = if is_new { queries::find(tx, user.id).await? } else { Some(stand_in(tx, user).await?) };
    serde_json::to_value(made.ok_or_else(|| Error::internal("a user just made is gone"))?).map_err(Error::internal)
}

/// Returns what a new account would look like.
async fn stand_in(tx: &Tx, new: &NewUser<'_>) -> Result<User> {
    let email = new.email.as_str();
    let like = StandIn { id: new.id, provider: "email", email, phone: "", user_metadata: new.user_metadata, now: new.now };
    Ok(User::stand_in(&like, queries::moment(tx).await?))
}

/// Sends the link that confirms an address, where mail is sent at all; to one that is confirmed, nothing.
async fn ask_to_confirm(auth: &Auth, tx: &Tx, device: &Device, to: (&Email, Option<&str>, Option<&Challenge>)) -> Result<()> {
    if one_time::require(auth, Channel::Mail).is_err() {
        return Ok(());
    }
    let (email, redirect_to, challenge) = to;
    let account = Account::by_email(tx, email, auth.now()).await?;
    one_time::deliver_to(auth, tx, device, Delivery::confirmation(account.as_ref(), email, redirect_to), challenge).await
}

/// By what somebody is to be known.
enum Wanted {
    Email(Email),
    Phone(Phone),
    /// By nothing.
    Nothing,
}

/// Checks which way to sign up is wanted and whether it is on.
fn wanted(auth: &Auth, body: &Signup) -> Result<Wanted> {
    if !auth.config().signup_enabled {
        return Err(unprocessable("signup_disabled", "Signups not allowed for this instance"));
    }
    let present = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    match (present(&body.email), present(&body.phone)) {
        (true, true) => Err(bad_request("validation_failed", "Only an email address or phone number should be provided on signup.")),
        (false, true) if !one_time::takes_phones(auth) => Err(bad_request("phone_provider_disabled", "Phone signups are disabled")),
        (false, true) => Phone::parse(body.phone.as_deref().unwrap_or_default()).map(Wanted::Phone),
        (false, false) if body.password.as_ref().is_none_or(|password| password.expose().is_empty()) => {
            if auth.config().anonymous.enabled {
                Ok(Wanted::Nothing)
            } else {
                Err(anonymous::disabled())
            }
        }
        (false, false) => Err(Error::new(Kind::BadRequest, "validation_failed", "To signup, please provide your email")),
        (true, false) if !auth.config().external.email.enabled => Err(bad_request("email_provider_disabled", "Email signups are disabled")),
        (true, false) => Email::parse(body.email.as_deref().unwrap_or_default()).map(Wanted::Email),
    }
}
