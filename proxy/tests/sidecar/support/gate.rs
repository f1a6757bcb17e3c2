//! A provider that waits for the test in the middle of its answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Answers every request with the same event stream, the second part of it once the gate is open.
pub struct Gate {
    pub address: SocketAddr,
    open: watch::Sender<bool>,
    calls: Arc<AtomicU64>,
}

impl Gate {
    /// Where `first` is empty, not even the head comes before the gate is open.
    pub async fn between(first: impl Into<Vec<u8>>, rest: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, opened) = watch::channel(false);
        let calls = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&calls);
        let (first, rest) = (first.into(), rest.into());
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                tokio::spawn(answer(
                    caller,
                    first.clone(),
                    rest.clone(),
                    opened.clone(),
                    Arc::clone(&counted),
                ));
            }
        });
        Self { address, open, calls }
    }

    pub fn open(&self) {
        self.open.send_replace(true);
    }

    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Acquire)
    }
}

/// One connection. The requests of a test are small: each comes in one piece.
async fn answer(
    mut caller: TcpStream,
    first: Vec<u8>,
    rest: Vec<u8>,
    mut opened: watch::Receiver<bool>,
    calls: Arc<AtomicU64>,
) {
    let mut request = [0; 64 << 10];
    while caller.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
        calls.fetch_add(1, Ordering::AcqRel);
        let length = first.len() + rest.len();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {length}\r\n\r\n");
        let begin = [head.as_bytes(), &first].concat();
        let (now, later) =
            if first.is_empty() { (vec![], [begin, rest.clone()].concat()) } else { (begin, rest.clone()) };
        let written = caller.write_all(&now).await;
        // The test may end, or the router leave, before the gate is open.
        if written.is_err()
            || opened.wait_for(|open| *open).await.is_err()
            || caller.write_all(&later).await.is_err()
        {
            return;
        }
    }
}
