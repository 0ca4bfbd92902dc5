//! Another version of op25b: one that differs in its number and in the layout of its maps.

use std::{
    env,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};

use crate::{paths, process, workspace_copy::bring_up_to_date};

/// What is different, each in one place: a file, what stands there, and what instead.
const CHANGES: [(&str, &str, &str); 3] = [
    ("Cargo.toml", "\nversion = \"0.1.0\"\n", "\nversion = \"0.1.1\"\n"),
    (
        "op25b-common/src/lib.rs",
        "pub const LAYOUT_VERSION: u32 = 1;",
        "pub const LAYOUT_VERSION: u32 = 2;",
    ),
    (
        "op25b-common/src/values.rs",
        "pub const COUNTER_SLOTS: usize = 2 * 2 * crate::Reason::COUNT;",
        "pub const COUNTER_SLOTS: usize = 2 * 2 * crate::Reason::COUNT + 8;",
    ),
];

/// Builds it from a copy of the workspace, below cargo's target directory.
pub(super) fn build() -> anyhow::Result<PathBuf> {
    let target = paths::target()?;
    let directory = target.join("soak");
    let workspace = directory.join("workspace");
    for (file, ..) in CHANGES {
        ensure!(
            paths::workspace().join(file).is_file(),
            "the soak's other version does not fit any more: there is no {file}"
        );
    }
    bring_up_to_date(paths::workspace(), &workspace, &changed)?;
    let mut command = Command::new("cargo");
    command
        .args(["build", "--package", "op25b", "--bin", "op25b", "--target-dir"])
        .arg(directory.join("target"))
        // What both have in common, nearly all of it, is built once.
        .env("CARGO_BUILD_BUILD_DIR", &target)
        .current_dir(&workspace);
    as_who_began(&mut command)?;
    process::run_quietly(&mut command)?;
    Ok(directory.join("target/debug/op25b"))
}

/// Through sudo, builds as whoever began: root's files would be in the way of their next build.
fn as_who_began(command: &mut Command) -> anyhow::Result<()> {
    let id = |name| match env::var(name) {
        Ok(id) => id
            .parse()
            .map(Some)
            .with_context(|| format!("{name} is no number")),
        Err(_) => Ok(None),
    };
    if let (Some(user), Some(group)) = (id("SUDO_UID")?, id("SUDO_GID")?) {
        for path in [
            paths::target()?.join("soak"),
            paths::target()?.join("soak/workspace"),
        ] {
            chown(&path, Some(user), Some(group))
                .with_context(|| format!("cannot give {} to its user", path.display()))?;
        }
        command.uid(user).gid(group);
    }
    Ok(())
}

/// A file of the workspace, as it is in the other version.
fn changed(file: &Path, text: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let mut text = text;
    for (_, from, to) in CHANGES.iter().filter(|(changed, ..)| Path::new(changed) == file) {
        let original = String::from_utf8(text).with_context(|| format!("{} is no text", file.display()))?;
        ensure!(
            original.matches(from).count() == 1,
            "the soak's other version does not fit any more: {from:?} is not once in {}",
            file.display()
        );
        text = original.replace(from, to).into_bytes();
    }
    Ok(text)
}
