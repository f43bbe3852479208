//! SMS over Twilio's programmable messaging.

use std::time::Duration;

use kernel::{Result, Secret};

use super::{Letter, Refusal, unusable};
use crate::config::SmsConfig;
use crate::tls;

pub(super) struct Twilio {
    client: reqwest::Client,
    url: String,
    account: String,
    token: Secret<String>,
    from: String,
}

impl Twilio {
    /// Sets up the way; none where no account is named. Connects to nothing yet.
    pub(super) fn new(config: &SmsConfig) -> Result<Option<Self>> {
        let (Some(account), Some(token)) = (&config.twilio_account, &config.twilio_token) else { return Ok(None) };
        let client = reqwest::Client::builder()
            .timeout(Duration::from_millis(config.twilio_time_ms))
            // The account's token goes to the address that was configured and no other.
            .redirect(reqwest::redirect::Policy::none())
            .use_preconfigured_tls(tls::client().map_err(|error| unusable("outbound.sms", error))?)
            .build()
            .map_err(|error| unusable("outbound.sms", error))?;
        let url = format!("{}/2010-04-01/Accounts/{account}/Messages.json", config.twilio_url.trim_end_matches('/'));
        Ok(Some(Self { client, url, account: account.clone(), token: token.clone(), from: config.twilio_from.clone() }))
    }

    pub(super) async fn send(&self, letter: &Letter<'_>) -> std::result::Result<(), Refusal> {
        let from = if self.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
        let form = [("To", letter.recipient), (from, &self.from), ("Body", &letter.message.text)];
        let request = self.client.post(&self.url).basic_auth(&self.account, Some(self.token.expose())).form(&form);
        let answer = request.send().await.map_err(|error| Refusal::passing(&error.without_url()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let reason = format!("Twilio answered {status}");
        // The account may be in order again later; a number that is none stays none.
        let is_final = status.is_client_error() && !matches!(status.as_u16(), 401 | 403 | 408 | 429);
        Err(if is_final { Refusal::lasting(&reason) } else { Refusal::passing(&reason) })
    }
}
