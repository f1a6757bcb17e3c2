//! Numbers and units must be the same on both sides, each as often.
//!
//! "5 mg" is not "5 g", and "two cups" is "2 cups". That "from 5 to 10" is not "from 10 to 5" is a matter of order.

use crate::cache::align::Alignment;

/// Whether numbers or units differ.
#[must_use]
pub fn vetoes(pair: &Alignment<'_>) -> bool {
    pair.a.quantities != pair.b.quantities
}
