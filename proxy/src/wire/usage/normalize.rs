//! From a provider's own counts to disjoint classes.

use router_core::TokenUsage;

use super::count::Count;
use super::counts::{Counts, Details, Iteration};
use super::{Aside, Usage, UsageFault, add_tokens};

/// Dispatches on the names that are present.
pub(super) fn normalize(counts: &Counts) -> Result<Option<Usage>, UsageFault> {
    if present(&[counts.prompt_tokens, counts.completion_tokens]) {
        chat(counts).map(Some)
    } else if present(&[counts.input_tokens, counts.output_tokens]) {
        messages_or_responses(counts).map(Some)
    } else if present(&[counts.prompt_token_count, counts.candidates_token_count]) {
        gemini(counts).map(Some)
    } else if present(&[counts.total_input_tokens, counts.total_output_tokens]) {
        interactions(counts).map(Some)
    } else {
        Ok(None)
    }
}

fn present(counts: &[Count]) -> bool {
    counts.iter().any(|count| *count != Count::Missing)
}

/// Reads fields one by one and remembers the first one that had to be ignored.
#[derive(Default)]
struct Reader {
    ignored: Option<UsageFault>,
}

impl Reader {
    /// A part: missing and impossible ones are zero.
    fn part(&mut self, field: &'static str, count: Count) -> u64 {
        self.stated(field, count).unwrap_or(0)
    }

    /// A part that may be left out.
    fn stated(&mut self, field: &'static str, count: Count) -> Option<u64> {
        if let Count::Faulty(fault) = count {
            self.ignored = self.ignored.or(Some(UsageFault::Count { field, fault }));
        }
        count.value()
    }
}

/// A figure that the bill stands on: an impossible one voids the report.
fn figure(field: &'static str, count: Count) -> Result<Option<u64>, UsageFault> {
    match count {
        Count::Faulty(fault) => Err(UsageFault::Count { field, fault }),
        Count::Of(_) | Count::Missing => Ok(count.value()),
    }
}

/// What OpenAI's two shapes and their copies have in common.
struct Totals {
    prompt: u64,
    cached: u64,
    cache_write: u64,
    completion: u64,
    /// `None`: not a word about reasoning.
    reasoning: Option<u64>,
    total: Option<u64>,
}

impl Totals {
    /// Cached tokens are inside the prompt unless they exceed it *and* the total confirms it.
    fn split(self) -> TokenUsage {
        let cache = self.cached.saturating_add(self.cache_write);
        let beside = self.prompt.saturating_add(cache).saturating_add(self.completion);
        let (input, cached_input, cache_write) = if cache > self.prompt && self.total == Some(beside) {
            (self.prompt, self.cached, self.cache_write)
        } else {
            let cached = self.cached.min(self.prompt);
            let write = self.cache_write.min(self.prompt - cached);
            (self.prompt - cached - write, cached, write)
        };
        let (output, reasoning) = self.answer(input + cached_input + cache_write);
        TokenUsage { input, cached_input, cache_write, output, reasoning }
    }

    /// Reasoning is inside the completion unless it is larger or the total has room for exactly it. Where
    /// nothing is said about reasoning, what the total has beyond prompt and completion is reasoning;
    /// except when it is the cached tokens once more, an error that has been met in the field.
    fn answer(&self, prompt: u64) -> (u64, u64) {
        let surplus = self.total.unwrap_or(0).saturating_sub(prompt.saturating_add(self.completion));
        match self.reasoning {
            Some(reasoning) if reasoning > self.completion || (reasoning > 0 && reasoning == surplus) => {
                (self.completion, reasoning)
            }
            Some(reasoning) => (self.completion - reasoning, reasoning),
            None if surplus == self.cached.saturating_add(self.cache_write) => (self.completion, 0),
            None => (self.completion, surplus),
        }
    }
}

/// The prompt, or what the total leaves for it.
fn prompt_or_rest(prompt: Option<u64>, completion: u64, total: Option<u64>) -> Result<u64, UsageFault> {
    prompt.or_else(|| total?.checked_sub(completion)).ok_or(UsageFault::NoPrompt)
}

fn chat(counts: &Counts) -> Result<Usage, UsageFault> {
    let mut read = Reader::default();
    let nothing = Details::default();
    let prompt_details = counts.prompt_tokens_details.as_ref().unwrap_or(&nothing);
    let completion_details = counts.completion_tokens_details.as_ref().unwrap_or(&nothing);
    let total = read.stated("total_tokens", counts.total_tokens);
    let completion = figure("completion_tokens", counts.completion_tokens)?.unwrap_or(0);
    let cached = [
        read.part("prompt_tokens_details.cached_tokens", prompt_details.cached_tokens),
        read.part("prompt_cache_hit_tokens", counts.prompt_cache_hit_tokens),
        read.part("cached_tokens", counts.cached_tokens),
        read.part("cache_read_input_tokens", counts.cache_read_input_tokens),
    ];
    let cache_write = [
        read.part("prompt_tokens_details.cache_write_tokens", prompt_details.cache_write_tokens),
        read.part("cache_creation_input_tokens", counts.cache_creation_input_tokens),
    ];
    let reasoning = read
        .stated("completion_tokens_details.reasoning_tokens", completion_details.reasoning_tokens)
        .or_else(|| read.stated("reasoning_tokens", counts.reasoning_tokens));
    let totals = Totals {
        prompt: prompt_or_rest(figure("prompt_tokens", counts.prompt_tokens)?, completion, total)?,
        cached: cached.into_iter().fold(0, u64::max),
        cache_write: cache_write.into_iter().fold(0, u64::max),
        completion,
        reasoning,
        total,
    };
    Ok(Usage {
        tokens: totals.split(),
        audio_input: read.part("prompt_tokens_details.audio_tokens", prompt_details.audio_tokens),
        audio_output: read.part("completion_tokens_details.audio_tokens", completion_details.audio_tokens),
        ignored: read.ignored,
        ..Usage::default()
    })
}

