//! What can be set about mail, SMS and messages to devices.
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
    /// Messages to devices.
    pub push: PushConfig,
    /// Requests that SQL asks for.
    pub http_requests: HttpRequestsConfig,
    /// What becomes of a provider that takes nothing.
    pub failover: FailoverConfig,
    /// What is kept of what was sent, and who is not written to.
    pub log: LogConfig,
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
    /// Who carries mail, the first that takes it: `smtp`, `resend`. Without any all that are configured, in this order.
    pub senders: Vec<String>,
    /// The mail server. Without it no mail is sent over SMTP.
    pub smtp_host: Option<String>,
    /// Its port.
    pub smtp_port: u16,
    /// `starttls`, `tls` or `none`.
    pub smtp_security: MailSecurity,
    /// A file with certificates (PEM) of authorities that vouch for it, beside those that this system trusts.
    pub smtp_ca_file: Option<PathBuf>,
    /// The login there, if it wants one: never where `smtp_security` is `none`.
    pub smtp_login: Option<String>,
    /// The password of the login.
    pub smtp_password: Option<Secret<String>>,
    /// Milliseconds that the mail server may take for one answer.
    pub smtp_time_ms: u64,
    /// The key of Resend. Without it no mail is sent over its API.
    pub resend_key: Option<Secret<String>>,
    /// Where Resend answers.
    pub resend_url: String,
    /// Milliseconds that an answer may take.
    pub resend_time_ms: u64,
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
    /// Who carries SMS, the first that takes it: `twilio`. Without any all that are configured.
    pub senders: Vec<String>,
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

/// The settings of messages to devices.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PushConfig {
    /// Who carries them, each those of its own devices: `vapid` (Web Push), `fcm`. Without any all that are configured.
    pub senders: Vec<String>,
    /// Where push services reach the operator, `mailto:` or `https:`; empty is the address that mail comes from.
    pub contact: String,
    /// The file of a service account of Firebase. Without it no application is reached over FCM.
    pub fcm_account_file: Option<PathBuf>,
    /// Where FCM answers.
    pub fcm_url: String,
    /// Milliseconds that an answer may take.
    pub time_ms: u64,
    /// For how many seconds a push service keeps a message for a browser that is away, where the message does not say.
    pub ttl_seconds: u32,
    /// How many devices somebody may have; the one that was not registered for longest makes room.
    pub devices_max: i32,
    /// Whether devices may be at private addresses, and without TLS: for development and tests.
    pub private_addresses_allowed: bool,
}

/// The settings of requests that SQL asks for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpRequestsConfig {
    /// Whether they may go to private addresses, and without TLS. Where it is not set a developer's may.
    pub private_addresses_allowed: Option<bool>,
}

/// What becomes of a provider that takes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FailoverConfig {
    /// Messages one after the other that a provider does not take before it is left alone for a while.
    pub failures_max: u32,
    /// For how many seconds; doubled with every message that it does not take then, up to ten minutes.
    pub pause_seconds: u32,
    /// The longest that a provider's `Retry-After` is respected, in seconds.
    pub retry_after_seconds_max: u32,
}

/// What is kept of what was sent, and who is not written to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// Days that an attempt to send something is kept, without what it said.
    pub attempts_days: i64,
    /// Hours that this server's own messages do not go to an address whose mailbox was not there.
    pub bounce_hold_hours: i32,
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
    /// How many messages that were asked for, and how many others, may wait before more of their kind are refused.
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
            senders: Vec::new(),
            smtp_host: None,
            smtp_port: 587,
            smtp_security: MailSecurity::Starttls,
            smtp_ca_file: None,
            smtp_login: None,
            smtp_password: None,
            smtp_time_ms: 15_000,
            resend_key: None,
            resend_url: "https://api.resend.com".to_owned(),
            resend_time_ms: 10_000,
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
            senders: Vec::new(),
            twilio_account: None,
            twilio_token: None,
            twilio_from: String::new(),
            twilio_url: "https://api.twilio.com".to_owned(),
            twilio_time_ms: 10_000,
            hook: HookConfig::default(),
        }
    }
}

impl Default for PushConfig {
    fn default() -> Self {
        Self {
            senders: Vec::new(),
            contact: String::new(),
            fcm_account_file: None,
            fcm_url: "https://fcm.googleapis.com".to_owned(),
            time_ms: 10_000,
            ttl_seconds: 86_400,
            devices_max: 20,
            private_addresses_allowed: false,
        }
    }
}

impl Default for FailoverConfig {
    fn default() -> Self {
        Self { failures_max: 3, pause_seconds: 30, retry_after_seconds_max: 3600 }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { attempts_days: 90, bounce_hold_hours: 72 }
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
        self.mail_faults()
            .into_iter()
            .chain(self.sms_faults())
            .chain(self.push_faults())
            .chain(self.limit_faults())
            .filter_map(|(impossible, key, allowed)| impossible.then_some((key, allowed)))
            .collect()
    }

