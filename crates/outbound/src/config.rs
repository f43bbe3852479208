//! What can be set about mail and SMS.
//!
//! Invariant: every limit of this crate has its name here; a unit stands last in the name.

use std::path::PathBuf;

use kernel::Secret;
use serde::{Deserialize, Serialize};

/// The settings of what goes out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboundConfig {
    /// Whether messages are kept in the database instead of sent; if not set, in development and where nothing else is configured.
    pub capture: Option<bool>,
    /// Mail.
    pub mail: MailConfig,
    /// SMS.
    pub sms: SmsConfig,
    /// The table that messages wait in.
    pub outbox: OutboxConfig,
    /// What the answer of a hook that sends may take.
    pub hooks: HookLimits,
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    /// TLS after `STARTTLS`; a server without it is refused.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// None: for a server on this machine.
    None,
}

/// The settings of mail.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// The mail server. Without it no mail is sent.
    pub smtp_host: Option<String>,
    /// Its port.
    pub smtp_port: u16,
    /// `starttls`, `tls` or `none`.
    pub smtp_security: MailSecurity,
    /// The login there, if it wants one.
    pub smtp_login: Option<String>,
    /// The password of the login.
    pub smtp_password: Option<Secret<String>>,
    /// Milliseconds that the mail server may take for one answer.
    pub smtp_time_ms: u64,
    /// The address that mail comes from.
    pub from_address: String,
    /// The name that stands above messages which are in the name of no company.
    pub brand: String,
    /// The language of messages to people who did not choose one: a file of the templates.
    pub locale: String,
    /// A folder with templates and texts that go before those in the program.
    pub templates_directory: Option<PathBuf>,
    /// A hook that sends mail in the place of a mail server.
    pub hook: HookConfig,
}

/// The settings of SMS, which go through Twilio's programmable messaging.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmsConfig {
    /// The account at Twilio. Without it no SMS is sent.
    pub twilio_account: Option<String>,
    /// The account's token.
    pub twilio_token: Option<Secret<String>>,
    /// The number that messages come from, or the id of a messaging service (`MG…`).
    pub twilio_from: String,
    /// Where Twilio answers.
    pub twilio_url: String,
    /// Milliseconds that an answer may take.
    pub twilio_time_ms: u64,
    /// A hook that sends SMS in the place of Twilio.
    pub hook: HookConfig,
}

/// A hook: a function of the database or a signed call over HTTP.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HookConfig {
    /// Where it is: `pg-functions://postgres/schema/function`, or an https address.
    pub uri: Option<String>,
    /// What calls over HTTP are signed with, each `v1,whsec_` and base64; several while one is replaced.
    pub secrets: Vec<Secret<String>>,
}

/// What the answer of a hook may take.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HookLimits {
    /// Milliseconds that a function may run.
    pub function_time_ms: u32,
    /// Milliseconds that a call over HTTP may take, with all its tries.
    pub http_time_ms: u32,
    /// How often a call is tried that reaches nobody, or is told to come back.
    pub http_attempts_max: u32,
    /// Milliseconds between two tries.
    pub http_retry_ms: u32,
    /// The largest answer.
    pub answer_bytes_max: u32,
    /// How many times one hook is asked at once; others are told to come back.
    pub calls_max: u32,
}

/// The settings of the table that messages wait in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboxConfig {
    /// How many messages may wait before others are refused.
    pub pending_max: i64,
    /// Messages in the name of one company in an hour.
    pub company_hour_max: i64,
    /// How many are taken at once.
    pub batch_rows: i64,
    /// How often one is tried.
    pub attempts_max: i32,
    /// Milliseconds after which it is tried again; doubled with every time.
    pub retry_ms: i64,
    /// Milliseconds after which a message that a server took and did not settle is taken by another one.
    pub lease_ms: i64,
    /// Milliseconds between two looks at the table; a message of this server's own wakes it at once.
    pub poll_interval_ms: u64,
    /// Hours that a message stays in the table after it was sent or given up, without what it said.
    pub keep_hours: i64,
    /// How many messages a development server keeps.
    pub captured_max: i64,
}

impl Default for HookLimits {
    fn default() -> Self {
        Self {
            function_time_ms: 2000,
            http_time_ms: 5000,
            http_attempts_max: 3,
            http_retry_ms: 2000,
            answer_bytes_max: 204_800,
            calls_max: 10,
        }
    }
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            smtp_host: None,
            smtp_port: 587,
            smtp_security: MailSecurity::Starttls,
            smtp_login: None,
            smtp_password: None,
            smtp_time_ms: 15_000,
            from_address: "no-reply@localhost".to_owned(),
            brand: "Thorbis".to_owned(),
            locale: "en".to_owned(),
            templates_directory: None,
            hook: HookConfig::default(),
        }
    }
}

