//! Why a valid policy does not fit into the kernel.

use op25b_common::values::RuleIndex;
use thiserror::Error;

use crate::lpm::Full;

/// Why a valid policy cannot be brought into the kernel.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CompileError {
    /// More items than an index has room for.
    #[error("a list of the policy has more than {} items", RuleIndex::MAX - 1)]
    TooManyRules,
    /// Prefixes so long and so far from one another that tables for them grow beyond all measure.
    #[error(
        "the policy's prefixes need more than {} MiB of tables in the kernel; merge neighbouring exemptions, or shorten \
         their prefixes",
        MOST_TABLE_BYTES >> 20
    )]
    TooLarge,
    /// Exemptions with destinations, nested in one another, multiply.
    #[error(
        "exemptions with destinations lie in one another so often that they need more than {limit} destination \
         entries; give the outer ones no destinations, or separate them"
    )]
    TooManyDestinations {
        /// The most there may be, for one address family.
        limit: usize,
    },
}

/// The most memory that tables and classes may take.
pub(crate) const MOST_TABLE_BYTES: usize = 1 << 30;

impl From<Full> for CompileError {
    fn from(_: Full) -> Self {
        Self::TooLarge
    }
}
