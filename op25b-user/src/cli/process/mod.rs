//! A command as a process: its log, its descriptors, and the signals that end it.

pub(in crate::cli) mod descriptors;
pub(in crate::cli) mod end_by;
pub(in crate::cli) mod ending;
pub mod logging;
