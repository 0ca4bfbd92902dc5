//! The programs that make packages, from crates.io: one version of each, as another may write other bytes.

use std::{fs, path::PathBuf, process::Command};

use op25b_host::{paths, process};

/// A program that cargo installs, which is the crate's name.
#[derive(Clone, Copy)]
pub struct Tool {
    name: &'static str,
    version: &'static str,
}

/// Makes Debian packages.
pub const DEB: Tool = Tool {
    name: "cargo-deb",
    version: "3.8.0",
};
/// Makes RPM packages.
pub const RPM: Tool = Tool {
    name: "cargo-generate-rpm",
    version: "0.21.1",
};
/// Writes bills of materials.
pub const SBOM: Tool = Tool {
    name: "cargo-cyclonedx",
    version: "0.5.9",
};

impl Tool {
    /// The program, built if it is not there.
    pub fn path(self) -> anyhow::Result<PathBuf> {
        let Self { name, version } = self;
        let root = paths::target()?.join("tools");
        let path = root.join("bin").join(name);
        // Cargo's own list of what it has installed there.
        let installed = fs::read_to_string(root.join(".crates.toml")).unwrap_or_default();
        if installed.contains(&format!("\"{name} {version} ")) && path.is_file() {
            return Ok(path);
        }
        let mut command = Command::new("cargo");
        command
            .args(["install", "--locked", "--quiet", "--root"])
            .arg(&root)
            .arg(format!("{name}@{version}"));
        eprintln!("==> {}", process::shown(&command));
        process::run_quietly(&mut command)?;
        Ok(path)
    }
}
