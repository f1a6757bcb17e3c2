//! A request without its dialect: who is asked what, and in which form the answer is wanted.

use serde_json::Value;

use crate::fault::Fault;

/// What an image counts, in tokens: OpenAI's price of one in low detail.
const IMAGE_TOKENS: usize = 85;

/// A request that an answer can be composed for.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    /// The model asked for, without a fault behind it.
    pub(crate) model: String,
    /// The faults written behind the model's name.
    pub(crate) faults: Vec<Fault>,
    /// A hash of the whole body, for ids.
    pub(crate) digest: u64,
    /// The text of the last message by the user.
    pub(crate) last_user: String,
    /// The last message is a tool's result, so that no tool is called again.
    pub(crate) answers_tool: bool,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) tools: Vec<Tool>,
    pub(crate) choice: ToolChoice,
    pub(crate) format: Format,
    pub(crate) reasoning_tokens: u32,
    /// The dialect's conditions for a cached prefix are met.
    pub(crate) cacheable: bool,
    text_bytes: usize,
    images: usize,
}

/// A function the model may call.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) schema: Value,
}

/// Whether a tool is to be called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ToolChoice {
    #[default]
    Auto,
    Never,
    Any,
    Named(String),
}

/// The form of the answer's text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Format {
    #[default]
    Text,
    JsonObject,
    JsonSchema(Value),
}

/// What the provider finds wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    pub(crate) message: String,
    pub(crate) param: Option<&'static str>,
}

impl Invalid {
    pub(crate) fn new(message: impl Into<String>, param: Option<&'static str>) -> Self {
        Self { message: message.into(), param }
    }

    pub(crate) fn missing(param: &'static str) -> Self {
        Self::new(format!("Missing required parameter: '{param}'."), Some(param))
    }
}

impl Prompt {
    /// Reads what all endpoints have in common.
    pub(crate) fn try_new(body: &Value, digest: u64) -> Result<Self, Invalid> {
        let name = body["model"].as_str().filter(|name| !name.is_empty());
        let (model, faults) = split_model(name.ok_or_else(|| Invalid::missing("model"))?)?;
        let max_tokens = ["max_completion_tokens", "max_tokens", "max_output_tokens"]
            .iter()
            .find_map(|key| body[*key].as_u64())
            .map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
        let tools = body["tools"].as_array().into_iter().flatten().filter_map(Tool::read).collect();
        Ok(Self {
            model: model.to_owned(),
            faults,
            digest,
            last_user: String::new(),
            answers_tool: false,
            max_tokens,
            stream: body["stream"].as_bool().unwrap_or(false),
            include_usage: body["stream_options"]["include_usage"].as_bool().unwrap_or(false),
            tools,
            choice: ToolChoice::read(&body["tool_choice"]),
            format: Format::Text,
            reasoning_tokens: 0,
            cacheable: true,
            text_bytes: body["tools"].as_array().map_or(0, |_| body["tools"].to_string().len()),
            images: 0,
        })
    }

    /// Takes in one message.
    pub(crate) fn hear(&mut self, role: &str, content: &Value) {
        let mut heard = Heard::default();
        heard.listen(content);
        self.text_bytes += heard.text.len() + heard.result_bytes;
        self.images += heard.images;
        self.answers_tool = role == "tool" || heard.is_tool_result;
        if role == "user" && !(heard.text.is_empty() && self.answers_tool) {
            self.last_user = heard.text;
        }
    }

    /// The tokens of the request: four bytes each, images extra, at least one.
    pub(crate) fn input_tokens(&self) -> u32 {
        let tokens = self.text_bytes.div_ceil(4) + self.images * IMAGE_TOKENS;
        u32::try_from(tokens.max(1)).unwrap_or(u32::MAX)
    }

    /// How much a model thinks before it answers, by the effort asked for. The figures are ours: distinct,
    /// growing, and small enough for a test's prompt.
    pub(crate) fn think(&mut self, effort: &Value) {
        self.reasoning_tokens = match effort.as_str() {
            Some("low") => 16,
            Some("medium") => 64,
            Some("high") => 256,
            Some("xhigh" | "max") => 1_024,
            _ => 0,
        };
    }
}

impl Tool {
    /// `{"function": {"name", "parameters"}}`, `{"name", "parameters"}` or `{"name", "input_schema"}`.
    fn read(value: &Value) -> Option<Self> {
        let function = value.get("function").unwrap_or(value);
        let schema = function.get("parameters").or_else(|| function.get("input_schema"));
        Some(Self {
            name: function["name"].as_str()?.to_owned(),
            schema: schema.cloned().unwrap_or_default(),
        })
    }

