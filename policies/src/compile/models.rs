//! Models: that somebody serves them, and that their figures make sense.

use super::names::Names;
use crate::file::{ModelEntry, PolicyFile};
use crate::sink::Sink;
use crate::source::Span;

/// Verifies every model, the baseline and the model for prompts out of domain.
pub(super) fn verify(file: &PolicyFile, names: &Names<'_>, sink: &mut Sink) {
    if file.models.is_empty() && !sink.has_errors() {
        sink.warn(Span::default(), "the policy defines no model: every request is answered with 404");
    }
    for model in &file.models {
        verify_model(&model.value, names, sink);
    }
    if let Some(baseline) = &file.baseline {
        names.require_model(baseline, sink);
        let unpriced = names.model(&baseline.value).is_some_and(|(_, model)| {
            let known = super::catalogued(&model.name.value, &model.value, names.provider_of(&model.value));
            model.value.price.is_none() && known.is_none() && !super::charter::has_ceiling(file)
        });
        if unpriced {
            sink.warn(baseline.span, "the baseline has no price, so that no savings can be counted");
        }
    }
    if let Some(model) = file.out_of_domain.as_ref().filter(|name| name.value != super::STRUCTURE) {
        names.require_model_or(super::STRUCTURE, model, sink);
    }
}

fn verify_model(model: &ModelEntry, names: &Names<'_>, sink: &mut Sink) {
    if let Some(provider) = &model.provider {
        names.require_provider(provider, sink);
    }
    if let (Some(output), Some(context)) = (&model.max_output, &model.context)
        && output.value > context.value
    {
        let message = format!("max_output {} is above context {}", output.value, context.value);
        sink.error(output.span, message);
    }
}
