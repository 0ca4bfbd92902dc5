//! What commands print: documents, refusals and remarks, and what happens when nobody reads it.

pub(in crate::cli) mod forgotten;
pub(in crate::cli) mod json;
pub mod pipe;
pub(in crate::cli) mod problem;
pub(in crate::cli) mod stderr;
