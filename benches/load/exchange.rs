//! One HTTP/1.1 exchange after the other on a connection that stays open.
//!
//! The generator must cost less than what it measures, and on two cores it shares one with the upstream; so it writes one
//! buffer and reads into one buffer, with `httparse` for what needs parsing. Nothing is believed: an answer counts only
//! when it is complete.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use httparse::{EMPTY_HEADER, Response, Status};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// More headers than the sidecar and the upstream send together.
const MAX_HEADERS: usize = 64;
/// A longer answer is not one of the upstream's.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// A connection to a target.
pub(crate) struct Line {
    stream: TcpStream,
    /// What has been read of the answer under way.
    buffer: Vec<u8>,
}

/// A complete answer.
pub(crate) struct Answer {
    /// When the first byte of its body was there.
    pub(crate) first_byte: Instant,
    /// The value of `x-router-cache`.
    pub(crate) cache: Option<String>,
    /// Its body, decoded.
    pub(crate) body: Vec<u8>,
}

/// How a body is delimited.
#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
}

struct Head {
    bytes: usize,
    framing: Framing,
    cache: Option<String>,
}

impl Line {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub(crate) async fn open(target: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(target).await.context("the target does not listen")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 << 10) })
    }

    /// Sends `request` and reads its answer to the last byte. After an error the connection is of no use any more.
    ///
    /// # Errors
    /// No answer, not all of it, or another status than 200.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        let head = loop {
            self.read().await?;
            if let Some(head) = parse_head(&self.buffer)? {
                break head;
            }
        };
        while self.buffer.len() == head.bytes {
            self.read().await?;
        }
        let first_byte = Instant::now();
        let body = match head.framing {
            Framing::Length(length) => self.sized(head.bytes, length).await?,
            Framing::Chunked => self.chunked(head.bytes).await?,
        };
        Ok(Answer { first_byte, cache: head.cache, body })
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        ensure!(self.buffer.len() < MAX_ANSWER_BYTES, "the answer does not end");
        ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the connection ended in mid-answer");
        Ok(())
    }

    async fn sized(&mut self, start: usize, length: usize) -> anyhow::Result<Vec<u8>> {
        while self.buffer.len() < start + length {
            self.read().await?;
        }
        ensure!(self.buffer.len() == start + length, "more came than was announced");
        Ok(self.buffer[start..].to_vec())
    }

    async fn chunked(&mut self, start: usize) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        let mut at = start;
        loop {
            match httparse::parse_chunk_size(&self.buffer[at..]) {
                Ok(Status::Complete((line, size))) => {
                    let (begin, end) = (at + line, at + line + size as usize);
                    while self.buffer.len() < end + 2 {
                        self.read().await?;
                    }
                    body.extend_from_slice(&self.buffer[begin..end]);
                    at = end + 2;
                    if size == 0 {
                        return Ok(body);
                    }
                }
                Ok(Status::Partial) => self.read().await?,
                Err(_) => bail!("a chunk's size is not a number"),
            }
        }
    }
}

/// The head, once all of it is there.
fn parse_head(buffer: &[u8]) -> anyhow::Result<Option<Head>> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut response = Response::new(&mut headers);
    let Status::Complete(bytes) = response.parse(buffer)? else { return Ok(None) };
    let status = response.code.unwrap_or_default();
    ensure!(status == 200, "status {status}: {}", String::from_utf8_lossy(&buffer[bytes..]));
    let value = |name: &str| {
        let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        header.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    let framing = match (value("content-length"), value("transfer-encoding")) {
        (Some(length), None) => Framing::Length(length.parse()?),
        (None, Some("chunked")) => Framing::Chunked,
        _ => bail!("the answer's length is not stated"),
    };
    Ok(Some(Head { bytes, framing, cache: value("x-router-cache").map(str::to_owned) }))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What a caller makes of `bytes`, sent in two pieces that part at `split`, after which the connection ends.
    async fn answer(bytes: &'static str, split: usize) -> anyhow::Result<Answer> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut line = Line::open(listener.local_addr().unwrap()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let serve = async {
            let mut request = [0; 3];
            server.read_exact(&mut request).await.unwrap();
            let (one, other) = bytes.as_bytes().split_at(split);
            server.set_nodelay(true).unwrap();
            server.write_all(one).await.unwrap();
            tokio::task::yield_now().await;
            server.write_all(other).await.unwrap();
            drop(server);
        };
        tokio::join!(line.exchange(b"ask"), serve).0
    }

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-router-cache: miss\r\n\r\n\
                           5\r\ndata:\r\n0a\r\n [DONE]\n\n \r\n0\r\n\r\n";
    const SIZED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

    #[tokio::test]
    async fn a_body_is_read_wherever_it_is_split() {
        for split in 0..CHUNKED.len() {
            let answer = answer(CHUNKED, split).await.unwrap();
            assert_eq!(answer.body, b"data: [DONE]\n\n ", "{split}");
            assert_eq!(answer.cache.as_deref(), Some("miss"));
        }
        for split in 0..SIZED.len() {
            assert_eq!(answer(SIZED, split).await.unwrap().body, b"{}", "{split}");
        }
    }

    #[tokio::test]
    async fn half_an_answer_is_none() {
        for whole in [CHUNKED, SIZED] {
            for end in 0..whole.len() - 1 {
                assert!(answer(&whole[..end], end / 2).await.is_err(), "{end} of {whole}");
            }
        }
    }

    #[tokio::test]
    async fn only_200_is_an_answer() {
        let error = answer("HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy", 44).await.err().unwrap();
        assert!(error.to_string().starts_with("status 503"), "{error}");
    }
}
