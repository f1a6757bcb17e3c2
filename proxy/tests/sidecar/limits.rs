//! What a connection may not do: keep silent, send a head without end, or never read.

use std::time::Duration;

use http::StatusCode;
use router_proxy::sidecar::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Plan, World, within};

/// Short, so that the test waits for what it is about; nothing fails if the machine is slower.
const SOON: Duration = Duration::from_millis(200);

async fn limited(change: impl FnOnce(&mut Settings)) -> World {
    let mut settings = Settings::default();
    change(&mut settings);
    Plan { settings, ..Plan::default() }.start().await
}

/// Sends these bytes, then nothing, and reads until the sidecar closes.
async fn after_silence(world: &World, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.client.data).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ = within(stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let world = limited(|settings| settings.connections.header_timeout = SOON).await;
    for start in [
        "",
        "P",
        "PRI * HT",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET /v1/mod",
        "GET / HTTP/1.1\r\nhost: a\r\n",
    ] {
        after_silence(&world, start.as_bytes()).await;
    }
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_closed() {
    let world = limited(|settings| settings.connections.header_timeout = SOON).await;
    let answer = after_silence(&world, b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_request_may_take_longer_than_its_head() {
    let world = limited(|settings| settings.connections.header_timeout = SOON).await;
    let body = crate::support::chat("small", "x").to_string();
    let head =
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut stream = TcpStream::connect(world.client.data).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(2 * SOON).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    within(stream.read_exact(&mut start)).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
}

#[tokio::test]
async fn a_head_over_the_limit_is_a_431() {
    let world = limited(|settings| settings.connections.max_header_bytes = 16 << 10).await;
    let with_header = |bytes: usize| {
        let value = "x".repeat(bytes);
        let client = world.client.fresh();
        async move { client.get("/v1/models", &[("x-note", &value)]).await.status }
    };
    assert_eq!(with_header(12 << 10).await, StatusCode::OK);
    assert_eq!(with_header(20 << 10).await, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[tokio::test]
async fn a_caller_who_never_reads_is_left() {
    let world = limited(|settings| settings.connections.write_stall = SOON).await;
    let mut stream = TcpStream::connect(world.client.data).await.unwrap();
    let asked = "GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n".repeat(100);
    // Answers fill the buffers between the two, then the sidecar reads no more, then it closes.
    while within(stream.write_all(asked.as_bytes())).await.is_ok() {}
}
