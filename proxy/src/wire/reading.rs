//! What an answer says about itself, read the same way from a plain body and from a stream.

use router_core::TokenUsage;
use serde_json::Value;

use crate::wire::finish::Finish;
use crate::wire::glance::Glance;
use crate::wire::said::Said;
use crate::wire::usage::{Counts, Usage, UsageFault};

/// What is known about an answer once it has been seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// What the provider says it counted; `None` where it said nothing, or nothing credible.
    pub usage: Option<Usage>,
    /// Why a usage report was not believed.
    pub fault: Option<UsageFault>,
    /// Why the model stopped. Embeddings always stop.
    pub finish: Option<Finish>,
    /// The answer calls a tool.
    pub tool_calls: bool,
    /// The answer declines in so many words.
    pub refusal: bool,
    /// The provider reports a failure, whatever the HTTP status was.
    pub error: Option<ProviderError>,
    /// The end was seen: the terminator of a stream, the closing bracket of a plain body.
    pub ended: bool,
    /// UTF-8 length of text, reasoning and tool arguments: what is left to settle by where a stream was
    /// aborted before its usage came.
    pub text_bytes: u64,
    /// The same text, where nobody has counted it.
    pub said: Said,
}

/// Bytes of answer text that a token stands for where nobody has counted: the usual four of English prose.
const BYTES_PER_TOKEN: u64 = 4;

impl Reading {
    /// What to charge, and whether that is an estimate.
    ///
    /// A report that came with the end of the answer stands. One from before it (Anthropic's first event
    /// knows the prompt and one token) is raised to what the text seen since amounts to; without any,
    /// `prompt_tokens` stands for the prompt.
    #[must_use]
    pub fn tokens(&self, prompt_tokens: u64) -> (TokenUsage, bool) {
        self.tokens_by(prompt_tokens, self.seen_tokens())
    }

    /// About how many tokens the answer is, as far as it was seen.
    #[must_use]
    pub const fn seen_tokens(&self) -> u64 {
        self.text_bytes.div_ceil(BYTES_PER_TOKEN)
    }

    /// As [`tokens`](Self::tokens), where the answer seen so far is known to be `seen` tokens.
    #[must_use]
    pub fn tokens_by(&self, prompt_tokens: u64, seen: u64) -> (TokenUsage, bool) {
        match &self.usage {
            Some(usage) if self.ended || self.finish.is_some() => (usage.tokens, false),
            Some(usage) => {
                let output = usage.tokens.output + seen.saturating_sub(usage.tokens.completion());
                (TokenUsage { output, ..usage.tokens }, true)
            }
            None => (TokenUsage { input: prompt_tokens, output: seen, ..TokenUsage::default() }, true),
        }
    }
}

/// A provider's own error, without its message (which may quote the prompt).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderError {
    /// Its `type`, at most 64 bytes.
    pub kind: Option<Box<str>>,
    /// Its `code`, at most 64 bytes.
    pub code: Option<Box<str>>,
}

/// Longer types and codes than any provider's (the longest known has 37 bytes).
const NAME_LIMIT: usize = 64;

impl ProviderError {
    /// Reads an error body or event of any dialect; what is not there stays `None`.
    #[must_use]
    pub fn read(json: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(json) else { return Self::default() };
        let nested = [&body["error"], &body["response"]["error"]];
        let error = nested.into_iter().find(|error| error.is_object()).unwrap_or(&body);
        let name = |field: &str| match &error[field] {
            Value::String(name) if name.len() <= NAME_LIMIT => Some(name.as_str().into()),
            Value::Number(number) => Some(number.to_string().into()),
            _ => None,
        };
        Self { kind: name("type"), code: name("code") }
    }
}

/// Reads a plain JSON answer of any endpoint. Allocates only for what it finds; does not validate.
#[must_use]
pub fn read_body(body: &[u8]) -> Reading {
    let glance = Glance::read(body);
    let (usage, fault) = match glance.usage.map(|json| Counts::read(json).and_then(|counts| counts.usage())) {
        Some(Ok(usage)) => (usage, None),
        Some(Err(fault)) => (None, Some(fault)),
        None => (None, None),
    };
    let counted = usage.is_some() && (glance.closed || glance.finish.is_some());
    Reading {
        usage,
        fault,
        finish: glance.finish,
        tool_calls: glance.tool_calls,
        refusal: glance.refusal,
        error: glance.error.then(|| ProviderError::read(body)),
        ended: glance.closed,
        text_bytes: glance.text_bytes,
        said: if counted { Said::default() } else { Said::of(&glance.texts) },
    }
}

