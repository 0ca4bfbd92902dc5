//! The directories of a filter and its daemon: options of all commands that use them.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// The heading of the options that all commands have, after those of the command.
pub(in crate::cli) const GLOBAL: &str = "Global options";

/// The usual directory of the control socket, and the variable that names another one.
pub(in crate::cli) const RUNTIME_DIR: &str = "/run/op25b";
pub(in crate::cli) const RUNTIME_VARIABLE: &str = "OP25B_RUNTIME_DIR";

/// The usual state directory.
pub(in crate::cli) const STATE_DIR: &str = "/var/lib/op25b";

/// The directories; several filters on one machine have different ones.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct Paths {
    /// Directory of the filter's pins, in a BPF file system, which is mounted if there is none.
    #[arg(
        long,
        help_heading = GLOBAL,
        env = "OP25B_BPFFS",
        value_name = "DIR",
        default_value = "/sys/fs/bpf/op25b"
    )]
    pub(in crate::cli) bpffs: PathBuf,
    /// Directory of the daemon's control socket.
    #[arg(
        long,
        help_heading = GLOBAL,
        env = RUNTIME_VARIABLE,
        value_name = "DIR",
        default_value = RUNTIME_DIR
    )]
    pub(in crate::cli) runtime_dir: PathBuf,
    /// Directory of the store of exemptions that were added at run time, and of what else a start needs, such as the last good policy.
    #[arg(
        long,
        help_heading = GLOBAL,
        env = "OP25B_STATE_DIR",
        value_name = "DIR",
        default_value = STATE_DIR
    )]
    pub(in crate::cli) state_dir: PathBuf,
}
