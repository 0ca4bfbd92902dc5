//! The software bill of materials, in the form of `CycloneDX`: every crate in the program, with its version, licence and checksum.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;
use op25b_host::{paths, process};
use serde::Deserialize;

use super::{Release, tools};

/// What `cargo metadata` prints, as far as it is needed.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

/// Writes it.
pub fn write(release: &Release) -> anyhow::Result<()> {
    let workspace = paths::workspace();
    let name = format!("op25b-{}.cdx", release.version);
    let mut command = Command::new(tools::SBOM.path()?);
    command
        .args([
            "cyclonedx",
            "--quiet",
            "--format",
            "json",
            "--spec-version",
            "1.5",
        ])
        .args(["--target", &release.build.triple, "--no-build-deps"])
        .args(["--override-filename", &name])
        .env("SOURCE_DATE_EPOCH", &release.time)
        .current_dir(workspace);
    let written = process::output_of(&mut command).context("cannot write the bill of materials");
    // One is written beside the manifest of each member of the workspace; the others are not of what is published.
    let mut text = None;
    for Package {
        name: member,
        manifest_path,
    } in members()?
    {
        let file = manifest_path.with_file_name(format!("{name}.json"));
        if member == "op25b" && written.is_ok() {
            text = Some(read(&file)?);
        }
        // None is left behind, also if it failed.
        let _ = fs::remove_file(&file);
    }
    written?;
    // It names the members by where they are on this machine.
    let directory = workspace.to_string_lossy();
    let text = text
        .context("cargo names no package op25b")?
        .replace(&*directory, "/op25b");
    let path = release.output.join(format!("{name}.json"));
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn members() -> anyhow::Result<Vec<Package>> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["metadata", "--no-deps", "--format-version=1", "--locked"])
        .current_dir(paths::workspace());
    let metadata: Metadata = serde_json::from_str(&process::output_of(&mut cargo)?)?;
    Ok(metadata.packages)
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
