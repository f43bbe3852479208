//! Mail over SMTP.

use std::time::Duration;

use kernel::Result;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor};

use super::{Letter, Refusal, unusable};
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
        let builder = match config.smtp_security {
            MailSecurity::Starttls => Transport::starttls_relay(host),
            MailSecurity::Tls => Transport::relay(host),
            MailSecurity::None => Ok(Transport::builder_dangerous(host)),
        };
        let mut builder = builder.map_err(|error| unusable("outbound.mail.smtp_host", error))?.port(config.smtp_port);
        builder = builder.timeout(Some(Duration::from_millis(config.smtp_time_ms)));
        if let (Some(login), Some(password)) = (&config.smtp_login, &config.smtp_password) {
            builder = builder.credentials(Credentials::new(login.clone(), password.expose().clone()));
        }
        let from = config.from_address.parse().map_err(|error| unusable("outbound.mail.from_address", error))?;
        Ok(Some(Self { transport: builder.build(), from }))
    }

    pub(super) async fn send(&self, letter: &Letter<'_>) -> std::result::Result<(), Refusal> {
        let mail = self.mail(letter).map_err(|reason| Refusal::lasting(&reason))?;
        match self.transport.send(mail).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(Refusal::lasting(&error)),
            Err(error) => Err(Refusal::passing(&error)),
        }
    }

    fn mail(&self, letter: &Letter<'_>) -> std::result::Result<Mail, String> {
        let message = letter.message;
        let recipient: Address = letter.recipient.parse().map_err(|_cause| "the address cannot be written to".to_owned())?;
        let builder = Mail::builder()
            .from(Mailbox::new(Some(message.sender_name.clone()), self.from.clone()))
            .to(Mailbox::new(None, recipient))
            .subject(&message.subject);
        let built = if message.html.is_empty() {
            builder.singlepart(SinglePart::plain(message.text.clone()))
        } else {
            builder.multipart(MultiPart::alternative_plain_html(message.text.clone(), message.html.clone()))
        };
        built.map_err(|error| error.to_string())
    }
}
