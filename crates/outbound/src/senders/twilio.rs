//! SMS over Twilio's programmable messaging.

use std::time::Duration;

use kernel::{Result, Secret};
use url::Url;

use super::{Letter, Refusal, unusable};
use crate::config::SmsConfig;
use crate::http::{Bounds, Call, Http, HttpOptions, NamedBy};

/// Of the answer only its status counts.
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

    pub(super) async fn send(&self, letter: &Letter<'_>) -> std::result::Result<(), Refusal> {
        let from = if self.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
        let form = [("To", letter.recipient), (from, &self.from), ("Body", &letter.message.text)];
        let call = Call::form(&self.url, NamedBy::Operator, &form).with_password(&self.account, self.token.expose());
        let status = self.http.send_and_cut(call).await.map_err(|fault| Refusal::passing(&fault))?.status;
        if status.is_success() {
            return Ok(());
        }
        let reason = format!("Twilio answered {status}");
        // The account may be in order again later; a number that is none stays none.
        let is_final = status.is_client_error() && !matches!(status.as_u16(), 401 | 403 | 408 | 429);
        Err(if is_final { Refusal::lasting(&reason) } else { Refusal::passing(&reason) })
    }
}
