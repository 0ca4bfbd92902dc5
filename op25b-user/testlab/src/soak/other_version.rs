//! Builds another version of op25b, with another version number and another layout of its maps.

use std::{
    env, fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::{paths, process};

/// The feature of op25b that makes the difference.
const FEATURE: &str = "op25b/other-layout";

/// Builds it, beside the op25b that is under test.
pub(super) fn build() -> anyhow::Result<PathBuf> {
    let target = paths::target()?;
    let directory = target.join("soak");
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let mut command = Command::new("cargo");
    command
        // Both packages, as in the tests: so cargo chooses the same features of what they depend on.
        .args([
            "build",
            "--package",
            "op25b",
            "--package",
            "op25b-testlab",
            "--bin",
            "op25b",
        ])
        .args(["--features", FEATURE, "--target-dir"])
        .arg(&directory)
        // What both have in common, nearly all of it, is built once.
        .env("CARGO_BUILD_BUILD_DIR", &target)
        .current_dir(paths::workspace());
    as_who_began(&mut command, &directory)?;
    process::run_quietly(&mut command)?;
    Ok(directory.join("debug/op25b"))
}

/// Through sudo, builds as whoever began: root's files would be in the way of their next build.
fn as_who_began(command: &mut Command, directory: &Path) -> anyhow::Result<()> {
    let id = |name| match env::var(name) {
        Ok(id) => id
            .parse()
            .map(Some)
            .with_context(|| format!("{name} is no number")),
        Err(_) => Ok(None),
    };
    if let (Some(user), Some(group)) = (id("SUDO_UID")?, id("SUDO_GID")?) {
        chown(directory, Some(user), Some(group))
            .with_context(|| format!("cannot give {} to its user", directory.display()))?;
        command.uid(user).gid(group);
    }
    Ok(())
}
