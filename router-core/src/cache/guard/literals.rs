//! Code, addresses, symbols and quotations must be the same, byte for byte, wherever they stand.

use crate::cache::align::Alignment;

/// Whether any span that is compared byte for byte is in one text only.
#[must_use]
pub fn vetoes(pair: &Alignment<'_>) -> bool {
    pair.a.literals != pair.b.literals
}
