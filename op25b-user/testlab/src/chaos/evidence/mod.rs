//! What a walk sees, and what it proves.

pub mod observation;
pub mod reports;
pub mod rules;
