//! From a policy to what its program reads, and what of that one exemption changes.

mod classes;
mod compiled;
mod entry;
mod error;
mod merge;
mod record_index;
mod rule_changes;
mod sources;

pub use self::{
    compiled::{Compiled, compile},
    entry::Entry,
    error::CompileError,
    record_index::{MOST_ADDRESSES, RecordIndex},
    rule_changes::{Rewritten, RuleChange, Rules},
};
