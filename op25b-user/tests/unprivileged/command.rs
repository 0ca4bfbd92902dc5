//! The op25b under test, where it finds nothing of one that runs on this machine.

use std::{
    path::Path,
    process::{Command, Stdio},
};

/// op25b with all of its directories below a folder, without a terminal and without input.
pub fn op25b_in(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_op25b"));
    for (variable, directory) in [
        ("OP25B_BPFFS", "bpf"),
        ("OP25B_RUNTIME_DIR", "run"),
        ("OP25B_STATE_DIR", "state"),
    ] {
        command.env(variable, folder.join(directory));
    }
    for variable in ["COLUMNS", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}
