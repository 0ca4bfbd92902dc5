//! What the system offers: bpf(2), the BPF file system, arrays mapped into memory, interfaces, clocks.
//!
//! Nothing here knows the filter.

pub(crate) mod bpf;
pub(crate) mod bpffs;
pub mod clock;
pub(crate) mod interfaces;
pub(crate) mod mapping;
pub(crate) mod membarrier;
pub mod requirements;
