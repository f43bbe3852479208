//! `POST /resend`: the last message again, with a new link and code.

use axum::Json;
use axum::extract::State;
use kernel::{Kind, Result};
use outbound::Channel;
use outbound::templates::Template;
use postgres::Access;
use serde::Deserialize;
use serde_json::{Value, json};

use super::deliver::{check_takes_email, check_takes_phones, deliver_to, require, sent};
use super::request::{Return, by_phone, even, finish, finish_to};
use super::{Account, Delivery, Purpose};
use crate::Auth;
use crate::errors::bad_request;
use crate::flows::Challenge;
use crate::input::{Body, Device, Email, Params, Phone};

/// The body of the endpoint.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    #[serde(rename = "type")]
    kind: String,
    email: Option<String>,
    phone: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
}

pub(crate) async fn resend(
    State(auth): State<Auth>,
    Params(back): Params<Return>,
    device: Device,
    Body(wish): Body<Wish>,
) -> Result<Json<Value>> {
    let present = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(str::to_owned);
    let (email, phone) = (present(&wish.email), present(&wish.phone));
    let challenge = Challenge::read(wish.code_challenge.as_deref(), wish.code_challenge_method.as_deref())?;
    let even = even(&auth);
    let answer = match wish.kind.as_str() {
        "signup" | "email_change" => match (email, phone) {
            (Some(email), None) => {
                let back = (back.redirect_to.as_deref(), challenge.as_ref());
                Box::pin(by_mail(&auth, &device, &wish.kind, &email, back)).await
            }
            (Some(_), Some(_)) => Err(bad_request("validation_failed", "Only an email address or phone number should be provided.")),
            (None, _) => Err(bad_request("validation_failed", "Type provided requires an email address")),
        },
        "sms" | "phone_change" => match (email, phone) {
            (None, Some(phone)) => Box::pin(by_sms(&auth, &device, &wish.kind, &phone)).await,
            (Some(_), Some(_)) => Err(bad_request("validation_failed", "Only an email address or phone number should be provided.")),
            (_, None) => Err(bad_request("validation_failed", "Type provided requires a phone number")),
        },
        _ => Err(bad_request("validation_failed", "Missing one of these types: signup, email_change, sms, phone_change")),
    };
    even.reach().await;
    answer
}

/// Where a link leads, and what the application will prove itself with that asked for it.
type Back<'a> = (Option<&'a str>, Option<&'a Challenge>);

async fn by_mail(auth: &Auth, device: &Device, kind: &str, email: &str, back: Back<'_>) -> Result<Json<Value>> {
    let (redirect_to, challenge) = back;
    if kind == "signup" {
        check_takes_email(auth, Kind::BadRequest)?;
    }
    require(auth, Channel::Mail)?;
    let email = Email::parse(email)?;
    auth.limits().strict("send", email.as_str(), device).await?;
    let tx = auth.begin(Access::Write, "send a link again").await?;
    let account = Account::by_email(&tx, &email, auth.now()).await?.filter(|account| !account.banned);
    if kind == "signup" {
        return finish_to(auth, tx, device, Delivery::confirmation(account.as_ref(), &email, redirect_to), challenge).await;
    }
    let account = account.filter(|account| !account.new_email.is_empty());
    let new_email = account.as_ref().map(|account| account.new_email.clone()).unwrap_or_default();
    for delivery in changes(auth, account.as_ref(), email.as_str(), &new_email, redirect_to) {
        deliver_to(auth, &tx, device, delivery, challenge).await?;
    }
    tx.commit().await?;
    sent(auth);
    Ok(Json(json!({})))
}

/// The messages of a change of address: to the new one, and to the old one where both have to agree.
pub(crate) fn changes<'a>(
    auth: &Auth,
    account: Option<&'a Account>,
    email: &'a str,
    new_email: &'a str,
    redirect_to: Option<&'a str>,
) -> Vec<Delivery<'a>> {
    // An address that was never confirmed has no say, and none has where addresses count as they are written.
    let config = auth.config();
    let both = config.one_time.email_change_double && !config.autoconfirm && account.is_none_or(|account| account.email_confirmed);
    let one = |purpose, to| Delivery {
        account,
        purpose,
        template: Template::EmailChange,
        kind: "email_change",
        to,
        new_email,
        redirect_to,
        is_last: !both,
    };
    let mut deliveries = Vec::new();
    if both {
        deliveries.push(one(Purpose::EmailChangeCurrent, email));
    }
    if !new_email.is_empty() {
        deliveries.push(one(Purpose::EmailChangeNew, new_email));
    } else if !both {
        // Nobody's change counts like one.
        deliveries.push(one(Purpose::EmailChangeNew, email));
    }
    deliveries
}

async fn by_sms(auth: &Auth, device: &Device, kind: &str, phone: &str) -> Result<Json<Value>> {
    check_takes_phones(auth)?;
    require(auth, Channel::Sms)?;
    let phone = Phone::parse(phone)?;
    auth.limits().strict("send", phone.as_str(), device).await?;
    let tx = auth.begin(Access::Write, "send a code again").await?;
    let known = Account::by_phone(&tx, &phone, auth.now()).await?.filter(|account| !account.banned);
    if kind == "sms" {
        let account = known.filter(|account| !account.phone_confirmed);
        return finish(auth, tx, device, by_phone(account.as_ref(), Purpose::PhoneConfirmation, phone.as_str())).await;
    }
    // By the number that somebody has, or by the one that he wants: the code goes to that.
    let account = match known.filter(|account| !account.new_phone.is_empty()) {
        Some(account) => Some(account),
        None => Account::by_new_phone(&tx, &phone, auth.now()).await?.filter(|account| !account.banned),
    };
    let to = account.as_ref().map(|account| account.new_phone.as_str()).filter(|to| !to.is_empty()).unwrap_or(phone.as_str()).to_owned();
    if to != phone.as_str() {
        auth.limits().strict("send", &to, device).await?;
    }
    finish(auth, tx, device, by_phone(account.as_ref(), Purpose::PhoneChange, &to)).await
}
