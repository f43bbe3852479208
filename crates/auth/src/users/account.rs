//! `GET /user` and `PUT /user`: one's own account.

use axum::Json;
use axum::extract::State;
use kernel::{Error, Kind, Result, Secret};
use outbound::Channel;
use postgres::error::about;
use postgres::{Access, Sql, Tx};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::User;
use super::anonymous::nothing_to_sign_in_with;
use super::queries::{self, Change, WaysIn};
use crate::errors::{bad_request, session_not_found, unprocessable};
use crate::flows::Challenge;
use crate::input::{Body, Caller, Device, Email, Holding, Params, Phone, check_metadata, metadata_too_large};
use crate::passwords::Outcome;
use crate::{Auth, limits, one_time, security, sessions};

/// PostgreSQL's code for a second row with the same key.
const UNIQUE_VIOLATION: &str = "23505";
/// The key by which a number has one account.
const PHONE_KEY: &str = "users_phone_key";
/// The key of accounts.
const ID_KEY: &str = "users_pkey";

/// What may be changed. `role` is not among it, nor is `app_metadata`, which is refused.
#[derive(Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    password: Option<Secret<String>>,
    #[serde(default)]
    data: Option<Map<String, Value>>,
    #[serde(default)]
    current_password: Option<Secret<String>>,
    #[serde(default)]
    app_metadata: Option<Value>,
    #[serde(default)]
    nonce: Option<Secret<String>>,
    #[serde(default)]
    code_challenge: Option<String>,
    #[serde(default)]
    code_challenge_method: Option<String>,
}

impl Wish {
    /// Tells whether it is about what lets somebody in.
    fn is_of_the_way_in(&self) -> bool {
        let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        given(&self.email) || given(&self.phone) || self.password.as_ref().is_some_and(|password| !password.expose().is_empty())
    }

    /// Tells whether what lets somebody in is to change; forms send the address that there is along with the rest.
    fn is_other_than(&self, now: &WaysIn) -> bool {
        let email = self.email.as_deref().filter(|email| !email.is_empty());
        let phone = self.phone.as_deref().filter(|phone| !phone.is_empty());
        self.password.as_ref().is_some_and(|password| !password.expose().is_empty())
            || email.is_some_and(|email| Email::parse(email).ok().is_none_or(|email| email.as_str() != now.email))
            || phone.is_some_and(|phone| Phone::parse(phone).ok().is_none_or(|phone| phone.as_str() != now.phone))
    }
}

pub(crate) async fn get(State(auth): State<Auth>, holding: Holding) -> Result<Json<User>> {
    queries::find_self(&auth, holding.anybody()).await?.map(Json).ok_or_else(session_not_found)
}

pub(crate) async fn put(
    State(auth): State<Auth>,
    caller: Caller,
    Params(back): Params<one_time::Return>,
    device: Device,
    Body(wish): Body<Wish>,
) -> Result<Json<User>> {
    if wish.app_metadata.is_some() {
        return Err(Error::new(Kind::Forbidden, "not_admin", "Updating app_metadata requires admin privileges"));
    }
    let ways_in = if wish.is_of_the_way_in() { Some(queries::ways_in(&auth, caller).await?) } else { None };
    if ways_in.as_ref().is_some_and(|ways_in| ways_in.is_managed && wish.is_other_than(ways_in)) {
        let message = "Updating email, phone, password of a SSO account only possible via SSO";
        return Err(unprocessable("user_sso_managed", message));
    }
    let phone = wish.phone.as_deref().filter(|phone| !phone.is_empty());
    let phone = match phone {
        Some(phone) => {
            one_time::check_takes_phones(&auth)?;
            one_time::require(&auth, Channel::Sms)?;
            Some(Phone::parse(phone)?)
        }
        None => None,
    };
    if let Some(data) = &wish.data {
        check_metadata(data, auth.config().user_metadata_bytes_max)?;
    }
    let challenge = Challenge::read(wish.code_challenge.as_deref(), wish.code_challenge_method.as_deref())?;
    let email = wish.email.as_deref().filter(|email| !email.is_empty()).map(Email::parse).transpose()?;
    let is_long = wish.password.as_ref().is_some_and(|password| auth.config().companies.is_long(password.expose()));
    if wish.password.is_some() {
        auth.limits().strict("password", &caller.user_id.to_string(), &device).await?;
    }
    let hash = match wish.password {
        Some(password) => {
            let known = Known { caller, device: &device, ways_in };
            Some(new_hash(&auth, known, password, (wish.current_password, wish.nonce.as_ref())).await?)
        }
        None => None,
    };
    let change = Change {
        email: email.as_ref(),
        // What follows: where nobody has to agree, the address is there at once.
        confirm_email: email.is_some(),
        hash: hash.as_deref(),
        user_metadata: wish.data.as_ref(),
        ..Change::default()
    };
    let asked = Asked { change, is_long, phone, redirect_to: back.redirect_to, challenge, device };
    Box::pin(apply(&auth, caller, asked)).await.map(Json)
}

