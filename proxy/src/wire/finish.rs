//! Why a model stopped.

/// Why an answer ended, in one vocabulary for all dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finish {
    /// The model was done, or met a stop sequence of the caller.
    Stop,
    /// The model waits for the caller to run a tool.
    ToolCalls,
    /// The provider paused a long turn; the caller is to send it back.
    Pause,
    /// The token limit or the context window was reached.
    Length,
    /// The model or a classifier declined.
    Refusal,
    /// A filter cut the answer.
    ContentFilter,
    /// The provider failed while it answered.
    Error,
    /// A reason that this list does not know.
    Other,
}

impl Finish {
    /// Reads a `finish_reason` or `stop_reason` of any dialect.
    #[must_use]
    pub fn parse(reason: &[u8]) -> Self {
        match reason {
            b"stop" | b"end_turn" | b"stop_sequence" | b"STOP" | b"completed" => Self::Stop,
            b"tool_calls" | b"tool_use" | b"function_call" => Self::ToolCalls,
            b"pause_turn" => Self::Pause,
            b"length"
            | b"max_tokens"
            | b"model_context_window_exceeded"
            | b"max_output_tokens"
            | b"MAX_TOKENS" => Self::Length,
            b"refusal" => Self::Refusal,
            b"content_filter"
            | b"SAFETY"
            | b"RECITATION"
            | b"BLOCKLIST"
            | b"PROHIBITED_CONTENT"
            | b"SPII" => Self::ContentFilter,
            b"error" | b"failed" => Self::Error,
            _ => Self::Other,
        }
    }

    /// The less complete of two reasons: an answer with several choices is as whole as its worst one.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        if self.rank() >= other.rank() { self } else { other }
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Stop => 0,
            Self::ToolCalls => 1,
            Self::Pause => 2,
            Self::Length => 3,
            Self::Refusal => 4,
            Self::ContentFilter => 5,
            Self::Other => 6,
            Self::Error => 7,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Finish;

    #[test]
    fn the_same_end_has_one_name_in_every_dialect() {
        for (reason, finish) in [
            ("stop", Finish::Stop),
            ("end_turn", Finish::Stop),
            ("stop_sequence", Finish::Stop),
            ("length", Finish::Length),
            ("max_tokens", Finish::Length),
            ("tool_use", Finish::ToolCalls),
            ("refusal", Finish::Refusal),
            ("content_filter", Finish::ContentFilter),
            ("something_new", Finish::Other),
        ] {
            assert_eq!(Finish::parse(reason.as_bytes()), finish, "{reason}");
        }
    }

    #[test]
    fn one_cut_choice_makes_the_answer_cut() {
        assert_eq!(Finish::Stop.worst(Finish::Length), Finish::Length);
        assert_eq!(Finish::Length.worst(Finish::Stop), Finish::Length);
        assert_eq!(Finish::Stop.worst(Finish::Stop), Finish::Stop);
    }
}
