//! One listener, and one task for each of its connections.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio_io_timeout::TimeoutStream;

use super::drain::{Drain, Draining};
use super::tls::{self, Certificate, Tls};
use crate::payload::Payload;

/// Limits on connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Open at the same time.
    pub max_connections: usize,
    /// From the beginning of a connection to the head of its first request, and over HTTP/1.1 from an answer to the next head.
    pub header_timeout: Duration,
    /// Bytes of a request's head, 8 KiB at least.
    pub max_header_bytes: usize,
    /// Until a caller that does not read takes the next piece of an answer.
    pub write_stall: Duration,
}

impl Default for ConnectionLimits {
    /// 10,000 connections, which two descriptors each keep below common limits; 10 s for a head of 64 KiB; 60 s for a
    /// reader that stalls.
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            header_timeout: Duration::from_secs(10),
            max_header_bytes: 64 << 10,
            write_stall: Duration::from_secs(60),
        }
    }
}

/// hyper holds no less of a head over HTTP/1.1.
const MIN_HEADER_BYTES: usize = 8 << 10;

/// A connection that comes while draining is told so in answer to its first request, for which it has this long.
const LAST_WORD: Duration = Duration::from_secs(1);

/// After a failed accept (out of descriptors, mostly) the listener waits a little rather than spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `listener` for as long as the task lives, with TLS where there is an acceptor.
pub async fn serve<H, F>(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    limits: ConnectionLimits,
    drain: Arc<Drain>,
    handler: H,
) where
    H: Fn(SocketAddr, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Payload>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits.max_connections));
    let builder = builder(&limits);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let draining = drain.watch();
        let handler = handler.clone();
        let builder = builder.clone();
        let tls = tls.clone();
        tokio::spawn(async move {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY could not be set");
            }
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(limits.write_stall));
            let stream = Box::pin(stream);
            match tls {
                None => {
                    connection(stream, peer, None, builder, limits.header_timeout, draining, handler).await;
                }
                Some(tls) => match tokio::time::timeout(limits.header_timeout, tls.acceptor().accept(stream))
                    .await
                {
                    Ok(Ok(stream)) => {
                        let shown = tls::certificate(&stream);
                        connection(stream, peer, shown, builder, limits.header_timeout, draining, handler)
                            .await;
                    }
                    _ => tracing::debug!(%peer, "a TLS handshake failed"),
                },
            }
            drop(place);
        });
    }
}

fn builder(limits: &ConnectionLimits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.max_header_bytes.max(MIN_HEADER_BYTES));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(256)
        .max_pending_accept_reset_streams(32)
        .max_local_error_reset_streams(256)
        .keep_alive_interval(Duration::from_secs(30));
    builder
}

/// Requests under way on one connection. A connection is told to close only when there are none: an answer whose head goes
/// out after that would carry `Connection: close`, which hides a broken stream from some clients.
#[derive(Default)]
struct Load {
    /// Whether there has ever been one.
    any: AtomicBool,
    requests: AtomicUsize,
    idle: Notify,
}

struct UnderWay(Arc<Load>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        if self.0.requests.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

impl Load {
    fn begin(self: &Arc<Self>) -> UnderWay {
        self.any.store(true, Ordering::Release);
        self.requests.fetch_add(1, Ordering::AcqRel);
        UnderWay(Arc::clone(self))
    }

    async fn rests(&self) {
        loop {
            let idle = self.idle.notified();
            if self.requests.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }
}

/// Ends for a connection without a first request after `limit`, never for any other. hyper's own limit begins only when it is
/// clear which HTTP is spoken, for which a silent caller could make it wait for ever.
async fn silence(load: &Load, limit: Duration) {
    tokio::time::sleep(limit).await;
    if load.any.load(Ordering::Acquire) {
        std::future::pending().await
    }
}

/// Waits until the drain has begun and no request is under way.
async fn rest(draining: &mut Draining, load: &Load) {
    let answered = load.idle.notified();
    if draining.has_begun() {
        let _ = tokio::time::timeout(LAST_WORD, answered).await;
    } else {
        draining.begun().await;
    }
    load.rests().await;
}

async fn connection<S, H, F>(
    stream: S,
    peer: SocketAddr,
    shown: Option<Certificate>,
    builder: auto::Builder<TokioExecutor>,
    header_timeout: Duration,
    mut draining: Draining,
    handler: H,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(SocketAddr, Request<Incoming>) -> F,
    F: Future<Output = Response<Payload>> + Send + 'static,
{
    let load = Arc::new(Load::default());
    let service = service_fn(|mut request: Request<Incoming>| {
        if let Some(certificate) = shown {
            request.extensions_mut().insert(certificate);
        }
        let under_way = load.begin();
        // hyper moves what it polls, and this is thousands of bytes.
        let answer = Box::pin(handler(peer, request));
        async move { Ok::<_, Infallible>(answer.await.map(|body| body.guarded(under_way))) }
    });
    let mut serving = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = rest(&mut draining, &load) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
        () = silence(&load, header_timeout) => {
            return tracing::debug!(%peer, "a connection without a request was closed");
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, %peer, "a connection ended with an error");
    }
}
