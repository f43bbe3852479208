//! SMS over Twilio's programmable messaging.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kernel::{Result, Secret};
use serde_json::Value;
use url::Url;

use super::refusal::{Fault, Lasting};
use super::{Letter, Receipt, Refusal, Sender, retry_after, unusable};
use crate::config::SmsConfig;
use crate::http::{Answer, Bounds, Call, Http, HttpOptions, NamedBy};

const ANSWER_BYTES_MAX: usize = 64 * 1024;

pub(super) struct Twilio {
    http: Http,
    url: Url,
    account: String,
    token: Secret<String>,
    from: String,
}

impl Twilio {
    /// Sets up the way; none where no account is named. Connects to nothing yet.
    pub(super) fn new(config: &SmsConfig) -> Result<Option<Self>> {
        let (Some(account), Some(token)) = (&config.twilio_account, &config.twilio_token) else { return Ok(None) };
        let bounds = Bounds { bytes_max: ANSWER_BYTES_MAX, time: Duration::from_millis(config.twilio_time_ms) };
        let http = Http::new(HttpOptions { bounds, private_allowed: false })?;
        let url = format!("{}/2010-04-01/Accounts/{account}/Messages.json", config.twilio_url.trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|error| unusable("outbound.sms", error))?;
        Ok(Some(Self { http, url, account: account.clone(), token: token.clone(), from: config.twilio_from.clone() }))
    }

    async fn deliver(&self, letter: &Letter<'_>) -> std::result::Result<Receipt, Refusal> {
        let from = if self.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
        let callback = status_callback(letter);
        let mut form = vec![("To", letter.recipient), (from, &self.from), ("Body", &letter.message.text)];
        form.extend(callback.as_deref().map(|url| ("StatusCallback", url)));
        let call = Call::form(&self.url, NamedBy::Operator, &form).with_password(&self.account, self.token.expose());
        let answer = self.http.send_and_cut(call).await;
        let answer = answer.map_err(|fault| Refusal::new(Fault::Provider(None), &format!("Twilio: {fault}")).coded("unreachable"))?;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status.is_success() {
            let key = said.get("sid").and_then(Value::as_str).filter(|sid| (1..=255).contains(&sid.len()));
            return Ok(Receipt { key: key.map(str::to_owned) });
        }
        Err(refusal(&answer, said.get("code").and_then(Value::as_u64)))
    }
}

impl Sender for Twilio {
    fn name(&self) -> &'static str {
        "twilio"
    }

    fn send<'a>(&'a self, letter: &'a Letter<'_>) -> BoxFuture<'a, std::result::Result<Receipt, Refusal>> {
        self.deliver(letter).boxed()
    }
}

/// Where Twilio says what became of it. It calls no address that is not one of the internet.
fn status_callback(letter: &Letter<'_>) -> Option<String> {
    let url = letter.public_url.filter(|url| url.starts_with("https://"))?;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("message_id", &letter.id.to_string());
    if let Some(company_id) = letter.company_id {
        query.append_pair("company_id", &company_id.to_string());
    }
    Some(format!("{}/webhooks/v1/twilio?{}", url.trim_end_matches('/'), query.finish()))
}

fn refusal(answer: &Answer, code: Option<u64>) -> Refusal {
    let status = answer.status.as_u16();
    let fault = match (status, code) {
        (429, _) | (_, Some(20429)) => Fault::Provider(Some(retry_after(&answer.headers).unwrap_or(Duration::from_secs(1)))),
        (_, Some(21610)) => Fault::Recipient(Lasting::Stop),
        // A number that is none, or one that gets no SMS.
        (_, Some(21211 | 21217 | 21614)) => Fault::Recipient(Lasting::Bounce),
        // The account, or the number that messages come from.
        (401 | 403, _) | (_, Some(20003 | 20005 | 21603 | 21606 | 21659 | 21660 | 21703 | 21704)) => Fault::Provider(None),
        (408, _) => Fault::Passing(None),
        (400..=499, _) => Fault::Message,
        _ => Fault::Provider(retry_after(&answer.headers)),
    };
    let code = code.map_or_else(|| status.to_string(), |code| code.to_string());
    Refusal::new(fault, &format!("Twilio answered {status}, {code}")).coded(code)
}
