//! The few facts of an answer's JSON that the router acts on.

use smallvec::SmallVec;

use crate::wire::finish::Finish;
use crate::wire::keys::{Key, Keys, unescaped_length};

/// What one pass over a plain answer, or over one event of a stream, has found.
///
/// Depths tell the places apart: a provider's own fields stand near the root, while what a model or caller
/// has written lies in strings or deeper (a tool's arguments in an Anthropic answer begin at depth 4).
#[derive(Clone, Debug, Default)]
pub(crate) struct Glance<'a> {
    /// The outermost `type` or, in Gemini's interactions, `event_type`.
    pub(crate) kind: Option<&'a [u8]>,
    /// The outermost `object`.
    pub(crate) object: Option<&'a [u8]>,
    /// The usage report nearest to the root: text that begins with it.
    pub(crate) usage: Option<&'a [u8]>,
    /// Why it ended, if it says so.
    pub(crate) finish: Option<Finish>,
    /// There is an `error` at the root that says something.
    pub(crate) error: bool,
    /// `choices` is there and empty.
    pub(crate) no_choices: bool,
    /// A tool is called, by the caller's side or the provider's.
    pub(crate) tool_calls: bool,
    /// The model declines in so many words.
    pub(crate) refusal: bool,
    /// UTF-8 length of text, reasoning and tool arguments.
    pub(crate) text_bytes: u64,
    /// These themselves, as they are written, escapes included.
    pub(crate) texts: SmallVec<[&'a [u8]; 2]>,
    /// Every bracket is closed.
    pub(crate) closed: bool,
    usage_depth: u32,
    status: Option<&'a [u8]>,
    reason: Option<&'a [u8]>,
}

impl<'a> Glance<'a> {
    pub(crate) fn read(json: &'a [u8]) -> Self {
        let mut glance = Self::default();
        let mut keys = Keys::new(json);
        for key in keys.by_ref() {
            glance.note(&key);
        }
        glance.closed = keys.closed();
        glance.conclude();
        glance
    }

    fn note(&mut self, key: &Key<'a>) {
        match (key.name, key.depth) {
            (b"content" | b"text" | b"thinking" | b"partial_json", _)
            | (b"reasoning_content" | b"reasoning" | b"arguments", _)
            | (b"delta", 1) => self.count_text(key),
            (b"refusal", _) => self.note_refusal(key),
            (b"usage" | b"usageMetadata" | b"usage_metadata", 1..=3) => self.note_usage(key),
            (b"finish_reason" | b"finishReason", 3) | (b"stop_reason", 1 | 2) => self.note_finish(key),
            (b"type" | b"event_type", 1) => self.kind = key.string(),
            (b"type", 2 | 3) => self.tool_calls |= key.string().is_some_and(is_tool_call),
            (b"tool_calls" | b"function_call" | b"functionCall", _) => self.tool_calls |= key.is_something(),
            (b"object", 1) => self.object = key.string(),
            (b"status", 1) => self.status = key.string(),
            (b"reason", 2 | 3) => self.reason = key.string(),
            (b"error", 1) => self.error |= key.is_something(),
            (b"choices", 1) => self.no_choices = key.is_empty(),
            _ => {}
        }
    }

    fn count_text(&mut self, key: &Key<'a>) {
        if let Some(text) = key.string() {
            self.text_bytes += unescaped_length(text);
            self.texts.push(text);
        }
    }

    fn note_refusal(&mut self, key: &Key<'a>) {
        self.refusal |= key.is_something();
        self.count_text(key);
    }

    fn note_usage(&mut self, key: &Key<'a>) {
        if key.is_object() && (self.usage.is_none() || key.depth < self.usage_depth) {
            self.usage = Some(key.rest);
            self.usage_depth = key.depth;
        }
    }

    fn note_finish(&mut self, key: &Key<'_>) {
        if let Some(reason) = key.string() {
            let finish = Finish::parse(reason);
            self.finish = Some(self.finish.map_or(finish, |before| before.worst(finish)));
        }
    }

