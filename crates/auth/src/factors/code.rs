//! Telephones and mailboxes as second factors: a code by SMS or mail for each challenge.
//!
//! Invariant: of a code there is a hash under a key of the server, and tries are counted before one is compared. A number or address
//! that the account itself is known by is no second one: whoever reads its messages signs in by them.

use kernel::{Error, Result};
use outbound::templates::{Template, Values};
use outbound::{Asked, Channel, Limits, Posting};
use postgres::Tx;
use serde_json::Value;

use super::queries::{self, Challenge, Factor};
use super::raise;
use crate::Auth;
use crate::errors::{bad_request, session_not_found, unprocessable};
use crate::input::{Caller, Device, Email, Phone};
use crate::one_time::{self, Account, Secrets};

/// What the outbox calls the reason.
const PURPOSE: &str = "second_factor";

/// Where codes of a factor go.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Way {
    Phone(Phone),
    Email(Email),
}

impl Way {
    /// Reads a wish of either sort.
    pub(super) fn parse(sort: &str, phone: Option<&str>, email: Option<&str>) -> Result<Self> {
        let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        if sort == "phone" {
            let phone = given(phone).ok_or_else(|| bad_request("validation_failed", "Phone number required to enroll Phone factor"))?;
            return Phone::parse(&phone).map(Self::Phone);
        }
        let email = given(email).ok_or_else(|| bad_request("validation_failed", "Email address required to enroll Email factor"))?;
        Email::parse(&email).map(Self::Email)
    }

    /// Returns where the codes of a factor go, if it is of this sort.
    pub(super) fn of(factor: &Factor) -> Option<Self> {
        match (&factor.phone, &factor.email) {
            (Some(phone), None) => Phone::parse(phone).ok().map(Self::Phone),
            (None, Some(email)) => Email::parse(email).ok().map(Self::Email),
            _ => None,
        }
    }

    pub(super) fn sort(&self) -> &'static str {
        match self {
            Self::Phone(_) => "phone",
            Self::Email(_) => "email",
        }
    }

    fn channel(&self) -> Channel {
        match self {
            Self::Phone(_) => Channel::Sms,
            Self::Email(_) => Channel::Mail,
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Phone(phone) => phone.as_str(),
            Self::Email(email) => email.as_str(),
        }
    }

    /// Refuses what messages are not sent to, and what the account is known by.
    pub(super) fn check(&self, auth: &Auth, account: &Account) -> Result<()> {
        one_time::require(auth, self.channel())?;
        let own = match self {
            Self::Phone(phone) => account.phone == phone.as_str(),
            Self::Email(email) => [&account.email, &account.new_email].iter().any(|known| known.eq_ignore_ascii_case(email.as_str())),
        };
        if own {
            let message = "A second factor needs another number or address than the account has";
            return Err(unprocessable("mfa_factor_not_separate", message));
        }
        Ok(())
    }
}

/// Finds the caller's account.
pub(super) async fn account(tx: &Tx, auth: &Auth, caller: Caller) -> Result<Account> {
    Account::by_id(tx, caller.user_id, auth.now()).await?.ok_or_else(session_not_found)
}

/// Puts a code into the outbox. Its id is that of the challenge.
pub(super) async fn send(tx: &Tx, auth: &Auth, device: &Device, account: &Account, way: &Way) -> Result<Secrets> {
    way.check(auth, account)?;
    let (channel, config) = (way.channel(), &auth.config().one_time);
    let outbound = one_time::require(auth, channel)?;
    let fixed = if channel == Channel::Sms { config.test_code(way.as_str()) } else { None };
    let secrets = Secrets::make(&auth.keys().ring, config.code_digits, fixed)?;
    let (company_id, brand) = one_time::brand(tx, Some(account.id)).await?;
    let values = Values {
        email: way.as_str().to_owned(),
        code: secrets.code.expose().clone(),
        minutes: (auth.config().mfa.challenge_seconds / 60).max(1),
        ..Values::default()
    };
    let template = if channel == Channel::Sms { Template::Sms } else { Template::Reauthentication };
    let message = outbound.templates().render(template, &account.locale, &brand, &values)?;
    let number = format!("+{}", way.as_str());
    let network = device.network();
    let posting = Posting {
        company_id,
        channel,
        purpose: PURPOSE,
        recipient: if channel == Channel::Sms { &number } else { way.as_str() },
        client: network.as_deref(),
        message: &message,
        is_asked: true,
        is_withheld: fixed.is_some(),
    };
    let pause = if channel == Channel::Sms { config.sms_pause_seconds } else { config.mail_pause_seconds };
    let limits = Limits {
        pause_seconds: pause.into(),
        recipient_hour_max: config.recipient_hour_max.into(),
        client_hour_max: config.client_hour_max.into(),
    };
    match outbound.put(tx, &auth.seal()?, posting, limits).await? {
        Asked::Taken => Ok(secrets),
        Asked::Pause(wait) => Err(one_time::too_soon(channel, wait)),
        Asked::TooMany => Err(one_time::too_many(channel)),
    }
}

/// Compares a code, and raises the session.
pub(super) async fn verify(tx: Tx, auth: &Auth, caller: Caller, (factor, challenge): (Factor, Challenge), code: &str) -> Result<Value> {
    let kept = challenge.code_hash.ok_or_else(|| Error::internal("a code that was never sent"))?;
    let is_right = one_time::is_code(&auth.keys().ring, challenge.id, code, &kept);
    if let Some(rejected) = auth.factor_tried(&tx, (caller.user_id, factor.id), &factor.sort, is_right).await? {
        tx.commit().await?;
        return Err(rejected);
    }
    if !is_right {
        tx.commit().await?;
        metrics::counter!("auth_factors_refused_total").increment(1);
        let message = if factor.phone.is_some() { "Invalid MFA Phone code entered" } else { "Invalid MFA Email code entered" };
        return Err(unprocessable("mfa_verification_failed", message));
    }
    queries::proved(&tx, caller, &factor, None, auth.now()).await?;
    let method = if factor.phone.is_some() { "mfa/phone" } else { "mfa/email" };
    raise(tx, auth, caller, factor.id, method).await
}
