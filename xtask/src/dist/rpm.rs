//! The RPM package, by cargo-generate-rpm: `package.metadata.generate-rpm` in op25b's manifest describes it.

use std::process::Command;

use anyhow::Context as _;
use op25b_host::{paths, process};

use super::{Release, tools};

/// Builds it.
pub fn build(release: &Release) -> anyhow::Result<()> {
    let mut command = Command::new(tools::RPM.path()?);
    command
        .args(["generate-rpm", "--package", "op25b-user", "--auto-req", "builtin"])
        .args(["--target", &release.build.triple, "--target-dir"])
        .arg(&release.build.target_directory)
        .args(["--set-metadata", &format!("version = \"{}\"", release.version)])
        .arg("--output")
        .arg(&release.output)
        .env("SOURCE_DATE_EPOCH", &release.time)
        .current_dir(paths::workspace());
    process::output_of(&mut command).context("cannot build the RPM package")?;
    Ok(())
}
