//! How good the classifiers are, measured on labelled data.

pub mod complexity;
pub mod curve;
pub mod plot;
pub mod ranks;
pub mod served;
pub mod volatility;
