//! Unpacks Debian's packages without installing them.

use std::{fs, path::Path, process::Command};

use anyhow::Context as _;
use op25b_host::process::run_quietly;

/// Fetches a package with this `apt-get` and unpacks it into a directory, which is made.
pub fn unpack(mut apt_get: Command, package: &str, into: &Path) -> anyhow::Result<()> {
    let download = tempfile::tempdir().context("cannot make a temporary directory")?;
    run_quietly(apt_get.args(["download", package]).current_dir(download.path()))?;
    let file = fs::read_dir(download.path())
        .context("cannot read the temporary directory")?
        .filter_map(Result::ok)
        .map(|file| file.path())
        .find(|file| file.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get download left no package behind")?;
    fs::create_dir_all(into).with_context(|| format!("cannot make {}", into.display()))?;
    run_quietly(Command::new("dpkg-deb").arg("--extract").arg(&file).arg(into))
}