    fn mail_faults(&self) -> [(bool, &'static str, &'static str); 14] {
        let mail = &self.mail;
        let is_open = mail.smtp_security == MailSecurity::None;
        let configured: &[(&str, bool)] = &[("smtp", mail.smtp_host.is_some()), ("resend", mail.resend_key.is_some())];
        [
            (!are_senders(&mail.senders, configured), "mail.senders", "smtp and resend, each once and only where it is configured"),
            (mail.smtp_port == 0, "mail.smtp_port", "1 to 65535"),
            (mail.smtp_host.as_ref().is_some_and(String::is_empty), "mail.smtp_host", "the name of a mail server"),
            (mail.smtp_login.is_some() != mail.smtp_password.is_some(), "mail.smtp_login", "together with mail.smtp_password"),
            (mail.smtp_login.is_some() && is_open, "mail.smtp_login", "over TLS alone: mail.smtp_security is starttls or tls"),
            (mail.smtp_ca_file.is_some() && is_open, "mail.smtp_ca_file", "where mail.smtp_security is starttls or tls"),
            (!(100..=120_000).contains(&mail.smtp_time_ms), "mail.smtp_time_ms", "100 to 120000"),
            (mail.resend_key.as_ref().is_some_and(|key| !is_header(key.expose())), "mail.resend_key", "a key such as re_123"),
            (!is_web_address(&mail.resend_url), "mail.resend_url", "an http or https URL"),
            (!(100..=30_000).contains(&mail.resend_time_ms), "mail.resend_time_ms", "100 to 30000"),
            (mail.from_address.parse::<lettre::Address>().is_err(), "mail.from_address", "an e-mail address"),
            (mail.brand.is_empty() || mail.brand.len() > 100, "mail.brand", "1 to 100 bytes"),
            (mail.brand.chars().any(char::is_control), "mail.brand", "one line"),
            (!mail.hook.is_usable(), "mail.hook.uri", "pg-functions://postgres/schema/function, or an https address with secrets"),
        ]
    }

    fn sms_faults(&self) -> [(bool, &'static str, &'static str); 7] {
        let sms = &self.sms;
        let is_account = |account: &String| account.bytes().all(|byte| byte.is_ascii_alphanumeric());
        [
            (!are_senders(&sms.senders, &[("twilio", sms.twilio_account.is_some())]), "sms.senders", "twilio, where it is configured"),
            (sms.twilio_account.is_some() != sms.twilio_token.is_some(), "sms.twilio_account", "together with sms.twilio_token"),
            (sms.twilio_account.is_some() && sms.twilio_from.is_empty(), "sms.twilio_from", "a number such as +15550100"),
            (!sms.twilio_account.iter().all(is_account), "sms.twilio_account", "letters and digits"),
            (!is_web_address(&sms.twilio_url), "sms.twilio_url", "an http or https URL"),
            (!(100..=30_000).contains(&sms.twilio_time_ms), "sms.twilio_time_ms", "100 to 30000"),
            (!sms.hook.is_usable(), "sms.hook.uri", "pg-functions://postgres/schema/function, or an https address with secrets"),
        ]
    }

    fn push_faults(&self) -> [(bool, &'static str, &'static str); 6] {
        let push = &self.push;
        let is_contact =
            |contact: &str| contact.is_empty() || (contact.starts_with("mailto:") || contact.starts_with("https://")) && is_header(contact);
        let configured: &[(&str, bool)] = &[("vapid", true), ("fcm", push.fcm_account_file.is_some())];
        [
            (!are_senders(&push.senders, configured), "push.senders", "vapid and fcm, each once and only where it is configured"),
            (!is_contact(&push.contact), "push.contact", "mailto: and an address, or an https URL"),
            (!is_web_address(&push.fcm_url), "push.fcm_url", "an http or https URL"),
            (!(100..=30_000).contains(&push.time_ms), "push.time_ms", "100 to 30000"),
            // Four weeks, which is the longest that a push service keeps anything.
            (push.ttl_seconds > 2_419_200, "push.ttl_seconds", "0 to 2419200"),
            (!(1..=1000).contains(&push.devices_max), "push.devices_max", "1 to 1000"),
        ]
    }

    fn limit_faults(&self) -> [(bool, &'static str, &'static str); 20] {
        let Self { failover, log, outbox, hooks, .. } = self;
        [
            (!(1..=1000).contains(&failover.failures_max), "failover.failures_max", "1 to 1000"),
            (!(1..=600).contains(&failover.pause_seconds), "failover.pause_seconds", "1 to 600"),
            (!(1..=86_400).contains(&failover.retry_after_seconds_max), "failover.retry_after_seconds_max", "1 to 86400"),
            (!(1..=3650).contains(&log.attempts_days), "log.attempts_days", "1 to 3650"),
            (!(1..=8760).contains(&log.bounce_hold_hours), "log.bounce_hold_hours", "1 to 8760"),
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
    }
}

/// Tells whether these are names of what is configured, each once.
fn are_senders(named: &[String], configured: &[(&str, bool)]) -> bool {
    let is_one = |name: &String| configured.iter().any(|(known, is_there)| known == name && *is_there);
    named.iter().all(is_one) && named.iter().enumerate().all(|(at, name)| !named.iter().take(at).any(|before| before == name))
}

fn is_web_address(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn is_header(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
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
        config.mail.resend_key = Some(Secret::new("re_hunter2".to_owned()));
        config.mail.senders = ["resend", "smtp"].map(str::to_owned).to_vec();
        config.push.senders = ["vapid", "vapid"].map(str::to_owned).to_vec();
        let keys: Vec<_> = config.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            [
                "mail.senders",
                "mail.smtp_login",
                "mail.from_address",
                "sms.twilio_from",
                "sms.twilio_account",
                "push.senders",
                "outbox.attempts_max"
            ]
        );
        assert!(!format!("{config:?}").contains("hunter2"));
        let mut config = OutboundConfig::default();
        config.mail.smtp_security = MailSecurity::None;
        config.mail.smtp_login = Some("ann".to_owned());
        config.mail.smtp_password = Some(Secret::new("hunter2".to_owned()));
        config.mail.smtp_ca_file = Some("ca.pem".into());
        let keys: Vec<_> = config.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["mail.smtp_login", "mail.smtp_ca_file"], "a password is never sent in plain");
    }
}
