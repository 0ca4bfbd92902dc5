//! The outcomes of changes of the exemptions.

use ulid::Ulid;

use crate::{enforcer::explain::Explanation, store::Record};

/// A change of one exemption that is stored and enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// The exemption as it is stored now.
    pub(crate) record: Record,
    /// What the program in the kernel does now with a connection from its first prefix, if that can be determined.
    pub(crate) explanation: Option<Explanation>,
    /// What is probably a mistake.
    pub(crate) warnings: Vec<String>,
}

/// Exemptions that are removed, or that could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemovedMany {
    /// Whether nothing was changed.
    pub(crate) dry_run: bool,
    /// How many were removed, or would be.
    pub(crate) count: usize,
    /// The first of them.
    pub(crate) records: Vec<Record>,
    /// What the program in the kernel does now with a connection from the first prefix of the first one.
    pub(crate) explanation: Option<Explanation>,
}

/// Removed exemptions of which an import adds the same again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RemovedBefore {
    /// How many there are.
    pub(crate) count: usize,
    /// The ids of the first of them.
    pub(crate) first: Vec<Ulid>,
}

/// An import that is stored and enforced, or that could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Imported {
    /// Whether nothing was changed.
    pub(crate) dry_run: bool,
    /// How many exemptions were added, or would be.
    pub(crate) added: usize,
    /// The id of the import; none if it added nothing.
    pub(crate) batch: Option<Ulid>,
    /// How many existed already.
    pub(crate) unchanged: usize,
    /// How many have expired, which are not added.
    pub(crate) lapsed: usize,
    /// The removed exemptions that are added again.
    pub(crate) removed_before: RemovedBefore,
    /// What is probably a mistake: the first of them.
    pub(crate) warnings: Vec<String>,
    /// Whether it took a new generation of the filter.
    pub(crate) new_generation: bool,
}