impl Default for SmsConfig {
    fn default() -> Self {
        Self {
            twilio_account: None,
            twilio_token: None,
            twilio_from: String::new(),
            twilio_url: "https://api.twilio.com".to_owned(),
            twilio_time_ms: 10_000,
            hook: HookConfig::default(),
        }
    }
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self {
            pending_max: 10_000,
            company_hour_max: 1000,
            batch_rows: 20,
            attempts_max: 6,
            retry_ms: 10_000,
            lease_ms: 120_000,
            poll_interval_ms: 5_000,
            keep_hours: 24,
            captured_max: 1_000,
        }
    }
}

/// A value that cannot be used: its key below `outbound`, and what is allowed.
pub type Fault = (&'static str, &'static str);

impl OutboundConfig {
    /// Returns what is impossible about the values; nothing when they can be used.
    pub fn faults(&self) -> Vec<Fault> {
        let Self { mail, sms, outbox, hooks, .. } = self;
        let url = url::Url::parse(&sms.twilio_url);
        [
            (mail.smtp_port == 0, "mail.smtp_port", "1 to 65535"),
            (mail.smtp_host.as_ref().is_some_and(String::is_empty), "mail.smtp_host", "the name of a mail server"),
            (mail.smtp_login.is_some() != mail.smtp_password.is_some(), "mail.smtp_login", "together with mail.smtp_password"),
            (!(100..=120_000).contains(&mail.smtp_time_ms), "mail.smtp_time_ms", "100 to 120000"),
            (mail.from_address.parse::<lettre::Address>().is_err(), "mail.from_address", "an e-mail address"),
            (mail.brand.is_empty() || mail.brand.len() > 100, "mail.brand", "1 to 100 bytes"),
            (mail.brand.chars().any(char::is_control), "mail.brand", "one line"),
            (sms.twilio_account.is_some() != sms.twilio_token.is_some(), "sms.twilio_account", "together with sms.twilio_token"),
            (sms.twilio_account.is_some() && sms.twilio_from.is_empty(), "sms.twilio_from", "a number such as +15550100"),
            (
                !sms.twilio_account.iter().all(|account| account.bytes().all(|byte| byte.is_ascii_alphanumeric())),
                "sms.twilio_account",
                "letters and digits",
            ),
            (!url.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()), "sms.twilio_url", "an http or https URL"),
            (!(100..=30_000).contains(&sms.twilio_time_ms), "sms.twilio_time_ms", "100 to 30000"),
            (!mail.hook.is_usable(), "mail.hook.uri", "pg-functions://postgres/schema/function, or an https address with secrets"),
            (!sms.hook.is_usable(), "sms.hook.uri", "pg-functions://postgres/schema/function, or an https address with secrets"),
            (!(10..=30_000).contains(&hooks.function_time_ms), "hooks.function_time_ms", "10 to 30000"),
            (!(10..=30_000).contains(&hooks.http_time_ms), "hooks.http_time_ms", "10 to 30000"),
            (!(1..=10).contains(&hooks.http_attempts_max), "hooks.http_attempts_max", "1 to 10"),
            (hooks.http_retry_ms > 30_000, "hooks.http_retry_ms", "0 to 30000"),
            (!(1024..=10_485_760).contains(&hooks.answer_bytes_max), "hooks.answer_bytes_max", "1024 to 10485760"),
            (!(1..=10_000).contains(&hooks.calls_max), "hooks.calls_max", "1 to 10000"),
            (!(1..=1_000_000).contains(&outbox.pending_max), "outbox.pending_max", "1 to 1000000"),
            (!(1..=1_000_000).contains(&outbox.company_hour_max), "outbox.company_hour_max", "1 to 1000000"),
            (!(1..=500).contains(&outbox.batch_rows), "outbox.batch_rows", "1 to 500"),
            (!(1..=20).contains(&outbox.attempts_max), "outbox.attempts_max", "1 to 20"),
            (!(1..=3_600_000).contains(&outbox.retry_ms), "outbox.retry_ms", "1 to 3600000"),
            (!(1000..=3_600_000).contains(&outbox.lease_ms), "outbox.lease_ms", "1000 to 3600000"),
            (!(50..=3_600_000).contains(&outbox.poll_interval_ms), "outbox.poll_interval_ms", "50 to 3600000"),
            // The limits of sending look back one hour.
            (!(1..=8760).contains(&outbox.keep_hours), "outbox.keep_hours", "1 to 8760"),
            (!(1..=100_000).contains(&outbox.captured_max), "outbox.captured_max", "1 to 100000"),
        ]
        .into_iter()
        .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_used_and_secrets_are_not_printed() {
        assert_eq!(OutboundConfig::default().faults(), []);
        let mut config = OutboundConfig::default();
        config.mail.smtp_login = Some("ann".to_owned());
        config.mail.from_address = "nobody".to_owned();
        config.sms.twilio_account = Some("AC/../x".to_owned());
        config.sms.twilio_token = Some(Secret::new("hunter2".to_owned()));
        config.outbox.attempts_max = 0;
        let keys: Vec<_> = config.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["mail.smtp_login", "mail.from_address", "sms.twilio_from", "sms.twilio_account", "outbox.attempts_max"]);
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
