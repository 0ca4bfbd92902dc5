//! Runs the commands of `cargo xtask` that use the lab.

use std::process::ExitCode;

fn main() -> ExitCode {
    op25b_testlab::commands::run()
}
