//! Making a link and a code and putting them into the outbox.

use kernel::{CompanyId, Error, Kind, Result, UserId};
use outbound::templates::{Template, Values};
use outbound::{Asked, Channel, Limits, Message, Outbound, Posting};
use postgres::Tx;
use serde_json::Value;

use super::queries::{self, NewToken};
use super::request::by_phone;
use super::secrets::Secrets;
use super::{Account, Purpose, redirect};
use crate::errors::unprocessable;
use crate::flows::Challenge;
use crate::hooks::{self, EmailData, Side};
use crate::input::{Device, Email, Phone};
use crate::users::queries::find;
use crate::{Auth, flows};

/// A link and a code that are to go to somebody.
pub(crate) struct Delivery<'a> {
    /// Nobody: everything is done as for somebody, and nothing is sent.
    pub(crate) account: Option<&'a Account>,
    pub(crate) purpose: Purpose,
    pub(crate) template: Template,
    /// The `type` of the link.
    pub(crate) kind: &'static str,
    /// The address, or the number without its plus.
    pub(crate) to: &'a str,
    /// The address that the account is to have.
    pub(crate) new_email: &'a str,
    pub(crate) redirect_to: Option<&'a str>,
    /// No other address has to agree.
    pub(crate) is_last: bool,
}

impl<'a> Delivery<'a> {
    /// The link that confirms the address of a sign-up; to one that is confirmed, nothing.
    pub(crate) fn confirmation(account: Option<&'a Account>, email: &'a Email, redirect_to: Option<&'a str>) -> Self {
        Self {
            account: account.filter(|account| !account.email_confirmed && !account.banned),
            purpose: Purpose::Confirmation,
            template: Template::Confirmation,
            kind: "signup",
            to: email.as_str(),
            new_email: "",
            redirect_to,
            is_last: true,
        }
    }

    fn channel(&self) -> Channel {
        if self.template == Template::Sms { Channel::Sms } else { Channel::Mail }
    }
}

/// Returns what sends, where messages of this sort leave at all.
pub(crate) fn require(auth: &Auth, channel: Channel) -> Result<&Outbound> {
    let found = auth.outbound().filter(|outbound| outbound.sends(channel));
    found.ok_or_else(|| match channel {
        Channel::Mail | Channel::Push => unprocessable("feature_disabled", "This server sends no mail"),
        Channel::Sms => Error::new(Kind::BadRequest, "phone_provider_disabled", "Unsupported phone provider"),
    })
}

/// Refuses who comes by an address where nobody does, as clients know it; a link or code is a way in like a password.
pub(crate) fn check_takes_email(auth: &Auth, kind: Kind) -> Result<()> {
    const MESSAGE: &str = "Email logins are disabled";
    match kind {
        _ if auth.config().external.email.enabled => Ok(()),
        Kind::BadRequest => Err(Error::new(Kind::BadRequest, "email_provider_disabled", MESSAGE)),
        _ => Err(unprocessable("email_provider_disabled", MESSAGE)),
    }
}

/// The same of telephone numbers.
pub(crate) fn check_takes_phones(auth: &Auth) -> Result<()> {
    let refused = || Error::new(Kind::BadRequest, "phone_provider_disabled", "Unsupported phone provider");
    auth.config().external.phone.enabled.then_some(()).ok_or_else(refused)
}

/// Tells whether people are known by telephone numbers here.
pub(crate) fn takes_phones(auth: &Auth) -> bool {
    auth.config().external.phone.enabled && (auth.config().one_time.phone_autoconfirm || require(auth, Channel::Sms).is_ok())
}

/// Sends the code that confirms a number; to one that is confirmed, nothing.
pub(crate) async fn confirm_phone(auth: &Auth, tx: &Tx, device: &Device, phone: &Phone) -> Result<()> {
    let account = Account::by_phone(tx, phone, auth.now()).await?.filter(|account| !account.phone_confirmed && !account.banned);
    deliver(auth, tx, device, by_phone(account.as_ref(), Purpose::PhoneConfirmation, phone.as_str())).await
}

/// Puts a message into the outbox; [`sent`] after the commit.
pub(crate) async fn deliver(auth: &Auth, tx: &Tx, device: &Device, delivery: Delivery<'_>) -> Result<()> {
    deliver_to(auth, tx, device, delivery, None).await
}

/// The same, for an application that sent a challenge: its link leads to a code.
pub(crate) async fn deliver_to(auth: &Auth, tx: &Tx, device: &Device, delivery: Delivery<'_>, challenge: Option<&Challenge>) -> Result<()> {
    let channel = delivery.channel();
    let outbound = require(auth, channel)?;
    let config = &auth.config().one_time;
    let fixed = if channel == Channel::Sms { config.test_code(delivery.to) } else { None };
    let secrets = Secrets::make(&auth.keys().ring, config.code_digits, fixed)?;
    let secrets = if challenge.is_some() { secrets.with_code_at_the_end() } else { secrets };
    let user_id = delivery.account.map(|account| account.id);
    let seconds = if channel == Channel::Sms { config.sms_seconds } else { config.mail_seconds };
    let (company_id, brand) = queries::brand(tx, user_id).await?;
    let values = Values {
        email: delivery.account.map_or(delivery.to, |account| &account.email).to_owned(),
        new_email: delivery.new_email.to_owned(),
        code: secrets.code.expose().clone(),
        link: link(auth, &delivery, &secrets),
        minutes: (seconds / 60).max(1),
        ..Values::default()
    };
    let locale = delivery.account.map_or("", |account| &account.locale);
    let mut message = outbound.templates().render(delivery.template, locale, &brand, &values)?;
    if outbound.has_hook(channel) {
        message.payload = Some(payload(auth, tx, &delivery, &secrets).await?);
    }
    let network = device.network();
    let number = format!("+{}", delivery.to);
    let posting = Posting {
        company_id,
        channel,
        purpose: delivery.purpose.name(),
        recipient: if channel == Channel::Sms { &number } else { delivery.to },
        client: network.as_deref(),
        message: &message,
        is_asked: true,
        is_withheld: delivery.account.is_none() || fixed.is_some(),
    };
    put(auth, tx, posting).await?;
    queries::expire(tx, auth.now()).await?;
    let flow_id = match challenge {
        Some(challenge) => {
            let link = flows::queries::Link { user_id, kind: delivery.kind, challenge, seconds };
            Some(flows::queries::begin_link(tx, link, auth.now()).await?)
        }
        None => None,
    };
    let Delivery { purpose, is_last, to: sent_to, .. } = delivery;
    queries::replace(tx, &NewToken { user_id, purpose, secrets: &secrets, sent_to, is_last, flow_id, seconds, now: auth.now() }).await
}

