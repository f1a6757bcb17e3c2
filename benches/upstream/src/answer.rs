//! The answer to a prompt, before any dialect has put it into words of its own.

mod schema;
pub(crate) mod text;

use serde_json::{Value, json};

use crate::builder::Settings;
use crate::fault::Fault;
use crate::prompt::{Format, Prompt, Tool, ToolChoice};

/// The prompt must be this long before a provider caches its prefix, and the cached part is a multiple of
/// [`CACHE_STEP`]: OpenAI's published rule, close enough to Anthropic's.
const CACHE_MINIMUM: i64 = 1_024;
const CACHE_STEP: i64 = 128;

/// What a model says when it will not.
const DECLINE: &str = "I'm sorry, but I can't help with that request.";

/// What a model answers, why it stopped, and what that costs.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) content: Content,
    pub(crate) finish: Finish,
    pub(crate) usage: Option<Usage>,
}

/// The content, in the pieces that a stream delivers it in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    Nothing,
    Text(Vec<String>),
    /// The dialect's own field for declining.
    Refusal(Vec<String>),
    Call {
        tool: String,
        /// The arguments as JSON text.
        arguments: Vec<String>,
        /// The arguments where the wire wants a value.
        input: Value,
    },
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    Length,
    ToolCall,
    Refusal,
}

/// Token counts. Signed, because a faulty provider may claim anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// All of the prompt.
    pub(crate) input: i64,
    /// The part of the prompt neither read from the provider's cache nor written to it.
    pub(crate) fresh: i64,
    /// The part of the prompt read from the provider's cache.
    pub(crate) cached: i64,
    /// The part of the prompt written to the provider's cache.
    pub(crate) written: i64,
    /// All that was generated.
    pub(crate) output: i64,
    /// The part of the output that was thought and not said.
    pub(crate) reasoning: i64,
}

impl Usage {
    pub(crate) fn total(&self) -> i64 {
        self.input.saturating_add(self.output)
    }

    fn all(count: i64) -> Self {
        Self { input: count, fresh: count, cached: count, written: count, output: count, reasoning: count }
    }
}

impl Content {
    pub(crate) fn pieces(&self) -> &[String] {
        match self {
            Self::Nothing => &[],
            Self::Text(pieces) | Self::Refusal(pieces) | Self::Call { arguments: pieces, .. } => pieces,
        }
    }

    pub(crate) fn text(&self) -> String {
        self.pieces().concat()
    }

    fn pieces_mut(&mut self) -> Option<&mut Vec<String>> {
        match self {
            Self::Nothing => None,
            Self::Text(pieces) | Self::Refusal(pieces) | Self::Call { arguments: pieces, .. } => Some(pieces),
        }
    }
}

impl Answer {
    /// Answers a prompt as the faults allow.
    pub(crate) fn compose(settings: &Settings, prompt: &Prompt, faults: &[Fault]) -> Self {
        let force_tool = faults.contains(&Fault::InvalidArguments);
        let mut answer = Self { content: Content::Nothing, finish: Finish::Stop, usage: None };
        match chosen_tool(prompt, force_tool) {
            Some(tool) => answer.call(settings, prompt, tool),
            None => answer.speak(settings, prompt),
        }
        for fault in faults {
            answer.spoil(settings, prompt, fault);
        }
        answer.usage = Some(answer.count(settings, prompt));
        for fault in faults {
            answer.misreport(fault);
        }
        answer
    }

    fn speak(&mut self, settings: &Settings, prompt: &Prompt) {
        let hash = text::hash(prompt.last_user.as_bytes());
        let mut said = match &prompt.format {
            Format::Text => match settings.says.iter().find(|(model, _)| *model == prompt.model) {
                Some((_, text)) => text.clone(),
                None => {
                    text::write(&text::tag(&prompt.model, &prompt.last_user), settings.answer_tokens, hash)
                }
            },
            Format::JsonObject => json!({"answer": text::tag(&prompt.model, &prompt.last_user)}).to_string(),
            Format::JsonSchema(schema) => schema::instance(schema, &text::short(hash)).to_string(),
        };
        let allowance = prompt.max_tokens.map_or(usize::MAX, |tokens| 4 * tokens as usize);
        if said.len() > allowance {
            said.truncate(said.floor_char_boundary(allowance));
            self.finish = Finish::Length;
        }
        self.content = Content::Text(text::cut(&said, settings.chunk_tokens));
    }

    fn call(&mut self, settings: &Settings, prompt: &Prompt, tool: &Tool) {
        let hash = text::hash(prompt.last_user.as_bytes());
        let input = schema::instance(&tool.schema, &text::short(hash));
        let arguments = text::cut(&input.to_string(), settings.chunk_tokens);
        self.content = Content::Call { tool: tool.name.clone(), arguments, input };
        self.finish = Finish::ToolCall;
    }

    /// Does what a fault does to the content.
    fn spoil(&mut self, settings: &Settings, prompt: &Prompt, fault: &Fault) {
        let declined = || text::cut(DECLINE, settings.chunk_tokens);
        match fault {
            Fault::Empty => (self.content, self.finish) = (Content::Nothing, Finish::Stop),
            Fault::Refusal => (self.content, self.finish) = (Content::Text(declined()), Finish::Stop),
            Fault::RefusalField => {
                (self.content, self.finish) = (Content::Refusal(declined()), Finish::Refusal);
            }
            Fault::Length => {
                self.halve(settings);
                self.finish = Finish::Length;
            }
            Fault::InvalidJson if prompt.format != Format::Text => self.halve(settings),
            Fault::InvalidArguments => {
                self.halve(settings);
                if let Content::Call { input, .. } = &mut self.content {
                    *input = json!({"unexpected": true});
                }
            }
            Fault::OversizeEvent(bytes) => self.insert("x".repeat(*bytes as usize)),
            // The reply replaces the three bytes of this character by three that are not UTF-8.
            Fault::InvalidUtf8 => self.insert(char::REPLACEMENT_CHARACTER.to_string()),
            _ => {}
        }
    }

