//! Asks Ollama which models it has.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;

/// A server that is not there must not keep the sidecar from starting.
const PATIENCE: Duration = Duration::from_secs(3);
/// A list of thousands of models is below a megabyte.
const MAX_LIST_BYTES: usize = 4 << 20;

#[derive(Deserialize)]
struct List {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
}

/// The models at an OpenAI-compatible `base_url`, in its order; none, with a warning, where it does not answer.
pub async fn models(base_url: &str) -> Vec<String> {
    match tokio::time::timeout(PATIENCE, fetch(base_url)).await {
        Ok(Ok(models)) => models,
        Ok(Err(error)) => unknown(base_url, &error.to_string()),
        Err(_) => unknown(base_url, "it did not answer in time"),
    }
}

fn unknown(base_url: &str, error: &str) -> Vec<String> {
    tracing::warn!(event = "ollama_models_unknown", base_url, error);
    Vec::new()
}

async fn fetch(base_url: &str) -> anyhow::Result<Vec<String>> {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = client.get(format!("{base_url}/models").parse()?).await?;
    anyhow::ensure!(response.status().is_success(), "status {}", response.status());
    let body = Limited::new(response.into_body(), MAX_LIST_BYTES)
        .collect()
        .await
        .map_err(anyhow::Error::from_boxed)?;
    let list: List = serde_json::from_slice(&body.to_bytes())?;
    Ok(list.data.into_iter().map(|entry| entry.id).collect())
}
