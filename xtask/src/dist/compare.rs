//! Builds the same commit a second time, in another directory and from nothing, and compares the bytes.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, ensure};
use op25b_host::{paths, process};

use super::{Release, build::Build, files};

/// Builds again and compares; `release` is built.
pub fn run(release: &Release) -> anyhow::Result<ExitCode> {
    let directory = paths::target()?.join("dist/again");
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    let source = directory.join("op25b");
    let mut clone = Command::new("git");
    clone
        .args(["clone", "--quiet", "--shared"])
        .args([paths::workspace(), &source]);
    process::output_of(&mut clone).context("cannot copy the commit")?;
    share_tools(&source)?;

    let output = directory.join("packages");
    let again = Build {
        target_directory: source.join("target/dist/build"),
        ..release.build.clone()
    };
    let mut build = again.xtask(&source);
    build.arg("--output").arg(&output);
    eprintln!("==> {}", process::shown(&build));
    ensure!(build.status()?.success(), "the second build failed: see above");

    let mut differ = false;
    let mut pairs: Vec<(PathBuf, PathBuf)> = vec![(release.build.object(), again.object())];
    for first in files(&release.output)? {
        let second = output.join(first.file_name().unwrap_or_default());
        if release.has(&first) {
            pairs.push((first, second));
        }
    }
    for (first, second) in pairs {
        let is_equal = read(&first)? == read(&second)?;
        differ |= !is_equal;
        let verdict = if is_equal { "equal" } else { "DIFFERENT" };
        println!("{verdict:9}  {}", first.display());
    }
    Ok(if differ {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// What makes packages is one version for both builds: it is not built a second time.
fn share_tools(source: &Path) -> anyhow::Result<()> {
    let (ours, theirs) = (paths::target()?, source.join("target"));
    let made = fs::create_dir_all(&theirs)
        // Cargo marks only a directory that it makes itself, and the mark is what target directories are found by.
        .and_then(|()| fs::copy(ours.join(paths::MARK), theirs.join(paths::MARK)))
        .and_then(|_| symlink(ours.join("tools"), theirs.join("tools")));
    made.with_context(|| format!("cannot share the tools with {}", theirs.display()))
}

/// Refuses a comparison that could not be one: the second build is of the commit, the first of the files as they are.
pub fn ensure_committed() -> anyhow::Result<()> {
    let mut status = Command::new("git");
    status
        .args(["status", "--porcelain", "--untracked-files=no"])
        .current_dir(paths::workspace());
    let changes = process::output_of(&mut status)?;
    ensure!(
        changes.is_empty(),
        "there are changes that are not committed:\n{changes}"
    );
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
