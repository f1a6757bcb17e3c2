//! Where a sentence model's files are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::LoadError;

/// Environment variable that names the model directory where the command line does not.
pub const DIRECTORY_VARIABLE: &str = "XYNERGY_ROUTER_MODELS";

/// The variable by which ONNX Runtime's library is named where it is not beside the model.
const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";

/// Names of the library by platform; the first that is there is taken.
const LIBRARIES: [&str; 3] = ["libonnxruntime.so", "libonnxruntime.dylib", "onnxruntime.dll"];

/// The directory to look in: the given one, else what the environment names, else `./models`.
///
/// ```
/// use router_classifiers::embed::model_directory;
///
/// assert_eq!(model_directory(None, |_| None).to_str(), Some("models"));
/// assert_eq!(model_directory(None, |_| Some("elsewhere".into())).to_str(), Some("elsewhere"));
/// ```
#[must_use]
pub fn model_directory(given: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    given.map_or_else(
        || {
            let named = variable(DIRECTORY_VARIABLE).filter(|named| !named.is_empty());
            named.map_or_else(|| PathBuf::from("models"), PathBuf::from)
        },
        Path::to_path_buf,
    )
}

/// The files of one sentence model: a directory as `scripts/fetch-models` makes it, or as a hub keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFiles {
    /// The directory.
    pub folder: PathBuf,
    /// The graph with its weights: `model.onnx` or `onnx/model.onnx`.
    pub model: PathBuf,
    /// ONNX Runtime, 1.24 or later.
    pub library: PathBuf,
}

impl ModelFiles {
    /// Finds the files; reads none of them. The library may be elsewhere: the variable `ORT_DYLIB_PATH` is asked for
    /// where the directory has none.
    ///
    /// # Errors
    /// The first file that is not there.
    pub fn find(folder: &Path, variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, LoadError> {
        let missing = |what| LoadError::Missing { what, folder: folder.to_path_buf() };
        let first = |names: &[&str]| names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
        let model = first(&["model.onnx", "onnx/model.onnx"])
            .ok_or_else(|| missing("model.onnx or onnx/model.onnx"))?;
        for name in TOKENIZER {
            first(&[name]).ok_or_else(|| missing(name))?;
        }
        let named = || variable(LIBRARY_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let library = first(&LIBRARIES).or_else(named).ok_or_else(|| missing(LIBRARIES[0]))?;
        Ok(Self { folder: folder.to_path_buf(), model, library })
    }

    /// Reads one file of the directory.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>, LoadError> {
        read(&self.folder.join(name))
    }

    /// Reads one file of the directory that need not be there, as JSON.
    pub(super) fn read_json(&self, name: &str) -> serde_json::Value {
        let bytes = std::fs::read(self.folder.join(name)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }
}

/// What a tokenizer consists of.
const TOKENIZER: [&str; 4] =
    ["tokenizer.json", "config.json", "special_tokens_map.json", "tokenizer_config.json"];

/// Reads a file, naming it in the error.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|source| LoadError::Unreadable { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<OsString> {
        None
    }

    #[test]
    fn the_command_line_names_the_directory_before_the_environment() {
        let named = |name: &str| (name == DIRECTORY_VARIABLE).then(|| OsString::from("named"));
        assert_eq!(model_directory(Some(Path::new("given")), named), Path::new("given"));
        assert_eq!(model_directory(None, named), Path::new("named"));
        assert_eq!(model_directory(None, |_| Some(OsString::new())), Path::new("models"));
    }

    #[test]
    fn every_missing_file_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let mut complaints = Vec::new();
        for name in [
            "model.onnx",
            "tokenizer.json",
            "config.json",
            "special_tokens_map.json",
            "tokenizer_config.json",
        ] {
            let error = ModelFiles::find(folder.path(), none).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("scripts/fetch-models"), "{error}");
            complaints.push(error);
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let error = ModelFiles::find(folder.path(), none).unwrap_err().to_string();
        assert!(error.contains("libonnxruntime.so"), "{error}");
        complaints.push(error);
        complaints.dedup();
        assert_eq!(complaints.len(), 6);
    }

    #[test]
    fn a_directory_as_a_hub_keeps_it_will_do() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("onnx")).unwrap();
        for name in TOKENIZER.iter().chain(&["onnx/model.onnx"]) {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let elsewhere = |name: &str| (name == LIBRARY_VARIABLE).then(|| OsString::from("/lib/here.so"));
        let files = ModelFiles::find(folder.path(), elsewhere).unwrap();
        assert_eq!(files.model, folder.path().join("onnx/model.onnx"));
        assert_eq!(files.library, Path::new("/lib/here.so"));
        std::fs::write(folder.path().join("libonnxruntime.so"), "").unwrap();
        let files = ModelFiles::find(folder.path(), elsewhere).unwrap();
        assert_eq!(files.library, folder.path().join("libonnxruntime.so"));
    }
}
