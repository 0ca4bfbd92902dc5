//! The changelog in Debian's form: one entry, which refers to the one of the project.

use std::process::Command;

use anyhow::Context as _;
use op25b_host::process;

use super::{Release, deb};

/// The changelog of the package.
pub fn debian(release: &Release) -> anyhow::Result<String> {
    let mut date = Command::new("date");
    date.args(["--utc", "--rfc-email", "--date", &format!("@{}", release.time)]);
    let date = process::output_of(&mut date).context("cannot write the time of the commit as a date")?;
    Ok(format!(
        "op25b ({}-{}) unstable; urgency=medium\n\n  * The changes are in changelog.gz.\n\n -- The op25b authors <op25b@users.noreply.github.com>  {}\n",
        release.version,
        deb::REVISION,
        date.trim()
    ))
}
