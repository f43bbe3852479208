//! Mail over SMTP.
//!
//! Invariant: where TLS is asked for nothing is said without it, and a certificate that nobody vouches for is no server's. A password is never
//! sent in plain: the settings refuse a login without TLS.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kernel::Result;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor};

use super::refusal::{Fault, Lasting};
use super::{Letter, Receipt, Refusal, Sender, unusable};
use crate::config::{MailConfig, MailSecurity};

type Transport = AsyncSmtpTransport<Tokio1Executor>;

pub(super) struct Smtp {
    transport: Transport,
    from: Address,
}

impl Smtp {
    /// Sets up the way; none where no server is named. Connects to nothing yet.
    pub(super) fn new(config: &MailConfig) -> Result<Option<Self>> {
        let Some(host) = &config.smtp_host else { return Ok(None) };
        let tls = match config.smtp_security {
            MailSecurity::Starttls => Tls::Required(tls(config, host)?),
            MailSecurity::Tls => Tls::Wrapper(tls(config, host)?),
            MailSecurity::None => Tls::None,
        };
        // Dangerous would be no TLS without having said so.
        let mut builder = Transport::builder_dangerous(host).port(config.smtp_port).tls(tls);
        builder = builder.timeout(Some(Duration::from_millis(config.smtp_time_ms)));
        if let (Some(login), Some(password)) = (&config.smtp_login, &config.smtp_password) {
            builder = builder.credentials(Credentials::new(login.clone(), password.expose().clone()));
        }
        let from = config.from_address.parse().map_err(|error| unusable("outbound.mail.from_address", error))?;
        Ok(Some(Self { transport: builder.build(), from }))
    }

    async fn deliver(&self, letter: &Letter<'_>) -> std::result::Result<Receipt, Refusal> {
        let key = format!("{}@{}", letter.id, self.from.domain());
        let mail = self.mail(letter, &key).map_err(|reason| Refusal::lasting(&reason))?;
        self.transport.send(mail).await.map(|_answer| Receipt { key: Some(key) }).map_err(|error| refusal(&error))
    }

    fn mail(&self, letter: &Letter<'_>, key: &str) -> std::result::Result<Mail, String> {
        let message = letter.message;
        let recipient: Address = letter.recipient.parse().map_err(|_cause| "the address cannot be written to".to_owned())?;
        let builder = Mail::builder()
            .message_id(Some(format!("<{key}>")))
            .from(Mailbox::new(Some(message.sender_name.clone()), self.from.clone()))
            .to(Mailbox::new(None, recipient))
            .subject(&message.subject);
        let built = if message.html.is_empty() {
            builder.singlepart(SinglePart::plain(message.text.clone()))
        } else {
            builder.multipart(MultiPart::alternative_plain_html(message.text.clone(), message.html.clone()))
        };
        let mut mail = built.map_err(|error| error.to_string())?;
        for (name, value) in letter.unsubscribe.into_iter().flat_map(unsubscribe_headers) {
            // Never folded: some programs look for the address in one piece.
            mail.headers_mut().insert_raw(HeaderValue::dangerous_new_pre_encoded(
                HeaderName::new_from_ascii_str(name),
                value.clone(),
                value,
            ));
        }
        Ok(mail)
    }
}

/// Says whose certificates are believed: those of this system's authorities and of the operator's own, for the name of the server.
fn tls(config: &MailConfig, host: &str) -> Result<TlsParameters> {
    let builder = TlsParameters::builder(host.to_owned());
    let Some(file) = &config.smtp_ca_file else { return builder.build().map_err(|error| unusable("outbound.mail.smtp_host", error)) };
    let unusable = |error: &dyn std::fmt::Display| unusable("outbound.mail.smtp_ca_file", error);
    let pem = std::fs::read(file).map_err(|error| unusable(&error))?;
    let authorities = Certificate::from_pem(&pem).map_err(|error| unusable(&error))?;
    builder.add_root_certificate(authorities).build().map_err(|error| unusable(&error))
}

impl Sender for Smtp {
    fn name(&self) -> &'static str {
        "smtp"
    }

    fn send<'a>(&'a self, letter: &'a Letter<'_>) -> BoxFuture<'a, std::result::Result<Receipt, Refusal>> {
        self.deliver(letter).boxed()
    }
}

/// What mail programs make a button of: RFC 2369 and RFC 8058.
pub(super) fn unsubscribe_headers(url: &str) -> [(&'static str, String); 2] {
    [("List-Unsubscribe", format!("<{url}>")), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned())]
}

fn refusal(error: &SmtpError) -> Refusal {
    let said = error.to_string();
    let Some(code) = error.status() else {
        // Not reached, or not understood.
        return Refusal::new(Fault::Provider(None), &said).coded("unreachable");
    };
    let enhanced = enhanced_status(&said);
    let fault = match (error.is_permanent(), enhanced) {
        // No such mailbox, moved, none of that kind, or switched off.
        (true, Some("5.1.1" | "5.1.2" | "5.1.3" | "5.1.6" | "5.1.10" | "5.2.1")) => Fault::Recipient(Lasting::Bounce),
        // It lets nobody in, or not us.
        (true, _) if matches!(u16::from(code), 530 | 534 | 535 | 538) => Fault::Provider(None),
        (true, _) => Fault::Message,
        (false, _) if u16::from(code) == 421 => Fault::Provider(None),
        (false, _) => Fault::Passing(None),
    };
    Refusal::new(fault, &said).coded(enhanced.map_or_else(|| code.to_string(), str::to_owned))
}

/// Finds a status of RFC 3463 in what a server said.
fn enhanced_status(said: &str) -> Option<&str> {
    said.split(|c: char| !(c.is_ascii_digit() || c == '.')).find(|word| {
        let parts: Vec<&str> = word.split('.').collect();
        let [class, subject, detail] = parts.as_slice() else { return false };
        matches!(*class, "4" | "5") && [subject, detail].iter().all(|part| (1..=3).contains(&part.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_found_in_what_a_server_says() {
        assert_eq!(enhanced_status("permanent error (550): 5.1.1 <a@b.c>: no such user"), Some("5.1.1"));
        assert_eq!(enhanced_status("permanent error (550): nobody of that name"), None);
        assert_eq!(enhanced_status("transient error (450): host 10.1.2.3 4.7.1 later"), Some("4.7.1"));
        assert_eq!(enhanced_status("permanent error (554): blocked, see 5.7.1.example"), None);
    }
}
