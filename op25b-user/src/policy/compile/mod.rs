//! Compiles policies: from the model to what the program reads, as a whole or for one exemption.

mod classes;
mod compiled;
mod dates;
mod entry;
mod error;
mod merge;
mod phases;
mod record_index;
mod rule_changes;
mod sources;

pub use self::{
    compiled::{Compiled, compile, compile_without_expired},
    dates::Dates,
    entry::TrieEntry,
    error::CompileError,
    record_index::{MOST_ADDRESSES, RecordIndex, RecordedPrefixes},
    rule_changes::{Rewritten, RuleChange, Rules},
};
