//! What is no request: the encryption itself, a socket, and a channel of the company.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::{Host, Url};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::caller::Caller;
use super::company::Session;
use super::{Fault, Seen, Wanted, wrong};

/// A certificate that ends sooner is told of: whoever renews it has failed more than once by then.
const DAYS_MIN: u64 = 7;
/// Bytes of one message.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Messages that may come before the one that is waited for.
const MESSAGES_MAX: usize = 50;

/// What a socket is spoken over.
trait Way: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Way for T {}

type Socket = WebSocketStream<Box<dyn Way>>;

fn broken(error: impl std::fmt::Display) -> Fault {
    Fault::Wrong(error.to_string())
}

/// Looks at the encryption of the address.
pub(super) async fn tls(wanted: &Wanted) -> Seen {
    if wanted.url.scheme() != "https" {
        return match wanted.url.host() {
            Some(Host::Domain("localhost")) => Err(Fault::Nothing("this machine's own address")),
            Some(Host::Ipv4(ip)) if ip.is_loopback() => Err(Fault::Nothing("this machine's own address")),
            Some(Host::Ipv6(ip)) if ip.is_loopback() => Err(Fault::Nothing("this machine's own address")),
            _ if wanted.plain_allowed => Err(Fault::Nothing("none is wanted")),
            _ => wrong("passwords and tokens travel in the clear; --plain says that this is right"),
        };
    }
    let stream = tokio::time::timeout(wanted.time, encrypted(&wanted.url)).await.map_err(late)??;
    let (_, connection) = stream.get_ref();
    let version = connection.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default();
    let leaf = connection.peer_certificates().and_then(<[_]>::first).ok_or_else(|| broken("no certificate was shown"))?;
    let certificate = Certificate::from_der(leaf).map_err(|error| broken(format!("the certificate cannot be read: {error}")))?;
    let until = certificate.tbs_certificate.validity.not_after.to_system_time();
    let left = until.duration_since(std::time::SystemTime::now()).map_or(0, |left| left.as_secs() / 86_400);
    if left < DAYS_MIN {
        wrong(format!("the certificate ends in {left} days"))
    } else {
        Ok(format!("{version}, the certificate holds for {left} days"))
    }
}

/// Opens a socket and has a heartbeat answered.
pub(super) async fn answers(caller: &Caller, wanted: &Wanted) -> Seen {
    let work = async {
        let mut socket = open(caller, wanted).await?;
        say(&mut socket, &json!([null, "1", "phoenix", "heartbeat", {}])).await?;
        let answer = hear(&mut socket, |frame| frame.get(1) == Some(&json!("1"))).await?;
        let _closed = socket.close(None).await.is_ok();
        if answer.pointer("/4/status") == Some(&json!("ok")) {
            Ok("open, and a heartbeat answered".to_owned())
        } else {
            wrong("a heartbeat is not answered")
        }
    };
    tokio::time::timeout(caller.time(), work).await.map_err(late)?
}

/// Joins a private channel of the company, says something there and hears it.
pub(super) async fn channel(caller: &Caller, wanted: &Wanted, session: &Session) -> Seen {
    let topic = format!("realtime:company:{}:smoke", session.company()?);
    let config = json!({ "private": true, "broadcast": { "self": true, "ack": true } });
    let work = async {
        let mut socket = open(caller, wanted).await?;
        say(&mut socket, &json!(["1", "1", topic, "phx_join", { "config": config, "access_token": session.token() }])).await?;
        let joined = hear(&mut socket, |frame| frame.get(3) == Some(&json!("phx_reply"))).await?;
        if joined.pointer("/4/status") != Some(&json!("ok")) {
            let why = joined.pointer("/4/response/reason").and_then(Value::as_str).unwrap_or("no reason is told");
            return wrong(format!("the channel is not joined: {why}"));
        }
        let payload = json!({ "type": "broadcast", "event": "smoke", "payload": { "from": "thorbis smoke" } });
        say(&mut socket, &json!(["1", "2", topic, "broadcast", payload])).await?;
        hear(&mut socket, |frame| frame.get(3) == Some(&json!("broadcast"))).await?;
        let _closed = socket.close(None).await.is_ok();
        Ok("joined, and a message came back".to_owned())
    };
    tokio::time::timeout(caller.time(), work).await.map_err(late)?
}

fn late(_: Elapsed) -> Fault {
    Fault::Wrong("no answer in time".to_owned())
}

async fn open(caller: &Caller, wanted: &Wanted) -> Result<Socket, Fault> {
    let mut url = caller.address("/realtime/v1/websocket")?;
    url.query_pairs_mut().append_pair("apikey", caller.anon_key()?).append_pair("vsn", "2.0.0");
    let secure = wanted.url.scheme() == "https";
    let stream: Box<dyn Way> = if secure { Box::new(encrypted(&url).await?) } else { Box::new(plain(&url).await?) };
    url.set_scheme(if secure { "wss" } else { "ws" }).map_err(|()| broken("the address has another scheme"))?;
    let bounds = WebSocketConfig::default().max_message_size(Some(MESSAGE_BYTES_MAX)).max_frame_size(Some(MESSAGE_BYTES_MAX));
    let opened = client_async_with_config(url.as_str(), stream, Some(bounds)).await;
    // An error may repeat the address, which has the key in it.
    let (socket, _) = opened.map_err(|error| match error {
        tokio_tungstenite::tungstenite::Error::Http(answer) => broken(format!("a socket is answered {}", answer.status().as_u16())),
        _ => broken("no socket is opened at /realtime/v1/websocket; a proxy in front has to let upgrades pass"),
    })?;
    Ok(socket)
}

async fn say(socket: &mut Socket, frame: &Value) -> Result<(), Fault> {
    socket.send(Message::Text(frame.to_string().into())).await.map_err(broken)
}

/// Returns the first frame that is meant.
async fn hear(socket: &mut Socket, meant: impl Fn(&Value) -> bool) -> Result<Value, Fault> {
    for _ in 0..MESSAGES_MAX {
        let message = socket.next().await.ok_or_else(|| broken("the socket was closed"))?.map_err(broken)?;
        if let Message::Text(text) = message
            && let Ok(frame) = serde_json::from_str::<Value>(&text)
            && meant(&frame)
        {
            return Ok(frame);
        }
    }
    wrong("what was waited for does not come")
}

async fn plain(url: &Url) -> Result<TcpStream, Fault> {
    let port = url.port_or_known_default().unwrap_or(80);
    let connected = match url.host() {
        Some(Host::Domain(name)) => TcpStream::connect((name, port)).await,
        Some(Host::Ipv4(ip)) => TcpStream::connect((ip, port)).await,
        Some(Host::Ipv6(ip)) => TcpStream::connect((ip, port)).await,
        None => return wrong("the address has no host"),
    };
    connected.map_err(broken)
}

async fn encrypted(url: &Url) -> Result<TlsStream<TcpStream>, Fault> {
    let name = match url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(broken)?,
        Some(Host::Ipv4(ip)) => ServerName::from(std::net::IpAddr::from(ip)),
        Some(Host::Ipv6(ip)) => ServerName::from(std::net::IpAddr::from(ip)),
        None => return wrong("the address has no host"),
    };
    let config = outbound::tls::client().map_err(broken)?;
    TlsConnector::from(Arc::new(config)).connect(name, plain(url).await?).await.map_err(broken)
}
