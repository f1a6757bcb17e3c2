//! A sentence model from files, through fastembed.

use std::fmt;

use fastembed::{InitOptionsUserDefined, Pooling, TextEmbedding, TokenizerFiles, UserDefinedEmbeddingModel};
use router_core::cache::semantic::Vector;
use sha2::{Digest, Sha256};
use tokenizers::Tokenizer;
use tokenizers::utils::parallelism::set_parallelism;

use super::{EmbedError, Embedder, LoadError, ModelFiles, files, runtime};

/// Tokens that a text may have, its two end marks included. What all-MiniLM-L6-v2 was made for, and about 21 ms
/// of one core, which is already more than a request waits.
pub const MOST_TOKENS: usize = 256;

/// Bytes above which a text is refused unread. 256 tokens of prose are about 1,200 bytes; the rest is for scripts of
/// three bytes a character and for blanks, which make no token.
pub const MOST_BYTES: usize = 8192;

/// Which model, tokenizer and runtime made a vector. The same weights give slightly other vectors on another runtime
/// (cosine 0.99 with 8-bit weights), so stored vectors are kept with this and compared only with their like.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The fingerprint of parts, each taken whole: moving a byte from one part to the next makes another.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let whole: [u8; 32] = hash.finalize().into();
        let mut short = [0; 16];
        short.copy_from_slice(&whole[..16]);
        Self(short)
    }

    /// The bytes, as a key for stores.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// A sentence model in memory: about 85 MB with all-MiniLM-L6-v2, and one core while it works.
///
/// CPU time with the 8-bit model of `scripts/fetch-models`: 2 ms for 20 words, 8 ms for 100, 21 ms for 250.
pub struct SentenceModel {
    model: TextEmbedding,
    /// The model's tokenizer without padding and cut, to count by.
    counter: Tokenizer,
    most_tokens: usize,
    dimensions: usize,
    fingerprint: Fingerprint,
}

impl fmt::Debug for SentenceModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentenceModel")
            .field("most_tokens", &self.most_tokens)
            .field("dimensions", &self.dimensions)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

impl SentenceModel {
    /// Loads a model and embeds one text with it, so that what cannot work is known now. Takes 100-300 ms.
    ///
    /// # Errors
    /// Files that cannot be read, a library that is no ONNX Runtime from 1.24 on, a model that does not work.
    pub fn load(files: &ModelFiles) -> Result<Self, LoadError> {
        // One text at a time, on the thread that asks.
        set_parallelism(false);
        let environment = runtime::environment(&files.library)?;
        let graph = files::read(&files.model)?;
        let tokenizer_files = TokenizerFiles {
            tokenizer_file: files.read("tokenizer.json")?,
            config_file: files.read("config.json")?,
            special_tokens_map_file: files.read("special_tokens_map.json")?,
            tokenizer_config_file: files.read("tokenizer_config.json")?,
        };
        let fingerprint = Fingerprint::of(&[
            &graph,
            &tokenizer_files.tokenizer_file,
            format!("{:?}", pooling(files)).as_bytes(),
            runtime::build().as_bytes(),
        ]);
        let most_tokens = most_tokens(files);
        let model = UserDefinedEmbeddingModel::new(graph, tokenizer_files).with_pooling(pooling(files));
        let options = InitOptionsUserDefined::new()
            .with_environment(environment)
            .with_intra_threads(1)
            .with_max_length(most_tokens);
        let broken = |reason: String| LoadError::Model { folder: files.folder.clone(), reason };
        let model = TextEmbedding::try_new_from_user_defined(model, options)
            .map_err(|error| broken(error.to_string()))?;
        let mut counter = model.tokenizer.clone();
        counter.with_padding(None);
        counter.with_truncation(None).map_err(|error| broken(error.to_string()))?;
        let mut loaded = Self { model, counter, most_tokens, dimensions: 0, fingerprint };
        let probe = loaded.embed("How does it work?").map_err(|error| broken(error.to_string()))?;
        Vector::try_new(&probe).map_err(|error| broken(error.to_string()))?;
        loaded.dimensions = probe.len();
        Ok(loaded)
    }
}

impl Embedder for SentenceModel {
    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EmbedError> {
        let too_long = EmbedError::TooLong { most: self.most_tokens };
        if text.len() > MOST_BYTES {
            return Err(too_long);
        }
        let tokens =
            self.counter.encode_fast(text, true).map_err(|error| EmbedError::Failed(error.to_string()))?;
        if tokens.len() > self.most_tokens {
            return Err(too_long);
        }
        let vectors =
            self.model.embed([text], None).map_err(|error| EmbedError::Failed(error.to_string()))?;
        vectors.into_iter().next().ok_or_else(|| EmbedError::Failed("it returned nothing".into()))
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// How tokens become a sentence, by the file that sentence-transformers keeps it in: their mean unless it says that
/// the first stands for all.
fn pooling(files: &ModelFiles) -> Pooling {
    let config = files.read_json("1_Pooling/config.json");
    if config["pooling_mode_cls_token"].as_bool() == Some(true) { Pooling::Cls } else { Pooling::Mean }
}

/// The most tokens a text may have: fewer than [`MOST_TOKENS`] where the model was made for fewer.
fn most_tokens(files: &ModelFiles) -> usize {
    let stated = [
        files.read_json("sentence_bert_config.json")["max_seq_length"].as_u64(),
        files.read_json("tokenizer_config.json")["model_max_length"].as_u64(),
    ];
    let least = stated.into_iter().flatten().filter(|&most| most > 0).min();
    least.map_or(MOST_TOKENS, |least| {
        usize::try_from(least).map_or(MOST_TOKENS, |least| least.min(MOST_TOKENS))
    })
}
