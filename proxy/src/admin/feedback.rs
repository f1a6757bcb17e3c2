//! `POST /feedback`: how good an answer was.

use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use router_core::cache::bound::Label;
use serde::Deserialize;
use serde_json::json;

use super::{collect, json_response};
use crate::app::App;
use crate::outcomes::{Outcome, Source};
use crate::payload::Payload;
use crate::refusal::Refusal;

/// Below this an answer from the cache is not served again.
const BAD: f32 = 0.5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Feedback {
    request_id: String,
    score: Score,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Score {
    Number(f32),
    Word(Word),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Good,
    Bad,
}

impl Score {
    fn value(&self) -> Option<f32> {
        match self {
            Self::Number(number) => (0.0..=1.0).contains(number).then_some(*number),
            Self::Word(Word::Good) => Some(1.0),
            Self::Word(Word::Bad) => Some(0.0),
        }
    }
}

/// Takes feedback in, and a bad answer out of the cache.
pub(super) async fn give(app: &Arc<App>, request: Request<Incoming>) -> Result<Response<Payload>, Refusal> {
    let body = collect(request.into_body()).await?;
    let wrong = || {
        Refusal::invalid(
            "send {\"request_id\": \"…\", \"score\": 0..1 or \"good\" or \"bad\"}",
            Some("score"),
        )
    };
    let feedback: Feedback = serde_json::from_slice(&body).map_err(|_| wrong())?;
    let score = feedback.score.value().ok_or_else(wrong)?;
    let Some(answer) = app.outcomes.recall(&feedback.request_id) else {
        let path = format!("request_id {:?}: no answer of this id is remembered", feedback.request_id);
        return Err(Refusal::NotFound { path });
    };
    let evicted = answer.cached.filter(|_| score < BAD);
    if let Some(cached) = &evicted {
        app.state.cache.remove(&cached.key);
        if let Some((kind, score)) = cached.near {
            // Who complains is no fair sample; counting complaints as labels errs on the side of fewer hits.
            app.state.cache.near().promise(kind).observe(Label { score, wrong: true });
        }
    }
    app.outcomes.record(Outcome::new(&feedback.request_id, &answer, Source::Feedback, score));
    Ok(json_response(StatusCode::OK, &json!({"recorded": true, "evicted": evicted.is_some()})))
}
