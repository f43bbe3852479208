//! `POST /otp`, `/magiclink` and `/recover`: asking for a link or a code.

use axum::Json;
use axum::extract::State;
use kernel::{Kind, Result, UserId};
use outbound::Channel;
use outbound::templates::Template;
use postgres::{Access, Tx};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::deliver::{check_takes_email, check_takes_phones, deliver_to, require, sent};
use super::{Account, Delivery, NewPhoneUser, Purpose, queries};
use crate::Auth;
use crate::errors::{bad_request, unprocessable};
use crate::even::Even;
use crate::flows::Challenge;
use crate::hooks::Newcomer;
use crate::input::{Body, Device, Email, Params, Phone, check_metadata};
use crate::users::queries::{NewUser, create};

/// The query of the endpoints.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Return {
    pub(crate) redirect_to: Option<String>,
}

/// The body of a request for a code.
#[derive(Debug, Deserialize)]
pub(crate) struct Wish {
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    data: Option<Map<String, Value>>,
    #[serde(default = "yes")]
    create_user: bool,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    code_challenge: Option<String>,
    #[serde(default)]
    code_challenge_method: Option<String>,
}

impl Wish {
    fn challenge(&self) -> Result<Option<Challenge>> {
        Challenge::read(self.code_challenge.as_deref(), self.code_challenge_method.as_deref())
    }
}

fn yes() -> bool {
    true
}

pub(crate) async fn otp(
    State(auth): State<Auth>,
    Params(back): Params<Return>,
    device: Device,
    Body(wish): Body<Wish>,
) -> Result<Json<Value>> {
    let even = even(&auth);
    let present = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let answer = match (present(&wish.email), present(&wish.phone)) {
        (true, true) => Err(bad_request("validation_failed", "Only an email address or phone number should be provided")),
        (false, false) => Err(bad_request("validation_failed", "One of email or phone must be set")),
        (true, false) if present(&wish.channel) => Err(bad_request("validation_failed", "Channel should only be specified with Phone OTP")),
        (true, false) => Box::pin(by_mail(&auth, &device, wish, back.redirect_to.as_deref())).await,
        (false, true) => Box::pin(by_sms(&auth, &device, wish)).await,
    };
    even.reach().await;
    answer
}

/// Begins what is answered in steps, whoever it is asked for.
pub(super) fn even(auth: &Auth) -> Even {
    Even::begin(auth.config().one_time.answer_step_ms)
}

pub(crate) async fn magic_link(
    State(auth): State<Auth>,
    Params(back): Params<Return>,
    device: Device,
    Body(wish): Body<Wish>,
) -> Result<Json<Value>> {
    let even = even(&auth);
    let answer = Box::pin(by_mail(&auth, &device, wish, back.redirect_to.as_deref())).await;
    even.reach().await;
    answer
}

async fn by_mail(auth: &Auth, device: &Device, wish: Wish, redirect_to: Option<&str>) -> Result<Json<Value>> {
    check_takes_email(auth, Kind::Unprocessable)?;
    require(auth, Channel::Mail)?;
    let challenge = wish.challenge()?;
    let email = Email::parse(wish.email.as_deref().unwrap_or_default())?;
    auth.limits().strict("send", email.as_str(), device).await?;
    let metadata = wish.data.unwrap_or_default();
    check_metadata(&metadata, auth.config().user_metadata_bytes_max)?;
    let tx = auth.begin(Access::Write, "ask for a link to sign in").await?;
    let mut account = Account::by_email(&tx, &email, auth.now()).await?;
    let is_new = account.is_none();
    if is_new {
        may_sign_up(auth, wish.create_user)?;
        let new = NewUser {
            id: UserId::new_v7(),
            email: &email,
            hash: None,
            user_metadata: &metadata,
            app_metadata: &Map::new(),
            confirmed: false,
            now: auth.now(),
        };
        let newcomer = Newcomer { id: new.id, provider: "email", email: email.as_str(), phone: "", user_metadata: &metadata };
        auth.before_user(&tx, device, newcomer).await?;
        create(&tx, &new).await?;
        account = Account::by_email(&tx, &email, auth.now()).await?;
    }
    let (purpose, template, kind) = if is_new && !auth.config().autoconfirm {
        (Purpose::Confirmation, Template::Confirmation, "signup")
    } else {
        (Purpose::Recovery, Template::MagicLink, "magiclink")
    };
    let account = account.filter(|account| !account.banned);
    let delivery =
        Delivery { account: account.as_ref(), purpose, template, kind, to: email.as_str(), new_email: "", redirect_to, is_last: true };
    let answer = finish_to(auth, tx, device, delivery, challenge.as_ref()).await?;
    if let Some(account) = account.filter(|_| is_new) {
        auth.after_user(device, account.id);
    }
    Ok(answer)
}