    /// Breaks the content off in the middle.
    fn halve(&mut self, settings: &Settings) {
        let whole = self.content.text();
        let half = &whole[..whole.floor_char_boundary(whole.len() / 2)];
        if let Some(pieces) = self.content.pieces_mut() {
            *pieces = text::cut(half, settings.chunk_tokens);
        }
    }

    /// Puts a piece behind the first one.
    fn insert(&mut self, piece: String) {
        if let Some(pieces) = self.content.pieces_mut() {
            pieces.insert(pieces.len().min(1), piece);
        }
    }

    fn count(&self, settings: &Settings, prompt: &Prompt) -> Usage {
        let said: usize = self.content.pieces().iter().map(String::len).sum();
        let reasoning = i64::from(prompt.reasoning_tokens);
        let input = i64::from(prompt.input_tokens());
        let output = said.div_ceil(4) as i64 + reasoning;
        let mut usage = Usage { input, fresh: input, output, reasoning, ..Usage::default() };
        if settings.cached_share > 0.0 && prompt.cacheable && input >= CACHE_MINIMUM {
            let whole = input / CACHE_STEP * CACHE_STEP;
            usage.cached = (input as f64 * settings.cached_share) as i64 / CACHE_STEP * CACHE_STEP;
            usage.written = whole - usage.cached;
            usage.fresh = input - whole;
        }
        usage
    }

    /// Does what a fault does to the token counts.
    fn misreport(&mut self, fault: &Fault) {
        match fault {
            Fault::NoUsage => self.usage = None,
            Fault::NegativeUsage => self.usage = Some(Usage::all(-7)),
            Fault::HugeUsage => self.usage = Some(Usage::all(i64::MAX)),
            _ => {}
        }
    }
}

/// The tool to call: a forced one, else the first that the last message asks for.
fn chosen_tool(prompt: &Prompt, force: bool) -> Option<&Tool> {
    match &prompt.choice {
        _ if force => prompt.tools.first(),
        ToolChoice::Never => None,
        _ if prompt.answers_tool => None,
        ToolChoice::Any => prompt.tools.first(),
        ToolChoice::Named(name) => prompt.tools.iter().find(|tool| tool.name == *name),
        ToolChoice::Auto => prompt.tools.iter().find(|tool| tool.is_asked_for(&prompt.last_user)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(body: Value, question: &str) -> Prompt {
        let mut prompt = Prompt::try_new(&body, 0).unwrap();
        prompt.format = Format::read(&body["response_format"]);
        prompt.hear("user", &question.into());
        prompt
    }

    fn answer(prompt: &Prompt, faults: &[Fault]) -> Answer {
        Answer::compose(&Settings::default(), prompt, faults)
    }

    #[test]
    fn the_text_names_model_and_question() {
        let small = answer(&prompt(json!({"model": "small"}), "Why?"), &[]).content.text();
        assert!(small.starts_with(&text::tag("small", "Why?")), "{small}");
        let again = answer(&prompt(json!({"model": "small"}), "Why?"), &[]).content.text();
        assert_eq!(small, again);
        let other = answer(&prompt(json!({"model": "small"}), "Why not?"), &[]).content.text();
        assert_ne!(small, other);
    }

    #[test]
    fn max_tokens_cuts_and_says_so() {
        let short = answer(&prompt(json!({"model": "small", "max_tokens": 3}), "Why?"), &[]);
        assert_eq!(short.finish, Finish::Length);
        assert_eq!(short.usage.unwrap().output, 3);
    }

    #[test]
    fn a_long_prompt_is_cached_by_share() {
        let settings = Settings { cached_share: 0.5, ..Settings::default() };
        let long = prompt(json!({"model": "small"}), &"word ".repeat(2_000));
        let usage = Answer::compose(&settings, &long, &[]).usage.unwrap();
        assert_eq!((usage.input, usage.cached, usage.written), (2_500, 1_152, 1_280));
        let short = prompt(json!({"model": "small"}), "word");
        assert_eq!(Answer::compose(&settings, &short, &[]).usage.unwrap().cached, 0);
    }

    #[test]
    fn json_is_json_until_a_fault_breaks_it() {
        let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
        let body = json!({"model": "small", "response_format":
            {"type": "json_schema", "json_schema": {"schema": schema}}});
        let asked = prompt(body, "Where?");
        let whole: Value = serde_json::from_str(&answer(&asked, &[]).content.text()).unwrap();
        assert!(whole["city"].is_string());
        let broken = answer(&asked, &[Fault::InvalidJson]).content.text();
        assert!(serde_json::from_str::<Value>(&broken).is_err(), "{broken}");
    }

    #[test]
    fn tools_are_called_when_asked_for_or_forced() {
        let tools = json!([{"name": "get_weather", "input_schema": {"type": "object"}}]);
        let called = |choice: Value, question: &str| {
            let body = json!({"model": "small", "tools": tools, "tool_choice": choice});
            answer(&prompt(body, question), &[]).finish == Finish::ToolCall
        };
        assert!(called(Value::Null, "The weather?"));
        assert!(!called(Value::Null, "The time?"));
        assert!(!called(json!("none"), "The weather?"));
        assert!(called(json!({"type": "any"}), "The time?"));
        assert!(called(json!({"type": "tool", "name": "get_weather"}), "The time?"));
    }
}
