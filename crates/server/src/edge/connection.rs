//! One connection, from the TLS handshake to the last byte of the last answer.
//!
//! Invariant: in every phase something ends it: a limit of [`Pace`], the client, the stop of the server.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::Shared;
use super::pace::{Pace, Paced, Verdict};
use crate::acme::VALIDATION;
use crate::config::Limits;

/// Streams that a client may have open on one HTTP/2 connection.
const STREAMS_MAX: u32 = 250;
/// The HTTP library refuses headers without a body to explain; it only sees those that are far over the limit.
const HEADER_SLACK: usize = 4;

/// Serves a connection to its end.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "TCP_NODELAY could not be set");
    }
    let Some(tls) = &shared.tls else {
        return Box::pin(http(stream, peer, &shared)).await;
    };
    let limit = Duration::from_millis(shared.limits.header_time_ms);
    let handshake = tokio::time::timeout(limit, tls.acceptor().accept(stream));
    let greeted = tokio::select! {
        () = shared.stop.cancelled() => return,
        greeted = handshake => greeted,
    };
    match greeted {
        // The directory has seen the answer that is in the handshake: it wants nothing more, and gets nothing (RFC 8737, section 3).
        Ok(Ok(mut stream)) if stream.get_ref().1.alpn_protocol() == Some(VALIDATION) => {
            let closed = stream.shutdown().await.is_ok();
            tracing::debug!(%peer, closed, "a name was validated");
        }
        Ok(Ok(stream)) => Box::pin(http(stream, peer, &shared)).await,
        Ok(Err(error)) => tracing::debug!(%error, %peer, "the TLS handshake failed"),
        Err(_elapsed) => tracing::debug!(%peer, "the TLS handshake took too long"),
    }
}

/// Serves a connection over a socket in the file system: whoever may open it is on this machine, and needs no TLS.
pub(super) async fn serve_unix(stream: UnixStream, shared: Arc<Shared>) {
    Box::pin(http(stream, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), &shared)).await;
}

async fn http<S>(stream: S, peer: SocketAddr, shared: &Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pace = Arc::new(Pace::new(&shared.limits));
    let service = {
        let (pace, pipeline) = (Arc::clone(&pace), Arc::clone(&shared.pipeline));
        service_fn(move |request: Request<Incoming>| {
            let (in_flight, pipeline) = (pace.begin(request.version()), Arc::clone(&pipeline));
            async move { Ok::<_, Infallible>(pipeline.answer(request, peer).await.map(|body| in_flight.until_sent(body))) }
        })
    };
    let builder = builder(&shared.limits);
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(Paced::new(stream, Arc::clone(&pace))), service));
    let mut closing = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, %peer, "the connection broke");
                }
                return;
            }
            () = shared.kill.cancelled() => return,
            () = shared.stop.cancelled(), if !closing => {
                closing = true;
                connection.as_mut().graceful_shutdown();
            }
            () = tokio::time::sleep_until(pace.next_look()) => match pace.verdict() {
                Verdict::Fine => {}
                Verdict::Idle if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
                verdict => {
                    tracing::debug!(?verdict, %peer, "the connection was closed");
                    return;
                }
            },
        }
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let header_bytes = limits.header_bytes_max.saturating_mul(HEADER_SLACK).max(8192);
    // Pace watches the clock for both protocols.
    builder.http1().header_read_timeout(None).max_buf_size(header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_header_list_size(u32::try_from(header_bytes).unwrap_or(u32::MAX));
    builder
}
