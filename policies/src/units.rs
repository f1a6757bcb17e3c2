//! Values that are written with their unit: durations, money, sizes, counts, comparisons.
//!
//! Every parser is exact (integers, no floating point) and refuses a value rather than guessing its unit;
//! the refusal carries the mend.

mod comparison;
mod count;
mod decimal;
mod duration;
mod money;
mod rate;
pub(crate) mod show;
mod size;

pub use comparison::comparison;
pub use count::count;
pub use duration::duration;
pub use money::{amount, price};
pub use rate::rate;
pub use size::size;
