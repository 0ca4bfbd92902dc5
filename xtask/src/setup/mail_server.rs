//! Unpacks a real mail server for the tests, Debian's `OpenSMTPD`, without installing it.
//!
//! Installing a mail server would start it, and remove the one that the machine may have. Unpacked into the target
//! directory it does neither, and each test starts one of its own.

use std::{fs, process::Command};

use anyhow::{Context as _, ensure};

use op25b_host::{paths, process::run_quietly};

/// The package.
pub const PACKAGE: &str = "opensmtpd";

/// Whether it is there.
#[must_use]
pub fn is_unpacked() -> bool {
    paths::mail_server().is_ok_and(|directory| directory.join("usr/sbin/smtpd").is_file())
}

/// Fetches the package and unpacks it.
pub fn unpack() -> anyhow::Result<()> {
    let directory = paths::mail_server()?;
    let download = tempfile::tempdir().context("cannot make a temporary directory")?;
    run_quietly(
        Command::new("apt-get")
            .args(["download", PACKAGE])
            .current_dir(download.path()),
    )?;
    let package = fs::read_dir(download.path())
        .context("cannot read the temporary directory")?
        .filter_map(Result::ok)
        .map(|file| file.path())
        .find(|file| file.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get download left no package behind")?;
    // Unpacked beside and renamed, so that a half-unpacked one is never taken for a whole one.
    let partial = directory.with_extension(format!("partial-{}", std::process::id()));
    fs::create_dir_all(&partial).with_context(|| format!("cannot make {}", partial.display()))?;
    run_quietly(
        Command::new("dpkg-deb")
            .arg("--extract")
            .arg(&package)
            .arg(&partial),
    )?;
    if fs::rename(&partial, &directory).is_err() {
        fs::remove_dir_all(&partial).with_context(|| format!("cannot remove {}", partial.display()))?;
    }
    ensure!(
        is_unpacked(),
        "{} holds no mail server after unpacking",
        directory.display()
    );
    Ok(())
}
