//! Decides where an AI request goes.
pub mod ids;
pub mod money;
pub mod score;
pub mod tokens;
