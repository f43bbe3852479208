//! Mail servers that speak TLS, with certificates of the test's own: who is believed, and what is never said to anybody else.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kernel::Secret;
use outbound::config::MailSecurity;
use outbound::{Channel, OutboundConfig, Pass};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs};

use crate::post::Post;

const SENT: Pass = Pass { sent: 1, again: 0, failed: 0 };
const AGAIN: Pass = Pass { sent: 0, again: 1, failed: 0 };
const LOGIN: &str = "thorbis";
const PASSWORD: &str = "hunter2-of-the-mail-server";
/// What PLAIN makes of both (RFC 4616).
const PROOF: &str = "AHRob3JiaXMAaHVudGVyMi1vZi10aGUtbWFpbC1zZXJ2ZXI=";

/// An authority of the test's own.
struct Issuer {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Issuer {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Makes what a server of this name proves itself with.
    fn server(&self, name: &str, shape: impl FnOnce(&mut CertificateParams)) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        shape(&mut params);
        let certificate = CertificateDer::from(params.signed_by(&key, &self.issuer).unwrap().der().to_vec());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// How a server begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ways {
    /// In plain, and with TLS when told to.
    Upgraded,
    /// With TLS.
    Wrapped,
    /// In plain, and knows nothing else.
    Plain,
    /// In plain: it says that it can TLS, and then that it cannot now.
    Unwilling,
}

/// What a server heard: whole lines, in plain and under TLS, and mails.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Ears>>);

#[derive(Clone, Default)]
struct Ears {
    plain: Vec<String>,
    secret: Vec<String>,
    mails: Vec<String>,
}

impl Heard {
    fn take(&self) -> Ears {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A mail server on a free port that takes mail of whoever proves himself, as RFC 5321, 3207 and 4954 have it.
async fn server(way: Ways, acceptor: TlsAcceptor) -> (u16, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, heard) = (listener.local_addr().unwrap().port(), Heard::default());
    let kept = heard.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, heard) = (acceptor.clone(), kept.clone());
            // Whoever hangs up early has said what he wanted to.
            tokio::spawn(async move { drop(serve(way, stream, &acceptor, &heard).await) });
        }
    });
    (port, heard)
}

async fn serve(way: Ways, stream: TcpStream, acceptor: &TlsAcceptor, heard: &Heard) -> std::io::Result<()> {
    if way == Ways::Wrapped {
        return converse(Session { stream: BufStream::new(acceptor.accept(stream).await?), heard, is_secret: true, can: None }, true)
            .await
            .map(drop);
    }
    let can = match way {
        Ways::Upgraded => Some("220 go on"),
        Ways::Unwilling => Some("454 not now"),
        Ways::Wrapped | Ways::Plain => None,
    };
    let session = Session { stream: BufStream::new(stream), heard, is_secret: false, can };
    if let Some(stream) = converse(session, true).await? {
        let stream = acceptor.accept(stream.into_inner()).await?;
        converse(Session { stream: BufStream::new(stream), heard, is_secret: true, can: None }, false).await?;
    }
    Ok(())
}

struct Session<'a, S: AsyncRead + AsyncWrite> {
    stream: BufStream<S>,
    heard: &'a Heard,
    is_secret: bool,
    /// What STARTTLS is answered.
    can: Option<&'static str>,
}

/// Answers until the client goes, or wants TLS: then it returns the stream.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut session: Session<'_, S>, greets: bool) -> std::io::Result<Option<BufStream<S>>> {
    if greets {
        session.say("220 mail.example ESMTP").await?;
    }
    let mut is_proved = false;
    while let Some(line) = session.line().await? {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" if session.can.is_some() => "250-mail.example\r\n250 STARTTLS",
            "EHLO" => "250-mail.example\r\n250 AUTH PLAIN",
            "STARTTLS" => {
                let answer = session.can.unwrap_or("502 not known");
                session.say(answer).await?;
                if answer.starts_with("220") {
                    return Ok(Some(session.stream));
                }
                continue;
            }
            "AUTH" if line == format!("AUTH PLAIN {PROOF}") => {
                is_proved = true;
                "235 welcome"
            }
            "AUTH" => "535 5.7.8 wrong",
            "MAIL" if !is_proved => "530 5.7.0 prove yourself first",
            "DATA" => {
                session.say("354 go on").await?;
                let mut text = String::new();
                while let Some(line) = session.line().await?.filter(|line| line != ".") {
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                    text.push('\n');
                }
                session.heard.0.lock().unwrap().mails.push(text);
                "250 taken"
            }
            "QUIT" => {
                session.say("221 bye").await?;
                break;
            }
            _ => "250 fine",
        };
        session.say(answer).await?;
    }
    Ok(None)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<'_, S> {
    async fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let mut ears = self.heard.0.lock().unwrap();
        if self.is_secret {
            ears.secret.push(line.clone());
        } else {
            ears.plain.push(line.clone());
        }
        Ok(Some(line))
    }

    async fn say(&mut self, line: &str) -> std::io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }
}

fn config(port: u16, security: MailSecurity, authority: Option<&Issuer>) -> OutboundConfig {
    let mut config = OutboundConfig::default();
    config.mail.smtp_host = Some("127.0.0.1".to_owned());
    config.mail.smtp_port = port;
    config.mail.smtp_security = security;
    config.mail.smtp_ca_file = authority.map(Issuer::file);
    config.mail.smtp_login = Some(LOGIN.to_owned());
    config.mail.smtp_password = Some(Secret::new(PASSWORD.to_owned()));
    config.mail.smtp_time_ms = 20_000;
    config.mail.from_address = "no-reply@baker.example".to_owned();
    config
}

