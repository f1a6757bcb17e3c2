//! Whether an answer is whole, so that it may be kept and served again.

use router_core::Endpoint;
use serde::de::IgnoredAny;

use crate::wire::finish::Finish;
use crate::wire::reading::Reading;

/// Why an answer is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incomplete {
    /// Its status is not 2xx.
    #[error("status {0}")]
    Status(u16),
    /// The provider reports a failure in it.
    #[error("a provider error at status 200")]
    Error,
    /// Its end was not seen, or it is not JSON.
    #[error("cut short")]
    Cut,
    /// It does not say why it ended.
    #[error("no finish reason")]
    NoFinish,
    /// It ended for another reason than being done.
    #[error("finished by {0:?}")]
    Finish(Finish),
    /// The model declined.
    #[error("a refusal")]
    Refusal,
    /// It calls tools, which the policy did not allow to keep.
    #[error("tool calls")]
    ToolCalls,
    /// It has ended well and says nothing.
    #[error("empty")]
    Empty,
}

/// Checks a stream that has passed. With `tool_calls`, answers that call tools are whole too.
///
/// # Errors
/// The first reason not to keep it.
pub fn check(endpoint: Endpoint, status: u16, reading: &Reading, tool_calls: bool) -> Result<(), Incomplete> {
    if !(200..300).contains(&status) {
        return Err(Incomplete::Status(status));
    }
    if reading.error.is_some() {
        return Err(Incomplete::Error);
    }
    if !reading.ended {
        return Err(Incomplete::Cut);
    }
    if reading.refusal {
        return Err(Incomplete::Refusal);
    }
    if !tool_calls && (reading.tool_calls || reading.finish == Some(Finish::ToolCalls)) {
        return Err(Incomplete::ToolCalls);
    }
    match reading.finish {
        Some(Finish::Stop | Finish::ToolCalls) => {}
        Some(finish) => return Err(Incomplete::Finish(finish)),
        None => return Err(Incomplete::NoFinish),
    }
    if endpoint.generates() && reading.text_bytes == 0 && !reading.tool_calls {
        return Err(Incomplete::Empty);
    }
    Ok(())
}

/// Checks a plain body; also that it is JSON from end to end.
///
/// # Errors
/// The first reason not to keep it.
pub fn check_body(
    endpoint: Endpoint,
    status: u16,
    body: &[u8],
    reading: &Reading,
    tool_calls: bool,
) -> Result<(), Incomplete> {
    check(endpoint, status, reading, tool_calls)?;
    serde_json::from_slice::<IgnoredAny>(body).map_err(|_| Incomplete::Cut)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use router_core::Endpoint;

    use super::{Incomplete, check, check_body};
    use crate::wire::finish::Finish;
    use crate::wire::reading::{ProviderError, Reading, read_body};

    fn whole() -> Reading {
        Reading { finish: Some(Finish::Stop), ended: true, text_bytes: 5, ..Reading::default() }
    }

    #[test]
    fn only_an_answer_that_is_done_is_whole() {
        let with = |change: fn(&mut Reading)| {
            let mut reading = whole();
            change(&mut reading);
            check(Endpoint::ChatCompletions, 200, &reading, false)
        };
        assert_eq!(with(|_| {}), Ok(()));
        for (change, expected) in [
            ((|r| r.ended = false) as fn(&mut Reading), Incomplete::Cut),
            (|r| r.finish = None, Incomplete::NoFinish),
            (|r| r.finish = Some(Finish::Length), Incomplete::Finish(Finish::Length)),
            (|r| r.finish = Some(Finish::ContentFilter), Incomplete::Finish(Finish::ContentFilter)),
            (|r| r.finish = Some(Finish::Pause), Incomplete::Finish(Finish::Pause)),
            (|r| r.finish = Some(Finish::Other), Incomplete::Finish(Finish::Other)),
            (|r| r.refusal = true, Incomplete::Refusal),
            (|r| r.error = Some(ProviderError::default()), Incomplete::Error),
            (|r| r.tool_calls = true, Incomplete::ToolCalls),
            (|r| r.finish = Some(Finish::ToolCalls), Incomplete::ToolCalls),
            (|r| r.text_bytes = 0, Incomplete::Empty),
        ] {
            assert_eq!(with(change), Err(expected));
        }
    }

    #[test]
    fn errors_are_never_whole() {
        for status in [199, 300, 304, 404, 429, 500] {
            assert_eq!(check(Endpoint::Messages, status, &whole(), true), Err(Incomplete::Status(status)));
        }
    }

    #[test]
    fn tool_calls_are_whole_where_the_policy_says_so() {
        let mut reading = Reading { finish: Some(Finish::ToolCalls), tool_calls: true, ..whole() };
        assert_eq!(check(Endpoint::ChatCompletions, 200, &reading, true), Ok(()));
        reading.finish = Some(Finish::Length);
        let cut = Incomplete::Finish(Finish::Length);
        assert_eq!(check(Endpoint::ChatCompletions, 200, &reading, true), Err(cut));
    }

    #[test]
    fn a_body_must_be_json_to_its_end() {
        let body = br#"{"object":"list","data":[{"index":0,"embedding":[0.5]}],"usage":{"prompt_tokens":1}}"#;
        let check = |body: &[u8]| check_body(Endpoint::Embeddings, 200, body, &read_body(body), false);
        assert_eq!(check(body), Ok(()));
        assert_eq!(check(&body[..body.len() - 1]), Err(Incomplete::Cut));
        assert_eq!(check(&[body.as_slice(), b"}"].concat()), Err(Incomplete::Cut));
        assert_eq!(check(b"{\"object\":\"list\",,}"), Err(Incomplete::Cut));
    }
}
