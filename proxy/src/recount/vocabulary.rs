//! Which vocabulary a model cuts its text by.

use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton};

/// A vocabulary, exact for its own models and near for others.
///
/// Only OpenAI publishes its vocabularies in this form. Of the rest:
///
/// * Llama 3, Qwen and DeepSeek use vocabularies of 100,000 to 150,000 pieces that were built the way `cl100k_base` was.
/// * Gemini, Mistral's later models and Grok have 130,000 to 260,000 pieces, near `o200k_base`.
/// * Claude's is not published; published comparisons find 16 % (prose) to 30 % (code) more tokens than `o200k_base`.
///
/// Newer models mostly come with larger vocabularies, so unknown names count by `o200k_base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    /// `o200k_base`: gpt-4o and later, o1 and later, gpt-oss.
    O200k,
    /// `cl100k_base`: gpt-4, gpt-3.5, text embeddings.
    Cl100k,
    /// `o200k_base` and a fifth more.
    Claude,
}

/// Names by their beginning, the first that fits.
const FAMILIES: [(&str, Vocabulary); 14] = [
    ("gpt-4o", Vocabulary::O200k),
    ("gpt-4.", Vocabulary::O200k),
    ("gpt-4", Vocabulary::Cl100k),
    ("gpt-3.5", Vocabulary::Cl100k),
    ("gpt-35", Vocabulary::Cl100k),
    ("text-embedding", Vocabulary::Cl100k),
    ("babbage", Vocabulary::Cl100k),
    ("davinci", Vocabulary::Cl100k),
    ("claude", Vocabulary::Claude),
    ("anthropic", Vocabulary::Claude),
    ("llama", Vocabulary::Cl100k),
    ("meta-llama", Vocabulary::Cl100k),
    ("qwen", Vocabulary::Cl100k),
    ("deepseek", Vocabulary::Cl100k),
];

/// Text is counted in pieces of this size, so that no single text can hold the thread for long. Each seam may add a token.
const PIECE_BYTES: usize = 16 << 10;

impl Vocabulary {
    /// The vocabulary of the model of this name, which may stand behind a path (`openai/gpt-4o`) and in any case.
    #[must_use]
    pub fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model).as_bytes();
        let begins = |prefix: &str| {
            name.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        FAMILIES.iter().find(|(prefix, _)| begins(prefix)).map_or(Self::O200k, |(_, vocabulary)| *vocabulary)
    }

    /// How many tokens `text` is. The first call loads the vocabulary.
    #[must_use]
    pub fn count(self, text: &str) -> u64 {
        let mut rest = text;
        let mut tokens = 0;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
            tokens += self.pieces().count_ordinary(piece) as u64;
            rest = after;
        }
        match self {
            Self::Claude => (tokens * 6).div_ceil(5),
            Self::O200k | Self::Cl100k => tokens,
        }
    }

    fn pieces(self) -> &'static CoreBPE {
        match self {
            Self::O200k | Self::Claude => o200k_base_singleton(),
            Self::Cl100k => cl100k_base_singleton(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Vocabulary;

    #[test]
    fn a_family_has_its_vocabulary() {
        for (model, vocabulary) in [
            ("gpt-4o-mini", Vocabulary::O200k),
            ("gpt-4.1", Vocabulary::O200k),
            ("GPT-5-nano", Vocabulary::O200k),
            ("o3", Vocabulary::O200k),
            ("gpt-4-turbo", Vocabulary::Cl100k),
            ("openai/gpt-3.5-turbo", Vocabulary::Cl100k),
            ("text-embedding-3-small", Vocabulary::Cl100k),
            ("anthropic/claude-sonnet-4-6", Vocabulary::Claude),
            ("llama3.1:8b", Vocabulary::Cl100k),
            ("house-model", Vocabulary::O200k),
            ("", Vocabulary::O200k),
        ] {
            assert_eq!(Vocabulary::of(model), vocabulary, "{model}");
        }
    }

    #[test]
    fn counts_are_those_of_the_vocabulary() {
        // Published examples: https://github.com/openai/openai-cookbook, "How to count tokens with tiktoken".
        for (text, cl100k, o200k) in
            [("antidisestablishmentarianism", 6, 6), ("2 + 2 = 4", 7, 7), ("お誕生日おめでとう", 9, 8)]
        {
            assert_eq!(Vocabulary::Cl100k.count(text), cl100k, "{text}");
            assert_eq!(Vocabulary::O200k.count(text), o200k, "{text}");
        }
        assert_eq!(Vocabulary::Claude.count("2 + 2 = 4"), 9, "a fifth more, rounded up");
        assert_eq!(Vocabulary::O200k.count(""), 0);
    }

    #[test]
    fn long_and_odd_texts_are_counted() {
        for text in
            ["a".repeat(100_000), " ".repeat(100_000), "\u{1f9ff}".repeat(30_000), "A1!\n".repeat(20_000)]
        {
            let tokens = Vocabulary::O200k.count(&text);
            assert!(tokens > 0 && tokens <= text.len() as u64, "{tokens}");
        }
    }
}