    /// Whether a text speaks of what the tool is called after: "weather" asks for `get_weather`.
    pub(crate) fn is_asked_for(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let words = self.name.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3);
        words.map(str::to_lowercase).any(|word| text.contains(&word))
    }
}

impl ToolChoice {
    fn read(value: &Value) -> Self {
        let name = value["function"]["name"].as_str().or_else(|| value["name"].as_str());
        match (value.as_str().or_else(|| value["type"].as_str()), name) {
            (_, Some(name)) => Self::Named(name.to_owned()),
            (Some("none"), None) => Self::Never,
            (Some("any" | "required"), None) => Self::Any,
            _ => Self::Auto,
        }
    }
}

impl Format {
    /// `{"type": "json_schema", "json_schema": {"schema"}}` or, flat, `{"type": "json_schema", "schema"}`.
    pub(crate) fn read(value: &Value) -> Self {
        match value["type"].as_str() {
            Some("json_object") => Self::JsonObject,
            Some("json_schema") => {
                let nested = value["json_schema"].get("schema");
                Self::JsonSchema(nested.or_else(|| value.get("schema")).cloned().unwrap_or_default())
            }
            _ => Self::Text,
        }
    }
}

/// What one message's content holds.
#[derive(Default)]
struct Heard {
    text: String,
    result_bytes: usize,
    images: usize,
    is_tool_result: bool,
}

impl Heard {
    fn listen(&mut self, content: &Value) {
        match content {
            Value::String(text) => self.say(text),
            Value::Array(parts) => parts.iter().for_each(|part| self.part(part)),
            _ => {}
        }
    }

    fn part(&mut self, part: &Value) {
        match part["type"].as_str() {
            Some("tool_result") => {
                let mut result = Self::default();
                // One level only: a result holds text and images, never another result.
                match &part["content"] {
                    Value::Array(parts) => parts.iter().for_each(|part| result.leaf(part)),
                    content => result.listen(content),
                }
                self.is_tool_result = true;
                self.result_bytes += result.text.len();
                self.images += result.images;
            }
            _ => self.leaf(part),
        }
    }

    fn leaf(&mut self, part: &Value) {
        match part["type"].as_str() {
            Some("image" | "image_url" | "input_image") => self.images += 1,
            _ => {
                if let Some(text) = part["text"].as_str() {
                    self.say(text);
                }
            }
        }
    }

    fn say(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
    }
}

/// Parts `small@crlf` into the model and its faults.
///
/// A suffix that begins with a digit belongs to the name (`model@20250101`), and so does everything behind
/// a leading `@`. Any other suffix must be a fault, so that a misspelt one cannot pass for none.
fn split_model(name: &str) -> Result<(&str, Vec<Fault>), Invalid> {
    match name.rsplit_once('@') {
        Some((model, suffix)) if !model.is_empty() && !suffix.starts_with(|c: char| c.is_ascii_digit()) => {
            let faults = Fault::parse_list(suffix);
            Ok((model, faults.map_err(|error| Invalid::new(error.to_string(), Some("model")))?))
        }
        _ => Ok((name, Vec::new())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn prompt(model: &str) -> Result<Prompt, Invalid> {
        Prompt::try_new(&json!({"model": model}), 0)
    }

    #[test]
    fn the_model_may_carry_faults() {
        let read = prompt("org/small@crlf,split=2").unwrap();
        assert_eq!((read.model.as_str(), read.faults.len()), ("org/small", 2));
        for plain in ["small", "claude@20250101", "@cf/small"] {
            assert_eq!(prompt(plain).unwrap().model, plain);
        }
        assert!(prompt("small@crfl").is_err());
        assert!(prompt("").is_err());
    }

    #[test]
    fn the_last_user_message_is_heard() {
        let mut read = prompt("small").unwrap();
        read.hear("system", &json!("Be brief."));
        read.hear("user", &json!([{"type": "text", "text": "What is this?"}, {"type": "image_url"}]));
        assert_eq!(read.last_user, "What is this?");
        assert_eq!(read.input_tokens(), 6 + 85);
    }

    #[test]
    fn a_tool_result_keeps_the_question() {
        let mut read = prompt("small").unwrap();
        read.hear("user", &json!("The weather in Bonn?"));
        read.hear("user", &json!([{"type": "tool_result", "content": [{"type": "text", "text": "rain"}]}]));
        assert!(read.answers_tool);
        assert_eq!(read.last_user, "The weather in Bonn?");
        assert_eq!(read.input_tokens(), 6);
    }

    #[test]
    fn a_tool_is_asked_for_by_its_words() {
        let tool = Tool { name: "get_weather".into(), schema: Value::Null };
        assert!(tool.is_asked_for("How is the Weather?"));
        assert!(!tool.is_asked_for("Get me a coffee"));
    }
}
