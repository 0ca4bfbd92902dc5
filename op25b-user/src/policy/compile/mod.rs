//! Compiles policies: from the model to what the program reads, as a whole or for one exemption.

mod classes;
mod compiled;
mod dates;
mod entry;
mod error;
mod merge;
mod phases;
mod records;
mod rule_changes;
mod sources;

pub use self::{
    compiled::{Compiled, compile, compile_without_expired},
    dates::Dates,
    entry::TrieEntry,
    error::CompileError,
    records::{LruAddresses, MOST_IN_ARRAY, RecordIndex},
    rule_changes::{Rewritten, RuleChange, Rules},
};
pub(crate) use records::subscriber_bits;
