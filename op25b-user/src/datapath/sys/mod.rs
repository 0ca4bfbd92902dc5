//! The system's interfaces: bpf(2), the BPF file system, arrays mapped into memory, network interfaces, clocks, namespaces,
//! processes.
//!
//! Nothing in here depends on the filter.

pub(crate) mod bpf;
pub(crate) mod bpffs;
pub mod clock;
pub(crate) mod interfaces;
pub(crate) mod netlink;
pub(crate) mod network_namespace;
pub(crate) mod process;
pub mod requirements;
pub(crate) mod users;