/// What somebody wants to be different.
struct Asked<'a> {
    change: Change<'a>,
    /// Whether the new password, if there is one, is as long as owners and admins need.
    is_long: bool,
    phone: Option<Phone>,
    redirect_to: Option<String>,
    challenge: Option<Challenge>,
    device: Device,
}

async fn apply(auth: &Auth, caller: Caller, asked: Asked<'_>) -> Result<User> {
    let Asked { mut change, is_long, phone, redirect_to, challenge, device } = asked;
    let now = auth.now();
    let tx = auth.begin(Access::Write, "change one's own account").await?;
    let before = queries::find_self_within(&tx, caller, now).await?.ok_or_else(session_not_found)?;
    let wanted: Vec<&str> = change.email.map(Email::as_str).into_iter().chain(phone.as_ref().map(Phone::as_str)).collect();
    if !wanted.is_empty() {
        let mut own = Sql::new("u.id = ");
        own.bind(before.id).text("::uuid");
        queries::lock_names(&tx, own, &wanted).await?;
    }
    let other_email = change.email.is_some_and(|email| email.as_str() != before.email);
    let other_phone = phone.as_ref().is_some_and(|phone| phone.as_str() != before.phone);
    let is_guarded = other_email || other_phone || change.hash.is_some();
    if is_guarded && before.has_second_factor() && !sessions::is_proved(&tx, caller, auth).await? {
        return Err(factor_required());
    }
    if before.is_anonymous && change.hash.is_some() && change.email.is_none() && phone.is_none() {
        return Err(nothing_to_sign_in_with());
    }
    // Where nobody has to agree, who signed in as nobody gets an address at once, and everybody where no message can be sent; else he keeps
    // what he has until a message is answered.
    let is_at_once = auth.config().autoconfirm && (before.is_anonymous || one_time::require(auth, Channel::Mail).is_err());
    if let Some(email) = change.email.filter(|_| !is_at_once) {
        change = Change { email: None, confirm_email: false, ..change };
        if email.as_str() != before.email {
            one_time::email(auth, &tx, &device, (before.id, email, redirect_to.as_deref()), challenge.as_ref()).await?;
        }
    }
    if let Some(phone) = phone.filter(|phone| phone.as_str() != before.phone) {
        one_time::phone(auth, &tx, &device, (before.id, &phone)).await?;
    }
    if !queries::change_self(&tx, caller, &change, now).await.map_err(taken)? {
        return Err(session_not_found());
    }
    if change.email.is_some() {
        one_time::settle_email_change(&tx, before.id, now).await?;
    }
    if change.hash.is_some() {
        note_length(auth, &tx, caller, is_long).await?;
        // Whoever knew the old password is out.
        sessions::revoke_others(&tx, caller, now).await?;
    }
    let user = queries::find_self_within(&tx, caller, now).await?.ok_or_else(session_not_found)?;
    check_size(auth, &user)?;
    tx.commit().await?;
    one_time::sent(auth);
    tracing::info!(user_id = %user.id, password = change.hash.is_some(), email = change.email.is_some(), "changed an account");
    Ok(user)
}

/// Notes how long the new password is; owners and admins choose no short one.
async fn note_length(auth: &Auth, tx: &Tx, caller: Caller, is_long: bool) -> Result<()> {
    if !is_long && queries::needs_long_password(tx, caller.user_id).await? {
        let least = auth.config().companies.owner_password_length_min;
        let message = format!("Owners and admins need a password of at least {least} characters");
        return Err(Error::new(Kind::Unprocessable, "weak_password", message).with_details(json!({ "reasons": ["length"] })));
    }
    queries::note_length(tx, caller.user_id, is_long).await
}

