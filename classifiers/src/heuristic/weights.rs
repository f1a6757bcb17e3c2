//! The weights of the heuristic, and why.
//!
//! Each term is `weight * ln(1 + min(count, cap))`: the first formula says more than the tenth. The weights were rounded from
//! a logistic fit of everyday requests (CLINC150, BANKING77) against examination questions and competition problems
//! (MMLU-Pro, MATH), then moved by hand where that data is silent: it holds no code, so `code` and `demands` were raised until
//! one-line programming tasks left the internal band. Caps keep any one term from deciding: length alone cannot leave the
//! hybrid band, however long the text.

use router_core::score::Prompt;

use crate::text::Shape;

type Term = (&'static str, f32);

/// Addends of the score.
const TERMS: usize = 14;

/// Where an average short request starts.
const BASE: f32 = -7.2;

/// The addends of the score; their sum goes through [`squash`].
pub(super) fn terms(shape: &Shape, prompt: &Prompt<'_>) -> [Term; TERMS] {
    let formulas = shape.operators + shape.commands + shape.formula_marks + shape.variables;
    let code = 0.8 * growth(shape.code + shape.indented, 12) + 0.5 * growth(shape.brackets, 12);
    let parts = 0.4 * growth(shape.sentences.saturating_sub(1), 8)
        + 0.3 * growth(shape.questions.saturating_sub(1), 4);
    [
        ("base", BASE),
        ("length", 1.2 * growth(shape.words, 120)),
        ("vocabulary", 0.4 * shape.per_word(shape.word_bytes).min(8.0)),
        ("numbers", 1.4 * growth(shape.numbers, 12)),
        ("formulas", 1.4 * growth(formulas, 30)),
        ("code", code),
        ("layout", 0.8 * growth(shape.items, 8) + 0.6 * growth(shape.lines.saturating_sub(1), 12)),
        ("parts", parts),
        ("constraints", growth(shape.constraints, 8)),
        ("demands", 1.8 * growth(shape.demands, 6)),
        ("arguments", 0.5 * growth(shape.arguments, 6)),
        ("personal", -1.3 * growth(shape.personal, 4)),
        ("conversation", conversation(prompt)),
        ("request", request(prompt)),
    ]
}

/// `ln(1 + min(count, cap))`.
fn growth(count: u32, cap: u32) -> f32 {
    (count.min(cap) as f32).ln_1p()
}

/// Earlier turns and instructions: the answer has to fit more. Small, because they mostly repeat from call to call.
pub(super) fn conversation(prompt: &Prompt<'_>) -> f32 {
    let earlier = prompt.turns.saturating_sub(1);
    let kilobytes = (prompt.history.len() + prompt.system.len()) / 1024;
    0.25 * growth(earlier, 20) + 0.1 * growth(u32::try_from(kilobytes).unwrap_or(u32::MAX), 100)
}

/// Tools, images, a schema, an open tool loop: each makes a wrong answer likelier from a weak model.
pub(super) fn request(prompt: &Prompt<'_>) -> f32 {
    0.3 * growth(prompt.tools, 20)
        + 0.5 * growth(prompt.images, 8)
        + if prompt.json_schema { 0.4 } else { 0.0 }
        + if prompt.tool_loop { 0.3 } else { 0.0 }
}

/// Below the middle the scale is 3.2: 97-98 % of everyday requests then stay at or under 0.4. Above it is 6: a score over 0.8
/// takes several kinds of evidence, since this scorer's "hard" is a guess and the dear model should be a considered choice.
const SCALE_BELOW: f32 = 3.2;
const SCALE_ABOVE: f32 = 6.0;

/// Sum of the terms → 0..1, rising, 0 ↦ 0.5.
pub(super) fn squash(sum: f32) -> f32 {
    let scale = if sum < 0.0 { SCALE_BELOW } else { SCALE_ABOVE };
    1.0 / (1.0 + (-sum / scale).exp())
}

/// The inverse of [`squash`], for scores kept 0.001 away from 0 and 1.
pub(super) fn unsquash(score: f32) -> f32 {
    let score = score.clamp(0.001, 0.999);
    let scale = if score < 0.5 { SCALE_BELOW } else { SCALE_ABOVE };
    scale * (score / (1.0 - score)).ln()
}

/// How far the sum is from where simple and hard requests meet (about -1.3, which [`squash`] takes to 0.4), as the
/// probability of a logistic with slope 0.8. An order of magnitude; only the learned scorer's confidence is calibrated.
pub(super) fn confidence(sum: f32) -> f32 {
    1.0 / (1.0 + (-0.8 * (sum + 1.3).abs()).exp())
}
