//! The files of the packages as a tar archive, for a distribution without packages of ours.

use std::process::Command;

use anyhow::Context as _;
use op25b_host::process;

use super::{Release, tree};

/// Writes it.
pub fn write(release: &Release) -> anyhow::Result<()> {
    let name = format!("op25b-{}-{}", release.version, release.build.triple);
    let mut tar = Command::new("tar");
    tar.args(["--create", "--auto-compress", "--sort=name", "--format=gnu"])
        .args(["--owner=0", "--group=0", "--numeric-owner", "--mode=go-w,a+rX"])
        .arg(format!("--mtime=@{}", release.time))
        .arg(format!("--transform=s,^[.],{name},"))
        .arg("--file")
        .arg(release.output.join(format!("{name}.tar.xz")))
        .arg("--directory")
        .arg(tree::directory(release))
        .arg(".");
    process::output_of(&mut tar).context("cannot write the archive")?;
    Ok(())
}