/// A mail in a company's name that holds no code.
pub(crate) struct Post<'a> {
    pub(crate) company_id: Option<CompanyId>,
    pub(crate) purpose: &'a str,
    pub(crate) to: &'a str,
    pub(crate) message: &'a Message,
}

/// Puts such a mail into the outbox; [`sent`] after the commit.
pub(crate) async fn post(auth: &Auth, tx: &Tx, device: &Device, post: Post<'_>) -> Result<()> {
    let network = device.network();
    let posting = Posting {
        company_id: post.company_id,
        channel: Channel::Mail,
        purpose: post.purpose,
        recipient: post.to,
        client: network.as_deref(),
        message: post.message,
        is_asked: false,
        is_withheld: false,
    };
    put(auth, tx, posting).await
}

/// Puts a message into the outbox, as often as one may be asked for; [`sent`] after the commit.
pub(crate) async fn put(auth: &Auth, tx: &Tx, posting: Posting<'_>) -> Result<()> {
    let (config, channel) = (&auth.config().one_time, posting.channel);
    let pause = if channel == Channel::Sms { config.sms_pause_seconds } else { config.mail_pause_seconds };
    let limits = Limits {
        pause_seconds: pause.into(),
        recipient_hour_max: config.recipient_hour_max.into(),
        client_hour_max: config.client_hour_max.into(),
    };
    match require(auth, channel)?.put(tx, &auth.seal()?, posting, limits).await? {
        Asked::Taken => Ok(()),
        Asked::Pause(wait) => Err(too_soon(channel, wait)),
        Asked::TooMany => Err(too_many(channel)),
    }
}

/// Returns what a hook is told of a message; of nobody as much as of somebody, and it is never sent.
async fn payload(auth: &Auth, tx: &Tx, delivery: &Delivery<'_>, secrets: &Secrets) -> Result<Value> {
    let user = find(tx, delivery.account.map_or_else(UserId::new_v7, |account| account.id)).await?;
    let user = serde_json::to_value(user).map_err(Error::internal)?;
    let site = auth.site();
    let target = redirect::target(auth, delivery.redirect_to);
    let address = match delivery.purpose {
        Purpose::EmailChangeCurrent => Side::Current,
        Purpose::EmailChangeNew if !delivery.is_last => Side::New,
        _ => Side::Only,
    };
    let kind = if delivery.purpose == Purpose::Reauthentication { "reauthentication" } else { delivery.kind };
    let email =
        EmailData { kind, token_hash: secrets.token.expose(), redirect_to: target.as_str(), site_url: site.as_str(), side: address };
    let email = (delivery.channel() == Channel::Mail).then_some(email);
    Ok(hooks::message(&user, email, secrets.code.expose()))
}

/// Says that a commit put something into the outbox.
pub(crate) fn sent(auth: &Auth) {
    if let Some(outbound) = auth.outbound() {
        outbound.wake();
    }
}

/// Returns the address that uses up a token.
fn link(auth: &Auth, delivery: &Delivery<'_>, secrets: &Secrets) -> String {
    if delivery.channel() == Channel::Sms || delivery.purpose == Purpose::Reauthentication {
        return String::new();
    }
    action_link(auth, secrets.token.expose(), delivery.kind, delivery.redirect_to)
}

/// Clients expect the token first.
pub(super) fn action_link(auth: &Auth, token: &str, kind: &str, redirect_to: Option<&str>) -> String {
    let target = redirect::target(auth, redirect_to);
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("token", token)
        .append_pair("type", kind)
        .append_pair("redirect_to", target.as_str())
        .finish();
    format!("{}/verify?{query}", auth.issuer())
}

/// Says when the next message may be asked for.
pub(crate) fn too_soon(channel: Channel, wait: i64) -> Error {
    let message = format!("For security purposes, you can only request this after {wait} seconds.");
    let error = match channel {
        Channel::Mail | Channel::Push => Error::new(Kind::TooManyRequests, "over_email_send_rate_limit", message),
        Channel::Sms => Error::new(Kind::TooManyRequests, "over_sms_send_rate_limit", message),
    };
    error.with_retry_after(u32::try_from(wait).unwrap_or(60))
}

/// Says that there were too many messages.
pub(crate) fn too_many(channel: Channel) -> Error {
    let error = match channel {
        Channel::Mail | Channel::Push => Error::new(Kind::TooManyRequests, "over_email_send_rate_limit", "email rate limit exceeded"),
        Channel::Sms => Error::new(Kind::TooManyRequests, "over_sms_send_rate_limit", "sms rate limit exceeded"),
    };
    error.with_retry_after(3600)
}