/// `input_tokens` and `output_tokens`: OpenAI keeps cached tokens inside and tells them in
/// `input_tokens_details`, Anthropic keeps them beside in `cache_*` fields. Neither has the other's fields.
fn messages_or_responses(counts: &Counts) -> Result<Usage, UsageFault> {
    let mut read = Reader::default();
    let nothing = Details::default();
    let input_details = counts.input_tokens_details.as_ref().unwrap_or(&nothing);
    let output_details = counts.output_tokens_details.as_ref().unwrap_or(&nothing);
    let total = read.stated("total_tokens", counts.total_tokens);
    let completion = figure("output_tokens", counts.output_tokens)?.unwrap_or(0);
    let totals = Totals {
        prompt: prompt_or_rest(figure("input_tokens", counts.input_tokens)?, completion, total)?,
        cached: read.part("input_tokens_details.cached_tokens", input_details.cached_tokens),
        cache_write: read.part("input_tokens_details.cache_write_tokens", input_details.cache_write_tokens),
        completion,
        reasoning: read
            .stated("output_tokens_details.reasoning_tokens", output_details.reasoning_tokens)
            .or_else(|| read.stated("output_tokens_details.thinking_tokens", output_details.thinking_tokens)),
        total,
    };
    let mut tokens = totals.split();
    tokens.cached_input += read.part("cache_read_input_tokens", counts.cache_read_input_tokens);
    let written = read.part("cache_creation_input_tokens", counts.cache_creation_input_tokens);
    tokens.cache_write += written;
    let one_hour = counts.cache_creation.as_ref().map_or(Count::Missing, |by| by.ephemeral_1h_input_tokens);
    let mut usage = Usage {
        tokens,
        cache_write_1h: read.part("cache_creation.ephemeral_1h_input_tokens", one_hour).min(written),
        audio_input: read.part("input_tokens_details.audio_tokens", input_details.audio_tokens),
        audio_output: read.part("output_tokens_details.audio_tokens", output_details.audio_tokens),
        ..Usage::default()
    };
    add_iterations(&mut usage, counts.iterations.as_deref().unwrap_or_default(), &mut read);
    usage.ignored = read.ignored;
    Ok(usage)
}

/// Adds the sampling passes that Anthropic bills but leaves out of its totals: a compaction at the asked
/// model's price, an advisor at its own. Behind a fallback the totals are those of the model that answered;
/// the one that declined is billed only if it had begun to answer.
fn add_iterations(usage: &mut Usage, iterations: &[Iteration], read: &mut Reader) {
    let fell_back = iterations.iter().any(|pass| &*pass.kind == "fallback_message");
    for pass in iterations {
        let spent = pass_tokens(pass, read);
        match &*pass.kind {
            "compaction" => add_tokens(&mut usage.tokens, &spent),
            "advisor_message" => usage.aside.push(Aside { model: pass.model.clone(), tokens: spent }),
            "message" if fell_back && spent.output > 0 => {
                usage.aside.push(Aside { model: pass.model.clone(), tokens: spent });
            }
            _ => {}
        }
    }
}

fn pass_tokens(pass: &Iteration, read: &mut Reader) -> TokenUsage {
    TokenUsage {
        input: read.part("iterations.input_tokens", pass.input_tokens),
        cached_input: read.part("iterations.cache_read_input_tokens", pass.cache_read_input_tokens),
        cache_write: read.part("iterations.cache_creation_input_tokens", pass.cache_creation_input_tokens),
        output: read.part("iterations.output_tokens", pass.output_tokens),
        reasoning: 0,
    }
}

fn gemini(counts: &Counts) -> Result<Usage, UsageFault> {
    let mut read = Reader::default();
    let spoken = figure("responseTokenCount", counts.response_token_count)?;
    let output = figure("candidatesTokenCount", counts.candidates_token_count)?.or(spoken).unwrap_or(0);
    let prompt = figure("promptTokenCount", counts.prompt_token_count)?.ok_or(UsageFault::NoPrompt)?;
    let cached = read.part("cachedContentTokenCount", counts.cached_content_token_count).min(prompt);
    let tokens = TokenUsage {
        input: prompt - cached + read.part("toolUsePromptTokenCount", counts.tool_use_prompt_token_count),
        cached_input: cached,
        cache_write: 0,
        output,
        reasoning: read.part("thoughtsTokenCount", counts.thoughts_token_count),
    };
    Ok(Usage { tokens, ignored: read.ignored, ..Usage::default() })
}

fn interactions(counts: &Counts) -> Result<Usage, UsageFault> {
    let mut read = Reader::default();
    let prompt = figure("total_input_tokens", counts.total_input_tokens)?.ok_or(UsageFault::NoPrompt)?;
    let output = figure("total_output_tokens", counts.total_output_tokens)?.unwrap_or(0);
    let cached = read.part("total_cached_tokens", counts.total_cached_tokens).min(prompt);
    let tokens = TokenUsage {
        input: prompt - cached + read.part("total_tool_use_tokens", counts.total_tool_use_tokens),
        cached_input: cached,
        cache_write: 0,
        output,
        reasoning: read.part("total_thought_tokens", counts.total_thought_tokens),
    };
    Ok(Usage { tokens, ignored: read.ignored, ..Usage::default() })
}
