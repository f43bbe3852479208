//! Changing one's address or number, and the code that proves that somebody is still there: `GET /reauthenticate`.

use axum::Json;
use axum::extract::State;
use jiff::SignedDuration;
use kernel::{Error, Kind, Result, Secret, UserId};
use outbound::Channel;
use outbound::templates::Template;
use postgres::{Access, Sql, Tx};
use serde_json::Value;

use super::deliver::{deliver, deliver_to, require};
use super::request::{by_phone, finish};
use super::{Account, Delivery, Purpose, changes, queries, secrets};
use crate::Auth;
use crate::errors::{bad_request, session_not_found, unprocessable};
use crate::flows::Challenge;
use crate::input::{Caller, Device, Email, Phone};
use crate::users::queries::find_self_within;
use crate::users::taken_phone;

/// For how long a session needs no code for a new password.
const FRESH: SignedDuration = SignedDuration::from_hours(24);

/// Notes the address that somebody wants and writes to it, and to the old one where that has to agree.
pub(crate) async fn email(
    auth: &Auth,
    tx: &Tx,
    device: &Device,
    change: (UserId, &Email, Option<&str>),
    challenge: Option<&Challenge>,
) -> Result<()> {
    let (user_id, wanted, redirect_to) = change;
    require(auth, Channel::Mail)?;
    if Account::by_email(tx, wanted, auth.now()).await?.is_some() {
        return Err(unprocessable("email_exists", "A user with this email address has already been registered"));
    }
    let mut sql = Sql::new("update auth.users u set email_change = ");
    sql.bind(wanted.as_str()).text("::text where u.id = ").bind(user_id).text("::uuid");
    tx.execute(sql).await?;
    queries::forget_changes(tx, user_id).await?;
    let account = Account::by_id(tx, user_id, auth.now()).await?.ok_or_else(session_not_found)?;
    for delivery in changes(auth, Some(&account), &account.email, wanted.as_str(), redirect_to) {
        deliver_to(auth, tx, device, delivery, challenge).await?;
    }
    Ok(())
}

/// Notes the number that somebody wants and writes to it.
pub(crate) async fn phone(auth: &Auth, tx: &Tx, device: &Device, change: (UserId, &Phone)) -> Result<()> {
    let (user_id, wanted) = change;
    require(auth, Channel::Sms)?;
    if Account::by_phone(tx, wanted, auth.now()).await?.is_some() {
        return Err(unprocessable("phone_exists", "A user with this phone number has already been registered"));
    }
    let mut sql = Sql::new("update auth.users u set phone_change = ");
    sql.bind(wanted.as_str()).text("::text where u.id = ").bind(user_id).text("::uuid");
    tx.execute(sql).await?;
    if auth.config().one_time.phone_autoconfirm {
        return queries::settle_phone_change(tx, user_id, false, auth.now()).await.map_err(taken_phone);
    }
    let account = Account::by_id(tx, user_id, auth.now()).await?.ok_or_else(session_not_found)?;
    deliver(auth, tx, device, by_phone(Some(&account), Purpose::PhoneChange, wanted.as_str())).await
}

pub(crate) async fn reauthenticate(State(auth): State<Auth>, caller: Caller, device: Device) -> Result<Json<Value>> {
    let tx = auth.begin(Access::Write, "ask for a code to prove that one is there").await?;
    let user = find_self_within(&tx, caller, auth.now()).await?.ok_or_else(session_not_found)?;
    let account = Account::by_id(&tx, user.id, auth.now()).await?.ok_or_else(session_not_found)?;
    let delivery = if account.email.is_empty() {
        if account.phone.is_empty() {
            return Err(bad_request("validation_failed", "Reauthentication requires the user to have an email or a phone number"));
        }
        if !account.phone_confirmed {
            return Err(unprocessable("phone_not_confirmed", "Please verify your phone first."));
        }
        by_phone(Some(&account), Purpose::Reauthentication, &account.phone)
    } else {
        if !account.email_confirmed {
            return Err(unprocessable("email_not_confirmed", "Please verify your email first."));
        }
        Delivery {
            account: Some(&account),
            purpose: Purpose::Reauthentication,
            template: Template::Reauthentication,
            kind: "reauthentication",
            to: &account.email,
            new_email: "",
            redirect_to: None,
            is_last: true,
        }
    };
    Box::pin(finish(&auth, tx, &device, delivery)).await
}

/// Checks the code that a new password needs, where it needs one. The code is used up, also if nothing comes of the rest.
pub(crate) async fn check_nonce(auth: &Auth, caller: Caller, nonce: Option<&Secret<String>>) -> Result<()> {
    if !auth.config().one_time.reauthentication_required {
        return Ok(());
    }
    let now = auth.now();
    let tx = auth.begin(Access::Write, "prove that one is there").await?;
    let mut sql = Sql::new("select s.created_at from auth.sessions s where s.id = ");
    sql.bind(caller.session_id).text("::uuid and s.user_id = ").bind(caller.user_id).text("::uuid");
    if let Some(row) = tx.query_opt(sql).await? {
        let created_at: jiff::Timestamp = row.try_get("created_at").map_err(Error::internal)?;
        if now.duration_since(created_at) < FRESH {
            return Ok(());
        }
    }
    let nonce = nonce.filter(|nonce| !nonce.expose().is_empty());
    let nonce = nonce.ok_or_else(|| bad_request("reauthentication_needed", "Password update requires reauthentication"))?;
    let account = Account::by_id(&tx, caller.user_id, now).await?.ok_or_else(session_not_found)?;
    let sent_to = if account.email.is_empty() { &account.phone } else { &account.email };
    let candidates = queries::candidates(&tx, sent_to, &[Purpose::Reauthentication], auth.config().one_time.code_attempts_max, now).await?;
    let ring = &auth.keys().ring;
    let right = candidates.iter().find(|candidate| secrets::is_code(ring, candidate.id, nonce.expose(), &candidate.code_hash));
    let used = if let Some(candidate) = right {
        queries::use_code(&tx, candidate.id).await?.is_some_and(|used| used.user_id == caller.user_id)
    } else {
        queries::miss(&tx, &candidates).await?;
        false
    };
    tx.commit().await?;
    let refused = || Error::new(Kind::Unprocessable, "reauthentication_not_valid", "Nonce has expired or is invalid");
    used.then_some(()).ok_or_else(refused)
}
