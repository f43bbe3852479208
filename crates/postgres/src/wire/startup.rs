//! The start of a connection: who we are, the password in the way that PostgreSQL wants it, and what it says of the session.
//!
//! Invariant: the password goes out only as PostgreSQL asked for it, and where the configuration demands that the channel is bound to the
//! server's certificate, nothing else is enough.

use std::io;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::sasl::{self, ScramSha256};
use postgres_protocol::authentication::{self};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_postgres::Config;
use tokio_postgres::config::ChannelBinding;

use super::fault::{Fault, Refusal};
use super::stream::Stream;

/// A connection whose start is over.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) stream: Stream,
    /// What was read beyond the start.
    pub(super) read: BytesMut,
    /// What a request to cancel must name: process and secret.
    pub(super) key: (i32, i32),
    pub(super) parameters: Vec<(String, String)>,
}

impl Session {
    /// Says who we are, and waits until PostgreSQL is ready. The certificate's fingerprint binds the password to it.
    pub(super) async fn start(stream: Stream, config: &Config, fingerprint: Option<Vec<u8>>, for_the_log: bool) -> Result<Self, Fault> {
        let mut talk = Talk { stream, read: BytesMut::new() };
        let user = user(config)?;
        talk.introduce(config, &user, for_the_log).await?;
        talk.authenticate(config, &user, fingerprint).await?;
        let (mut key, mut parameters) = ((0, 0), Vec::new());
        loop {
            match talk.hear().await? {
                Message::BackendKeyData(body) => key = (body.process_id(), body.secret_key()),
                Message::ParameterStatus(body) => parameters.push((body.name()?.to_owned(), body.value()?.to_owned())),
                Message::NoticeResponse(_) => {}
                Message::ReadyForQuery(_) => return Ok(Self { stream: talk.stream, read: talk.read, key, parameters }),
                _ => return Err(unexpected()),
            }
        }
    }

    /// Returns what PostgreSQL said of a parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A stream, and what was read of it and is not understood yet.
struct Talk<S> {
    stream: S,
    read: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    async fn introduce(&mut self, config: &Config, user: &str, for_the_log: bool) -> Result<(), Fault> {
        let said =
            [("database", config.get_dbname()), ("options", config.get_options()), ("application_name", config.get_application_name())];
        let said = said.into_iter().filter_map(|(name, value)| Some((name, value?)));
        // With a database it is the log as a plugin tells it; its times are those of no place.
        let log = [("replication", "database"), ("TimeZone", "UTC"), ("DateStyle", "ISO, YMD"), ("IntervalStyle", "postgres")];
        let said = said.chain(log.into_iter().filter(|_| for_the_log));
        let mut out = BytesMut::new();
        frontend::startup_message([("client_encoding", "UTF8"), ("user", user)].into_iter().chain(said), &mut out)?;
        self.say(&out).await
    }

    async fn authenticate(&mut self, config: &Config, user: &str, fingerprint: Option<Vec<u8>>) -> Result<(), Fault> {
        let must_bind = config.get_channel_binding() == ChannelBinding::Require;
        let unbound = || refused("the server does not bind the channel, which channel_binding=require demands");
        let password = || config.get_password().ok_or_else(|| refused("the server wants a password, and none is configured"));
        let mut out = BytesMut::new();
        match self.hear().await? {
            Message::AuthenticationOk | Message::AuthenticationCleartextPassword | Message::AuthenticationMd5Password(_) if must_bind => {
                return Err(unbound());
            }
            Message::AuthenticationOk => return Ok(()),
            Message::AuthenticationCleartextPassword => frontend::password_message(password()?, &mut out)?,
            Message::AuthenticationMd5Password(body) => {
                let hash = authentication::md5_hash(user.as_bytes(), password()?, body.salt());
                frontend::password_message(hash.as_bytes(), &mut out)?;
            }
            Message::AuthenticationSasl(body) => {
                let fingerprint = fingerprint.filter(|_| config.get_channel_binding() != ChannelBinding::Disable);
                let (binding, mechanism) = mechanism(&body, fingerprint)?;
                if must_bind && mechanism != sasl::SCRAM_SHA_256_PLUS {
                    return Err(unbound());
                }
                self.exchange(ScramSha256::new(password()?, binding), mechanism).await?;
            }
            _ => return Err(refused("the server wants a way of signing in that is not known here")),
        }
        if !out.is_empty() {
            self.say(&out).await?;
        }
        match self.hear().await? {
            Message::AuthenticationOk => Ok(()),
            _ => Err(unexpected()),
        }
    }

    async fn exchange(&mut self, mut scram: ScramSha256, mechanism: &str) -> Result<(), Fault> {
        let mut out = BytesMut::new();
        frontend::sasl_initial_response(mechanism, scram.message(), &mut out)?;
        self.say(&out).await?;
        let Message::AuthenticationSaslContinue(body) = self.hear().await? else { return Err(unexpected()) };
        scram.update(body.data())?;
        out.clear();
        frontend::sasl_response(scram.message(), &mut out)?;
        self.say(&out).await?;
        let Message::AuthenticationSaslFinal(body) = self.hear().await? else { return Err(unexpected()) };
        // The server must know the password, too.
        Ok(scram.finish(body.data())?)
    }

    async fn say(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    /// Returns the next message; a refusal is a fault.
    async fn hear(&mut self) -> Result<Message, Fault> {
        loop {
            match Message::parse(&mut self.read)? {
                Some(Message::ErrorResponse(body)) => return Err(Fault::Refused(Box::new(Refusal::of(&body)?))),
                Some(message) => return Ok(message),
                None if self.stream.read_buf(&mut self.read).await? == 0 => return Err(Fault::ended()),
                None => {}
            }
        }
    }
}

/// Chooses the strongest way that both sides know.
fn mechanism(body: &AuthenticationSaslBody, fingerprint: Option<Vec<u8>>) -> Result<(sasl::ChannelBinding, &'static str), Fault> {
    let (mut has_plain, mut has_bound) = (false, false);
    let mut offered = body.mechanisms();
    while let Some(mechanism) = offered.next()? {
        has_plain |= mechanism == sasl::SCRAM_SHA_256;
        has_bound |= mechanism == sasl::SCRAM_SHA_256_PLUS;
    }
    match fingerprint {
        Some(fingerprint) if has_bound => Ok((sasl::ChannelBinding::tls_server_end_point(fingerprint), sasl::SCRAM_SHA_256_PLUS)),
        // Said so that nobody between us can take the offer away unseen.
        Some(_) if has_plain => Ok((sasl::ChannelBinding::unrequested(), sasl::SCRAM_SHA_256)),
        None if has_plain => Ok((sasl::ChannelBinding::unsupported(), sasl::SCRAM_SHA_256)),
        _ => Err(refused("the server offers no SASL mechanism that is known here")),
    }
}

/// Whoever runs the process, where the configuration names nobody.
fn user(config: &Config) -> Result<String, Fault> {
    if let Some(user) = config.get_user() {
        return Ok(user.to_owned());
    }
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).map_err(io::Error::from)?;
    user.map(|user| user.name).ok_or_else(|| refused("no user is configured, and the process's own has no name"))
}

fn refused(what: &'static str) -> Fault {
    Fault::Broken(io::Error::new(io::ErrorKind::PermissionDenied, what))
}

fn unexpected() -> Fault {
    Fault::Broken(io::Error::new(io::ErrorKind::InvalidData, "the server said something that does not belong to a start"))
}