#[cfg(test)]
mod tests {
    use router_core::TokenUsage;

    use super::{ProviderError, Reading, read_body};
    use crate::wire::finish::Finish;
    use crate::wire::usage::{CountFault, Usage, UsageFault};

    #[test]
    fn a_chat_answer_is_read() {
        let reading = read_body(
            br#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",
            "content":"Hi \"you\"","refusal":null},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}"#,
        );
        assert_eq!(reading.finish, Some(Finish::Stop));
        assert_eq!(reading.text_bytes, 8);
        assert!(reading.ended && !reading.tool_calls && !reading.refusal && reading.error.is_none());
        let tokens = reading.usage.unwrap().tokens;
        assert_eq!((tokens.input, tokens.output), (9, 3));
    }

    #[test]
    fn a_message_is_read() {
        let reading = read_body(
            br#"{"type":"message","role":"assistant","content":[{"type":"text","text":"Hi"},
            {"type":"tool_use","id":"t","name":"f","input":{"a":1}}],"stop_reason":"tool_use",
            "usage":{"input_tokens":5,"output_tokens":2,"cache_read_input_tokens":7}}"#,
        );
        assert_eq!(reading.finish, Some(Finish::ToolCalls));
        assert!(reading.tool_calls);
        let tokens = reading.usage.unwrap().tokens;
        assert_eq!((tokens.input, tokens.cached_input, tokens.output), (5, 7, 2));
    }

    #[test]
    fn embeddings_stop() {
        let reading = read_body(
            br#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-2e-3]}],
            "usage":{"prompt_tokens":4,"total_tokens":4}}"#,
        );
        assert_eq!(reading.finish, Some(Finish::Stop));
        assert_eq!(reading.usage.unwrap().tokens.input, 4);
    }

    #[test]
    fn an_error_at_status_200_is_an_error() {
        for (body, kind, code) in [
            (r#"{"error":{"message":"m","type":"server_error","code":null}}"#, Some("server_error"), None),
            (r#"{"error":{"message":"m","code":429,"status":"X"}}"#, None, Some("429")),
            (r#"{"type":"error","error":{"type":"overloaded_error"}}"#, Some("overloaded_error"), None),
            (
                r#"{"object":"error","message":"m","type":"BadRequest","code":400}"#,
                Some("BadRequest"),
                Some("400"),
            ),
            (r#"{"error":"model not loaded"}"#, None, None),
        ] {
            let error = read_body(body.as_bytes()).error.expect(body);
            assert_eq!((error.kind.as_deref(), error.code.as_deref()), (kind, code), "{body}");
        }
        assert!(read_body(br#"{"error":null,"choices":[]}"#).error.is_none());
    }

    #[test]
    fn a_report_that_cannot_be_true_is_none_and_says_why() {
        let reading = read_body(br#"{"usage":{"prompt_tokens":-4,"completion_tokens":3}}"#);
        let fault = UsageFault::Count { field: "prompt_tokens", fault: CountFault::Negative };
        assert_eq!((reading.usage, reading.fault), (None, Some(fault)));
        assert_eq!(read_body(br#"{"usage":{"prompt_tokens":4,"#).fault, Some(UsageFault::Malformed));
    }

    #[test]
    fn an_answer_that_was_cut_is_charged_for_what_was_seen() {
        let first = TokenUsage { input: 25, cached_input: 4, output: 1, ..TokenUsage::default() };
        let usage = Some(Usage { tokens: first, ..Usage::default() });
        let cut = Reading { usage, text_bytes: 41, ..Reading::default() };
        assert_eq!(cut.tokens(99), (TokenUsage { output: 11, ..first }, true));
        assert_eq!(
            Reading { text_bytes: 2, ..cut.clone() }.tokens(99),
            (first, true),
            "never below the report"
        );
        assert_eq!(Reading { finish: Some(Finish::Stop), ..cut.clone() }.tokens(99), (first, false));
        let unreported = TokenUsage { input: 99, output: 11, ..TokenUsage::default() };
        assert_eq!(Reading { usage: None, ended: true, ..cut }.tokens(99), (unreported, true));
    }

    #[test]
    fn endless_names_are_left_out() {
        let body = format!(r#"{{"error":{{"type":"{}"}}}}"#, "x".repeat(65));
        assert_eq!(ProviderError::read(body.as_bytes()), ProviderError::default());
    }
}
