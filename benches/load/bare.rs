//! A bare hyper pass-through: the least that a reverse proxy can do, and the yardstick of the load harness.
//!
//! `bare ADDRESS` listens on a free port of 127.0.0.1, says so on stdout, and passes everything on to ADDRESS. Server, client,
//! runtime and socket settings are the sidecar's; bodies stream through in both directions and are not looked at.

use std::net::SocketAddr;

use anyhow::Context as _;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

/// Where everything goes.
#[derive(Clone)]
struct Passage {
    client: Client<HttpConnector, Incoming>,
    upstream: Authority,
}

impl Passage {
    fn new(upstream: Authority) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Self { client, upstream }
    }

    async fn pass(self, mut request: Request<Incoming>) -> anyhow::Result<Response<Incoming>> {
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.upstream)
            .path_and_query(path.unwrap_or_else(|| PathAndQuery::from_static("/")))
            .build()?;
        Ok(self.client.request(request).await?)
    }

    async fn converse(self, stream: TcpStream) {
        let service = service_fn(|request| self.clone().pass(request));
        // A connection that breaks off ends here; the harness counts what it missed.
        let _ =
            auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
    }
}

async fn serve(upstream: SocketAddr) -> anyhow::Result<()> {
    let passage = Passage::new(upstream.to_string().parse()?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", serde_json::json!({"event": "listening", "addr": listener.local_addr()?}));
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                stream.set_nodelay(true)?;
                tokio::spawn(passage.clone().converse(stream));
            }
            _ = terminate.recv() => return Ok(()),
        }
    }
}

fn main() -> anyhow::Result<()> {
    let upstream = std::env::args().nth(1).context("usage: bare ADDRESS")?.parse()?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(upstream))
}
