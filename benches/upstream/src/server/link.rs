//! A connection's socket, and the means to break it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::record::Recorder;

const WHOLE: u8 = 0;
const CLOSED: u8 = 1;
const RESET: u8 = 2;

/// What a request can do to the connection that carries it.
#[derive(Debug)]
pub(crate) struct Link {
    id: u64,
    state: AtomicU8,
    broken: Notify,
    recorder: Arc<Recorder>,
}

impl Link {
    /// The link of a connection just accepted, which is counted as open until its socket is dropped.
    pub(crate) fn new(recorder: Arc<Recorder>) -> Arc<Self> {
        let id = recorder.open_connection();
        Arc::new(Self { id, state: AtomicU8::new(WHOLE), broken: Notify::new(), recorder })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Ends the connection with FIN, without another byte.
    pub(crate) fn close(&self) {
        self.break_as(CLOSED);
    }

    /// Ends the connection with RST.
    pub(crate) fn reset(&self) {
        self.break_as(RESET);
    }

    /// Ready once the link is broken.
    pub(crate) async fn broken(&self) {
        self.broken.notified().await;
    }

    fn break_as(&self, state: u8) {
        self.state.store(state, Ordering::Release);
        self.broken.notify_one();
    }

    fn check(&self) -> io::Result<()> {
        match self.state.load(Ordering::Acquire) {
            WHOLE => Ok(()),
            _ => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}

/// The socket. Nothing more is written once its link is broken.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TokioIo<TcpStream>,
    link: Arc<Link>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, link: Arc<Link>) -> Self {
        Self { stream: TokioIo::new(stream), link }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.link.state.load(Ordering::Acquire) == RESET {
            // A linger time of zero makes the kernel send RST in place of FIN.
            let _ = self.stream.inner().set_zero_linger();
        }
        self.link.recorder.close_connection();
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.link.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.check()?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.link.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}