/// Sends one mail, and returns what came of it.
async fn sent(config: OutboundConfig) -> (Pass, Post) {
    let post = Post::new(config).await;
    post.put(Channel::Mail, "ann@example.com").await.unwrap();
    (post.pass().await, post)
}

/// What was heard says nothing that the mail or the login is.
#[track_caller]
fn silent(what: &str, ears: &Ears) {
    let all = [&ears.plain[..], &ears.secret[..]].concat().join("\n");
    assert!(ears.mails.is_empty(), "{what}: {:?}", ears.mails);
    for word in ["AUTH", "MAIL", "RCPT", PROOF, PASSWORD, LOGIN, "ann@example.com"] {
        assert!(!all.contains(word), "{what}: {word} in {all}");
    }
}

#[tokio::test]
async fn a_mail_goes_over_tls_from_the_first_byte_or_after_starttls() {
    let issuer = Issuer::new();
    for (way, security) in [(Ways::Upgraded, MailSecurity::Starttls), (Ways::Wrapped, MailSecurity::Tls)] {
        let (port, heard) = server(way, issuer.server("127.0.0.1", |_| ())).await;
        let (came, office) = sent(config(port, security, Some(&issuer))).await;
        assert_eq!(came, SENT);
        let ears = heard.take();
        assert_eq!(ears.mails.len(), 1);
        assert!(ears.mails[0].contains("The code is 481516"), "{}", ears.mails[0]);
        assert!(ears.secret.contains(&format!("AUTH PLAIN {PROOF}")), "{:?}", ears.secret);
        // In plain there is the greeting and the wish, and nothing where TLS is first.
        let verbs: Vec<&str> = ears.plain.iter().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(verbs, if way == Ways::Upgraded { vec!["EHLO", "STARTTLS"] } else { vec![] });
        assert_eq!(office.ask("select string_agg(a.outcome, ' ') from app.message_attempts a").await, "accepted");
    }
}

#[tokio::test]
async fn whom_nobody_vouches_for_is_told_nothing() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let over = |params: &mut CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    };
    for (way, security) in [(Ways::Upgraded, MailSecurity::Starttls), (Ways::Wrapped, MailSecurity::Tls)] {
        let servers = [
            ("of an authority that is not ours", other.server("127.0.0.1", |_| ()), Some(&issuer)),
            ("of an authority that this system does not know", issuer.server("127.0.0.1", |_| ()), None),
            ("for another name", issuer.server("mail.example.com", |_| ()), Some(&issuer)),
            ("over", issuer.server("127.0.0.1", over), Some(&issuer)),
        ];
        for (what, acceptor, believed) in servers {
            let (port, heard) = server(way, acceptor).await;
            let (came, office) = sent(config(port, security, believed)).await;
            assert_eq!(came, AGAIN, "{what}");
            silent(what, &heard.take());
            let said = office.ask("select string_agg(concat_ws(' ', o.error, (select string_agg(a::text, ' ') from app.message_attempts a)), '') from app.outbox o");
            let said = said.await;
            assert!(said.contains("unreachable") && !said.contains(PASSWORD) && !said.contains(PROOF), "{what}: {said}");
        }
    }
}

#[tokio::test]
async fn where_tls_is_demanded_nothing_is_said_in_plain() {
    let issuer = Issuer::new();
    for (what, way, security) in [
        ("knows no STARTTLS", Ways::Plain, MailSecurity::Starttls),
        ("takes its offer back", Ways::Unwilling, MailSecurity::Starttls),
        ("speaks plain where TLS is first", Ways::Plain, MailSecurity::Tls),
        ("waits for STARTTLS where TLS is first", Ways::Upgraded, MailSecurity::Tls),
    ] {
        let (port, heard) = server(way, issuer.server("127.0.0.1", |_| ())).await;
        let (came, _) = sent(config(port, security, Some(&issuer))).await;
        assert_eq!(came, AGAIN, "{what}");
        silent(what, &heard.take());
    }
}

#[tokio::test]
async fn a_login_that_is_wrong_or_would_be_read_by_others_is_refused() {
    let issuer = Issuer::new();
    let (port, heard) = server(Ways::Upgraded, issuer.server("127.0.0.1", |_| ())).await;
    let mut wrong = config(port, MailSecurity::Starttls, Some(&issuer));
    wrong.mail.smtp_password = Some(Secret::new("another".to_owned()));
    let (came, office) = sent(wrong).await;
    assert_eq!(came, AGAIN, "it is ours to mend, and the mail waits");
    assert!(heard.take().mails.is_empty());
    assert_eq!(office.ask("select a.code from app.message_attempts a").await, "5.7.8");

    // The settings themselves are refused where the password would go in plain, and where there is no such file.
    let faults = config(port, MailSecurity::None, None).faults();
    assert_eq!(faults.iter().map(|(key, _)| *key).collect::<Vec<_>>(), ["mail.smtp_login"]);
    let mut lost = config(port, MailSecurity::Tls, None);
    lost.mail.smtp_ca_file = Some("/nowhere/ca.pem".into());
    assert!(tokio::time::timeout(Duration::from_secs(30), refused(lost)).await.unwrap().contains("outbound.mail.smtp_ca_file"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n").unwrap();
    let mut none = config(port, MailSecurity::Tls, None);
    none.mail.smtp_ca_file = Some(folder.path().join("ca.pem"));
    assert!(refused(none).await.contains("outbound.mail.smtp_ca_file"));
}

/// Returns why a server does not start with these settings.
async fn refused(config: OutboundConfig) -> String {
    let db = testkit::Db::new().await;
    let error = Post::try_on(db, config).err().unwrap();
    std::error::Error::source(&error).unwrap().to_string()
}
