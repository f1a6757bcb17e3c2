//! Money as integers: prices in pico-dollars a token, amounts in nano-dollars.
//!
//! The cheapest published price in use today is about `$0.0025` per million tokens, 2,500 pico-dollars a
//! token; nano-dollars would lose a fifth of it. An amount rounds *up* to the next nano-dollar, so that a
//! sum of charges is never below what the provider asks for.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// An amount of money in nano-dollars (10⁻⁹ USD). Saturates at about 18 billion dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(u64);

impl Usd {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// More than any bill: the saturation point.
    pub const MAX: Self = Self(u64::MAX);

    /// An amount of `nanos` × 10⁻⁹ USD.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// An amount in dollars; negative and NaN become zero, too large saturates.
    #[must_use]
    pub fn from_dollars(dollars: f64) -> Self {
        Self((dollars * 1e9).round() as u64)
    }

    /// The amount × 10⁹.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The amount in dollars, for display and metrics (never for sums).
    #[must_use]
    pub fn dollars(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// `self − other`, zero when `other` is larger.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Usd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::add)
    }
}

/// Nine decimals without trailing zeros: `0.00031`.
impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        if nanos == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{nanos:09}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// A price in pico-dollars (10⁻¹² USD) a token. `$1/M` is 1,000,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenPrice(u64);

impl TokenPrice {
    /// A price of `picos` × 10⁻¹² USD a token.
    #[must_use]
    pub const fn from_picos(picos: u64) -> Self {
        Self(picos)
    }

    /// A price in dollars per million tokens.
    #[must_use]
    pub fn per_million(dollars: f64) -> Self {
        Self((dollars * 1e6).round() as u64)
    }

    /// The price × 10¹².
    #[must_use]
    pub const fn picos(self) -> u64 {
        self.0
    }

    /// This price for `tokens` in pico-dollars, wide enough for any product.
    pub(crate) const fn total(self, tokens: u64) -> u128 {
        self.0 as u128 * tokens as u128
    }
}

/// Pico-dollars rounded up to [`Usd`].
pub(crate) fn round_up(picos: u128) -> Usd {
    Usd(u64::try_from(picos.div_ceil(1_000)).unwrap_or(u64::MAX))
}
