//! What was found: filters, the interfaces that they run on, and why one could not be read.

use aya::programs::ProgramError;
use thiserror::Error;

use crate::{
    datapath::{
        object::Description,
        stats::{AnswerCount, CounterTable, NotIpByIndex, PoolCounts, PoolStarts, SubscriberRecords},
        sys::{bpf::map::MapError, interfaces::InterfacesError},
    },
    policy::Role,
};

/// The filters that were found.
#[derive(Debug, Default)]
pub struct Found {
    /// Those that this op25b can read, in the order in which they were loaded.
    pub filters: Vec<FoundFilter>,
    /// Those that another version loaded, whose maps this one cannot read.
    pub unreadable: Vec<UnreadableFilter>,
}

/// A filter of another version, of which only the interfaces are known.
#[derive(Debug)]
pub struct UnreadableFilter {
    /// The interfaces it is attached to.
    pub interfaces: Vec<FoundInterface>,
    /// Which part of it cannot be read, and why.
    pub why: String,
}

/// A filter in the kernel: up to two programs with one set of maps.
#[derive(Debug)]
pub struct FoundFilter {
    /// The interfaces it is attached to.
    pub interfaces: Vec<FoundInterface>,
    /// Its description.
    pub description: Description,
    /// The packets by interface.
    pub counters: CounterTable,
    /// The packets by pool; none if another version counts them otherwise.
    pub pools: Option<PoolCounts>,
    /// The replies to rejected packets; none if another version counts them otherwise.
    pub answers: Option<Vec<AnswerCount>>,
    /// The frames that were not IP.
    pub not_ip: NotIpByIndex,
    /// From when on each of its pools is enforced; none if this op25b cannot read its classes.
    pub pool_starts: Option<PoolStarts>,
    /// Bytes of kernel memory that its maps take, about: their entries, without the kernel's own bookkeeping.
    pub map_bytes: u64,
    /// Its subscribers' records; none if this op25b cannot read their layout.
    pub records: Option<SubscriberRecords>,
}

/// An interface with a filter on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundInterface {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Which packets it receives.
    pub role: Role,
    /// `native` or `generic`.
    pub mode: &'static str,
    /// The program's id.
    pub program_id: u32,
}

/// Why running filters could not be read.
#[derive(Debug, Error)]
pub enum DiscoverError {
    /// The interfaces cannot be listed.
    #[error(transparent)]
    Interfaces(#[from] InterfacesError),
    /// The programs cannot be listed.
    #[error("cannot list the loaded BPF programs (this needs root: CAP_SYS_ADMIN)")]
    Programs(#[from] ProgramError),
    /// A filter's maps cannot be read.
    #[error("cannot read the maps of program {program_id} (this needs root: CAP_SYS_ADMIN)")]
    Maps {
        /// The program.
        program_id: u32,
        /// The kernel's answer.
        source: MapError,
    },
}
