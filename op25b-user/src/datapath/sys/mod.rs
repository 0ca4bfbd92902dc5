//! The system's interfaces: bpf(2), the BPF file system, arrays mapped into memory, network interfaces, clocks, namespaces,
//! processes.
//!
//! Nothing in here depends on the filter.

pub(crate) mod bpf;
pub(crate) mod bpffs;
pub mod clock;
pub(crate) mod denial;
pub(crate) mod detached_bpffs;
pub(crate) mod ethtool;
pub(crate) mod flowtables;
mod generic_netlink;
pub(crate) mod interfaces;
pub(crate) mod lifetime;
pub(crate) mod map;
pub(crate) mod mapping;
pub(crate) mod membarrier;
mod mounts;
pub(crate) mod network_namespace;
pub(crate) mod possible_cpus;
pub(crate) mod process;
pub mod requirements;
pub(crate) mod time_sync;
pub(crate) mod users;
pub(crate) mod xdp_features;
