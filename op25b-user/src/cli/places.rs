//! Where a filter and its daemon are found: options of all commands that are about them.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// The places; several filters on one machine have different ones.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Places {
    /// Where the filter is pinned, in a BPF file system, which is mounted if there is none.
    #[arg(
        long,
        env = "OP25B_BPFFS",
        value_name = "DIR",
        default_value = "/sys/fs/bpf/op25b"
    )]
    pub(super) bpffs: PathBuf,
    /// Where the daemon's control socket is.
    #[arg(
        long,
        env = "OP25B_RUNTIME_DIR",
        value_name = "DIR",
        default_value = "/run/op25b"
    )]
    pub(super) runtime_dir: PathBuf,
    /// Where the exemptions are stored that were added at run time.
    #[arg(
        long,
        env = "OP25B_STATE_DIR",
        value_name = "DIR",
        default_value = "/var/lib/op25b"
    )]
    pub(super) state_dir: PathBuf,
}
