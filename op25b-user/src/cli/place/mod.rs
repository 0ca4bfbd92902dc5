//! Which filter a command is about: its directories, and the network namespace that it runs in.

pub(in crate::cli) mod directories;
pub(in crate::cli) mod elsewhere;
pub(in crate::cli) mod paths;
