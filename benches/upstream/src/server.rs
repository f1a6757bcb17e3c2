//! The listener and its connections.

pub(crate) mod link;

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::handler;
use crate::provider::Provider;
use link::{Link, Socket};

/// Connections that wait to be accepted; what the standard library asks for is 128, too few for a burst of
/// a thousand callers.
const BACKLOG: u32 = 4_096;
/// Streams that one HTTP/2 connection may carry at once, above any test's burst.
const MAX_STREAMS: u32 = 4_096;
/// How long answers may take to finish once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// What the server is doing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Phase {
    Serving,
    /// Not listening, until then or until told otherwise.
    Refusing {
        until: Option<Instant>,
    },
    /// Answering what has arrived, and no more.
    Draining,
    /// Gone, as a killed process is.
    Killed,
}

impl Phase {
    /// Turns to the next phase unless it is too late for that; says whether anything changed.
    pub(crate) fn turn(&mut self, next: Self) -> bool {
        let turns = match self {
            Self::Serving | Self::Refusing { .. } => *self != next,
            Self::Draining => next == Self::Killed,
            Self::Killed => false,
        };
        if turns {
            *self = next;
        }
        turns
    }

    fn is_last(&self) -> bool {
        matches!(self, Self::Draining | Self::Killed)
    }
}

/// Opens a listener on an address.
pub(crate) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    hold(addr)?.listen(BACKLOG)
}

/// Takes an address without listening on it: connections are refused, and nobody else gets the port.
fn hold(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

/// Serves until the phase says otherwise; `listening` tells whether connections are taken.
///
/// # Errors
///
/// The port could not be taken back after a pause.
pub(crate) async fn run(
    mut listener: TcpListener,
    provider: Arc<Provider>,
    listening: watch::Sender<bool>,
) -> io::Result<()> {
    let mut phase = provider.phase.subscribe();
    let mut connections = JoinSet::new();
    loop {
        let now = *phase.borrow_and_update();
        match now {
            Phase::Serving => serve(&listener, &provider, &mut phase, &mut connections).await,
            Phase::Refusing { until } => {
                let addr = listener.local_addr()?;
                drop(listener);
                connections.shutdown().await;
                let held = hold(addr)?;
                listening.send_replace(false);
                refuse(until, &provider, &mut phase).await;
                listener = held.listen(BACKLOG)?;
                listening.send_replace(true);
            }
            Phase::Draining => {
                drop(listener);
                let _ = timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
                return Ok(());
            }
            Phase::Killed => return Ok(()),
        }
    }
}

/// Accepts connections until the phase changes.
async fn serve(
    listener: &TcpListener,
    provider: &Arc<Provider>,
    phase: &mut watch::Receiver<Phase>,
    connections: &mut JoinSet<()>,
) {
    loop {
        tokio::select! {
            biased;
            _ = phase.changed() => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => accept(stream, provider, connections),
                // Out of descriptors, most likely: leave the others the time to free some.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
}

fn accept(stream: TcpStream, provider: &Arc<Provider>, connections: &mut JoinSet<()>) {
    let link = Link::new(provider.recorder.clone());
    if provider.script.draw_connection() {
        link.reset();
        drop(Socket::new(stream, link));
        return;
    }
    connections.spawn(converse(stream, link, provider.clone()));
}

/// One connection, HTTP/1.1 or HTTP/2, from accept to close.
async fn converse(stream: TcpStream, link: Arc<Link>, provider: Arc<Provider>) {
    // A first token must not wait for the acknowledgement of the headers.
    let _ = stream.set_nodelay(true);
    let mut phase = provider.phase.subscribe();
    let served = link.clone();
    let service = service_fn(move |request| handler::handle(provider.clone(), served.clone(), request));
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http2().max_concurrent_streams(MAX_STREAMS);
    let mut connection = pin!(http.serve_connection(Socket::new(stream, link.clone()), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = link.broken() => return,
        _ = phase.wait_for(Phase::is_last) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Waits until the pause is over, and ends it if nobody else has.
async fn refuse(until: Option<Instant>, provider: &Provider, phase: &mut watch::Receiver<Phase>) {
    tokio::select! {
        _ = phase.changed() => {}
        () = sleep_or_not(until) => {
            let over = Phase::Refusing { until };
            provider.phase.send_if_modified(|now| *now == over && now.turn(Phase::Serving));
        }
    }
}

async fn sleep_or_not(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => pending().await,
    }
}
