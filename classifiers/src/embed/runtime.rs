//! ONNX Runtime, loaded once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

use super::LoadError;

/// The process's one environment. The library allows one at a time and is never unloaded, so the first model decides
/// which library it is; a later model with another one runs on the first.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// Loads the library, or hands out what is loaded. Without this call first, the bindings would look for a library of
/// their own and panic where there is none.
///
/// # Errors
/// No library, one of another machine, one too old, and whatever else it does not survive.
pub(super) fn environment(library: &Path) -> Result<Environment, LoadError> {
    let refused = |reason: String| LoadError::Runtime { library: library.to_path_buf(), reason };
    let mut environment = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = environment.as_ref() {
        return Ok(environment.clone());
    }
    // A relative path would be taken as relative to the program.
    let path = std::path::absolute(library).map_err(|error| refused(error.to_string()))?;
    let load = || -> Result<Environment, String> {
        let builder = ort::init_from(&path).map_err(|error| error.to_string())?;
        builder.with_name("xynergy-router").with_telemetry(false).build().map_err(|error| error.to_string())
    };
    // The bindings assert what a library that is not ONNX Runtime may not do.
    let loaded = catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(|_| Err("it is no ONNX Runtime".into()));
    let loaded = loaded.map_err(refused)?;
    loaded.set_log_level(LogLevel::Error);
    Ok(environment.insert(loaded).clone())
}

/// Which build of the library is loaded; call it after [`environment`].
pub(super) fn build() -> &'static str {
    ort::info()
}
