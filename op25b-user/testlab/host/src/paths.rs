//! Directories: the workspace, and what is built or unpacked from it.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

/// The workspace's directory.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(3)
        .unwrap_or(Path::new("/"))
}

/// The file by which cargo marks a target directory.
pub const MARK: &str = "CACHEDIR.TAG";

/// Cargo's target directory: the one that this program was built into.
pub fn target() -> anyhow::Result<PathBuf> {
    let this = env::current_exe().context("cannot find the path of this program")?;
    this.ancestors()
        .find(|directory| directory.join(MARK).is_file())
        .map(Path::to_path_buf)
        .with_context(|| format!("{} is in no target directory of cargo's", this.display()))
}

/// Where the set-up unpacks a package of Debian's that the tests run without installing it.
pub fn unpacked(package: &str) -> anyhow::Result<PathBuf> {
    Ok(target()?.join(package))
}
