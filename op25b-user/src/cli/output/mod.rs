//! What commands print: documents, refusals, remarks and how far they are, and what happens when nobody reads it.

pub(in crate::cli) mod forgotten;
pub(in crate::cli) mod json;
pub mod pipe;
pub(in crate::cli) mod problem;
pub mod progress;
pub(in crate::cli) mod stderr;