    /// Draws from `type` and `status` what the fields did not say themselves.
    fn conclude(&mut self) {
        self.error |= self.kind == Some(b"error") || self.object == Some(b"error");
        let ended_as = match self.kind {
            Some(b"response.completed" | b"interaction.completed") => Some(b"completed".as_slice()),
            Some(b"response.incomplete") => Some(b"incomplete".as_slice()),
            Some(b"response.failed") => Some(b"failed".as_slice()),
            Some(_) => None,
            None => self.status,
        };
        self.error |= ended_as == Some(b"failed");
        if self.finish.is_none() {
            self.finish = match (ended_as, self.reason) {
                (Some(b"incomplete"), Some(reason)) => Some(Finish::parse(reason)),
                (Some(b"incomplete"), None) => Some(Finish::Length),
                (Some(status), _) => Some(Finish::parse(status)),
                (None, _) => (self.object == Some(b"list")).then_some(Finish::Stop),
            };
        }
        self.error |= self.finish == Some(Finish::Error);
        self.refusal |= self.finish == Some(Finish::Refusal);
        self.refusal |= self.kind.is_some_and(|kind| kind.starts_with(b"response.refusal."));
    }
}

/// Whether the `type` of a content block or output item is a call of a tool: `tool_use`, `mcp_tool_use`,
/// `function_call`, `web_search_call` and what else is named in this manner.
fn is_tool_call(kind: &[u8]) -> bool {
    kind.ends_with(b"tool_use") || kind.ends_with(b"_call")
}

#[cfg(test)]
mod tests {
    use super::Glance;
    use crate::wire::finish::Finish;

    #[test]
    fn the_report_nearest_to_the_root_is_the_one() {
        let json = br#"{"choices":[{"usage":{"prompt_tokens":1}}],"usage":{"prompt_tokens":2}}"#;
        assert!(Glance::read(json).usage.unwrap().starts_with(br#"{"prompt_tokens":2"#));
        let kimi = br#"{"choices":[{"usage":{"prompt_tokens":1}}],"usage":null}"#;
        assert!(Glance::read(kimi).usage.unwrap().starts_with(br#"{"prompt_tokens":1"#));
    }

    #[test]
    fn what_a_tool_is_given_cannot_end_an_answer() {
        let json = br#"{"type":"message","content":[{"type":"tool_use","input":{"stop_reason":"end_turn",
            "usage":{"input_tokens":1},"error":"x"}}],"stop_reason":"tool_use"}"#;
        let glance = Glance::read(json);
        assert_eq!(glance.finish, Some(Finish::ToolCalls));
        assert!(glance.tool_calls && !glance.error && glance.usage.is_none());
    }

    #[test]
    fn the_token_that_stopped_a_choice_is_not_the_reason() {
        let json = br#"{"choices":[{"index":0,"finish_reason":"stop","stop_reason":"</s>"}]}"#;
        assert_eq!(Glance::read(json).finish, Some(Finish::Stop));
    }

    #[test]
    fn a_response_that_was_cut_says_why() {
        let json = br#"{"object":"response","status":"incomplete",
            "incomplete_details":{"reason":"content_filter"},"error":null}"#;
        assert_eq!(Glance::read(json).finish, Some(Finish::ContentFilter));
        let event =
            br#"{"response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}},
            "type":"response.incomplete"}"#;
        assert_eq!(Glance::read(event).finish, Some(Finish::Length));
    }

    #[test]
    fn filters_that_passed_are_not_refusals() {
        let json = br#"{"choices":[{"content_filter_results":{"hate":{"filtered":false}},
            "delta":{"content":"Hi","refusal":null},"finish_reason":null}],"error":null,"usage":null}"#;
        let glance = Glance::read(json);
        assert!(!glance.refusal && !glance.error && glance.finish.is_none() && glance.usage.is_none());
        assert_eq!(glance.text_bytes, 2);
    }
}