async fn by_sms(auth: &Auth, device: &Device, wish: Wish) -> Result<Json<Value>> {
    check_takes_phones(auth)?;
    require(auth, Channel::Sms)?;
    if wish.channel.as_deref().is_some_and(|channel| !matches!(channel, "" | "sms")) {
        return Err(bad_request("validation_failed", "Invalid channel, supported values are 'sms'"));
    }
    let phone = Phone::parse(wish.phone.as_deref().unwrap_or_default())?;
    auth.limits().strict("send", phone.as_str(), device).await?;
    let metadata = wish.data.unwrap_or_default();
    check_metadata(&metadata, auth.config().user_metadata_bytes_max)?;
    let tx = auth.begin(Access::Write, "ask for a code by SMS").await?;
    let mut account = Account::by_phone(&tx, &phone, auth.now()).await?;
    let mut made = None;
    if account.is_none() {
        may_sign_up(auth, wish.create_user)?;
        let new =
            NewPhoneUser { id: UserId::new_v7(), phone: &phone, hash: None, user_metadata: &metadata, confirmed: false, now: auth.now() };
        let newcomer = Newcomer { id: new.id, provider: "phone", email: "", phone: phone.as_str(), user_metadata: &metadata };
        auth.before_user(&tx, device, newcomer).await?;
        queries::create_by_phone(&tx, &new).await?;
        made = Some(new.id);
        account = Account::by_phone(&tx, &phone, auth.now()).await?;
    }
    let account = account.filter(|account| !account.banned);
    if let Some(account) = &account {
        queries::drop_unproved_password(&tx, account.id).await?;
    }
    let answer = finish(auth, tx, device, by_phone(account.as_ref(), Purpose::PhoneConfirmation, phone.as_str())).await?;
    if let Some(id) = made {
        auth.after_user(device, id);
    }
    Ok(answer)
}

/// A code for a telephone number.
pub(super) fn by_phone<'a>(account: Option<&'a Account>, purpose: Purpose, to: &'a str) -> Delivery<'a> {
    Delivery { account, purpose, template: Template::Sms, kind: "sms", to, new_email: "", redirect_to: None, is_last: true }
}

fn may_sign_up(auth: &Auth, wanted: bool) -> Result<()> {
    if !wanted {
        return Err(unprocessable("otp_disabled", "Signups not allowed for otp"));
    }
    if !auth.config().signup_enabled {
        return Err(unprocessable("signup_disabled", "Signups not allowed for this instance"));
    }
    Ok(())
}

pub(crate) async fn recover(
    State(auth): State<Auth>,
    Params(back): Params<Return>,
    device: Device,
    Body(wish): Body<Wish>,
) -> Result<Json<Value>> {
    let even = even(&auth);
    check_takes_email(&auth, Kind::Unprocessable)?;
    require(&auth, Channel::Mail)?;
    let challenge = wish.challenge()?;
    let email = wish.email.as_deref().filter(|email| !email.is_empty());
    let email = Email::parse(email.ok_or_else(|| bad_request("validation_failed", "Password recovery requires an email"))?)?;
    auth.limits().strict("send", email.as_str(), &device).await?;
    let tx = auth.begin(Access::Write, "ask for a new password").await?;
    let account = Account::by_email(&tx, &email, auth.now()).await?.filter(|account| !account.banned);
    let delivery = Delivery {
        account: account.as_ref(),
        purpose: Purpose::Recovery,
        template: Template::Recovery,
        kind: "recovery",
        to: email.as_str(),
        new_email: "",
        redirect_to: back.redirect_to.as_deref(),
        is_last: true,
    };
    let answer = Box::pin(finish_to(&auth, tx, &device, delivery, challenge.as_ref())).await;
    even.reach().await;
    answer
}

/// Puts it into the outbox and answers what everybody is answered.
pub(super) async fn finish(auth: &Auth, tx: Tx, device: &Device, delivery: Delivery<'_>) -> Result<Json<Value>> {
    finish_to(auth, tx, device, delivery, None).await
}

/// The same, for an application that sent a challenge.
pub(super) async fn finish_to(
    auth: &Auth,
    tx: Tx,
    device: &Device,
    delivery: Delivery<'_>,
    challenge: Option<&Challenge>,
) -> Result<Json<Value>> {
    deliver_to(auth, &tx, device, delivery, challenge).await?;
    tx.commit().await?;
    sent(auth);
    Ok(Json(json!({})))
}
