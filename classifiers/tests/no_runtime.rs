//! Libraries that are not ONNX Runtime. A process of its own, because one that is gets loaded once and for all.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use router_classifiers::embed::{LoadError, ModelFiles, SentenceModel};

/// A directory that has all files, none of them what it should be, and the error of loading it.
fn refused(library: PathBuf) -> LoadError {
    let folder = tempfile::tempdir().unwrap();
    for name in
        ["model.onnx", "tokenizer.json", "config.json", "special_tokens_map.json", "tokenizer_config.json"]
    {
        std::fs::write(folder.path().join(name), "{}").unwrap();
    }
    let files = ModelFiles::find(folder.path(), |_| Some(library.clone().into_os_string())).unwrap();
    SentenceModel::load(&files).unwrap_err()
}

#[test]
fn what_is_no_library_at_all_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("libonnxruntime.so");
    std::fs::write(&text, "not a library").unwrap();
    for library in [text, folder.path().join("not there.so"), folder.path().to_path_buf()] {
        let error = refused(library.clone());
        assert!(matches!(error, LoadError::Runtime { .. }), "{error}");
        assert!(error.to_string().contains(library.to_str().unwrap()), "{error}");
        assert!(error.to_string().contains("scripts/fetch-models"), "{error}");
    }
}

#[test]
fn another_library_is_an_error() {
    // The C library of this very process, which certainly loads.
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return };
    let libraries = maps.lines().filter_map(|line| line.split_whitespace().last());
    let Some(library) = libraries.into_iter().find(|path| path.contains("/libc.so")) else { return };
    let error = refused(Path::new(library).to_path_buf());
    assert!(matches!(error, LoadError::Runtime { .. }), "{error}");
}
