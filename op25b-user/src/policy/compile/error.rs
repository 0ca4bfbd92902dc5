//! The reasons why a valid policy does not fit into the kernel.

use op25b_common::values::RuleIndex;
use thiserror::Error;

use crate::lpm::TablesFull;

/// Why a valid policy does not fit into the kernel.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CompileError {
    /// A list has more items than an index can number.
    #[error("a list of the policy has more than {} items", RuleIndex::MAX - 1)]
    TooManyRules,
    /// Prefixes are so long and so far apart that their tables are too large.
    #[error(
        "the policy's prefixes need more than {} MiB of tables in the kernel; aggregate adjacent exemptions, or shorten \
         their prefixes",
        MOST_TABLE_BYTES >> 20
    )]
    TooLarge,
    /// Nested exemptions with destinations multiply.
    #[error(
        "nested exemptions with destinations need more than {limit} destination entries; remove the destinations of the \
         outer ones, or separate them"
    )]
    TooManyDestinations {
        /// The limit for one address family.
        limit: usize,
    },
}

/// The limit on the memory of tables and classes.
pub(crate) const MOST_TABLE_BYTES: usize = 1 << 30;

impl From<TablesFull> for CompileError {
    fn from(_: TablesFull) -> Self {
        Self::TooLarge
    }
}
