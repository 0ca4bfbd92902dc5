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
/// Both packages, as in the tests: so cargo chooses the same features of what they depend on.
const PACKAGES: [&str; 4] = ["--package", "op25b", "--package", "op25b-testlab"];

/// Builds it, beside the op25b that is under test.
pub(super) fn build() -> anyhow::Result<PathBuf> {
    let target = paths::target()?;
    let directory = target.join("soak");
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let mut command = Command::new("cargo");
    command
        .arg("build")
        .args(PACKAGES)
        .args(["--bin", "op25b", "--features", FEATURE, "--target-dir"])
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What a build of these packages depends on outside of the workspace: names, versions and features.
    fn dependencies(words: &[&str]) -> BTreeSet<String> {
        let mut cargo = Command::new("cargo");
        cargo
            .args(["tree", "--locked", "--prefix=none", "--format={p} {f}"])
            .args(words)
            .current_dir(paths::workspace());
        let printed = process::output_of(&mut cargo).unwrap();
        let lines = printed.lines().map(|line| line.trim_end_matches(" (*)"));
        lines
            .filter(|line| !line.contains(&format!("({}", paths::workspace().display())))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn it_is_built_of_the_dependencies_that_were_built_for_the_tests() {
        let tests = dependencies(&["--workspace", "--exclude=op25b-ebpf", "--edges=normal,build,dev"]);
        let other = dependencies(&[&PACKAGES[..], &["--edges=normal,build"]].concat());
        assert!(tests.len() > 100, "{tests:?}");
        let built_again: Vec<_> = other.difference(&tests).collect();
        assert!(built_again.is_empty(), "{built_again:?}");
    }
}