/// By what somebody proves that it is he who wants a new password: the one that he has, a code.
type Proof<'a> = (Option<Secret<String>>, Option<&'a Secret<String>>);

/// Who wants it.
struct Known<'a> {
    caller: Caller,
    device: &'a Device,
    ways_in: Option<WaysIn>,
}

/// Hashes a new password, if it may be chosen and is not the old one.
async fn new_hash(auth: &Auth, known: Known<'_>, password: Secret<String>, (current, nonce): Proof<'_>) -> Result<String> {
    auth.passwords().check_choice(password.expose())?;
    let Known { caller, device, ways_in } = known;
    let ways_in = match ways_in {
        Some(ways_in) => ways_in,
        None => queries::ways_in(auth, caller).await?,
    };
    let proved = knows(auth, current, &ways_in, (caller, device)).await?;
    if ways_in.hash.is_some() && auth.passwords().verify(password.clone(), ways_in.hash).await? != Outcome::Wrong {
        return Err(unprocessable("same_password", "New password should be different from the old password."));
    }
    // Who said the password that he has proved that he is there.
    if !proved {
        one_time::check_nonce(auth, caller, nonce).await?;
    }
    auth.passwords().hash(password).await
}

/// Tells whether somebody said the password that he has; a wrong one is refused, and counted as at sign-in. None is, where the settings want
/// it, but from whoever came by a message: he may have forgotten it.
async fn knows(auth: &Auth, current: Option<Secret<String>>, ways_in: &WaysIn, (caller, device): (Caller, &Device)) -> Result<bool> {
    let Some(old) = &ways_in.hash else { return Ok(false) };
    let Some(current) = current.filter(|current| !current.expose().is_empty()) else {
        if auth.config().password.current_required && !ways_in.is_by_message {
            return Err(bad_request("current_password_required", "Current password required when setting new password."));
        }
        return Ok(false);
    };
    let name = if ways_in.email.is_empty() { &ways_in.phone } else { &ways_in.email };
    let attempt = limits::attempt(auth, name, Some(caller.user_id), device).await?;
    let is_right = match auth.passwords().verify(current, Some(old.clone())).await {
        Ok(Outcome::Wrong) => false,
        Ok(_) => {
            attempt.right().await;
            true
        }
        // Nobody looked at it.
        Err(error) => {
            attempt.undo().await;
            return Err(error);
        }
    };
    auth.password_tried(Some(caller.user_id), is_right).await?;
    if is_right {
        return Ok(true);
    }
    security::refused(auth, Some(caller.user_id), device).await;
    Err(bad_request("current_password_invalid", "The current password is not right."))
}

/// Says that a second factor has to be proved before another way in is made.
pub(crate) fn factor_required() -> Error {
    let message = "AAL2 session is required to update email or password when MFA is enabled.";
    Error::new(Kind::Unauthenticated, "insufficient_aal", message)
}

/// Says that an address, or the number beside it, belongs to somebody else.
pub(crate) fn taken(error: Error) -> Error {
    if about(&error).is_some_and(|about| about.constraint == Some(PHONE_KEY)) {
        return taken_phone(error);
    }
    if about(&error).is_some_and(|about| about.constraint == Some(ID_KEY)) {
        return Error::new(Kind::Conflict, "conflict", "A user with this id already exists").with_source(error);
    }
    if error.code() == UNIQUE_VIOLATION {
        let message = "A user with this email address has already been registered";
        return Error::new(Kind::Unprocessable, "email_exists", message).with_source(error);
    }
    error
}

/// Says that a number belongs to somebody else.
pub(crate) fn taken_phone(error: Error) -> Error {
    if error.code() == UNIQUE_VIOLATION {
        let message = "A user with this phone number has already been registered";
        return Error::new(Kind::Unprocessable, "phone_exists", message).with_source(error);
    }
    error
}

/// Refuses metadata that has become too large for a token by merging.
pub(crate) fn check_size(auth: &Auth, user: &User) -> Result<()> {
    let limits = [(&user.user_metadata, auth.config().user_metadata_bytes_max), (&user.app_metadata, auth.config().app_metadata_bytes_max)];
    for (metadata, bytes_max) in limits {
        if metadata.to_string().len() > usize::try_from(bytes_max).unwrap_or(usize::MAX) {
            return Err(metadata_too_large(bytes_max));
        }
    }
    Ok(())
}
