//! The Debian package, by cargo-deb: `package.metadata.deb` in op25b's manifest describes it.

use std::process::Command;

use anyhow::Context as _;
use op25b_host::{paths, process};

use super::{Release, tools};

/// The revision of the package of a version.
pub const REVISION: &str = "1";

/// Builds it.
pub fn build(release: &Release) -> anyhow::Result<()> {
    let mut command = Command::new(tools::DEB.path()?);
    command
        .args(["deb", "--no-build", "--no-strip", "--quiet", "--package", "op25b"])
        .args(["--target", &release.build.triple])
        .args(["--deb-version", &format!("{}-{REVISION}", release.version)])
        .arg("--output")
        .arg(&release.output)
        .env("CARGO_TARGET_DIR", &release.build.target_directory)
        .env("SOURCE_DATE_EPOCH", &release.time)
        .current_dir(paths::workspace());
    process::output_of(&mut command).context("cannot build the Debian package")?;
    Ok(())
}
