//! The options of a daemon.

use std::path::PathBuf;

use crate::datapath::LogLevel;

/// The options of a daemon.
#[derive(Clone, Debug)]
pub struct Options {
    /// The policy file.
    pub policy: PathBuf,
    /// Where the filter is pinned.
    pub bpffs: PathBuf,
    /// Whether the filter may end with the daemon.
    pub no_persist: bool,
    /// Where the control socket is.
    pub runtime_dir: PathBuf,
    /// Where exemptions are stored.
    pub state_dir: PathBuf,
    /// The state directory whose filter is to be taken over, although its store is not the one in `state_dir`.
    pub previous_state_dir: Option<PathBuf>,
    /// What the program logs about single packets.
    pub datapath_log: LogLevel,
    /// Whether the policy is reloaded whenever its file changes.
    pub watch: bool,
}
