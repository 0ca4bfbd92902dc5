//! The policy that a command is about.

pub(in crate::cli) mod file;
pub(in crate::cli) mod source;
