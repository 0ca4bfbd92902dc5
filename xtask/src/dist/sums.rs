//! The checksums of the packages.

use std::{fs, process::Command};

use anyhow::Context as _;
use op25b_host::process;

use super::{Release, files};

/// The file that holds them, for `sha256sum --check`.
pub const NAME: &str = "SHA256SUMS";

/// Writes those of all files of this version.
pub fn write(release: &Release) -> anyhow::Result<()> {
    let mut names: Vec<_> = files(&release.output)?
        .iter()
        .filter_map(|path| path.file_name()?.to_str().map(str::to_owned))
        .filter(|name| is_of(name, &release.version))
        .collect();
    names.sort();
    let mut sha256sum = Command::new("sha256sum");
    sha256sum.args(names).current_dir(&release.output);
    let sums = process::output_of(&mut sha256sum)?;
    let path = release.output.join(NAME);
    fs::write(&path, sums).with_context(|| format!("cannot write {}", path.display()))
}

/// Whether a file is of this version, not of one that its number begins.
pub fn is_of(name: &str, version: &str) -> bool {
    let rest = ["op25b-", "op25b_"]
        .iter()
        .find_map(|start| name.strip_prefix(start))
        .and_then(|rest| rest.strip_prefix(version));
    rest.is_some_and(|rest| rest.starts_with(['-', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_version_are_summed() {
        for name in [
            "op25b_0.2.0-1_amd64.deb",
            "op25b-0.2.0-1.x86_64.rpm",
            "op25b-0.2.0-x86_64-unknown-linux-gnu.tar.xz",
            "op25b-0.2.0.cdx.json",
        ] {
            assert!(is_of(name, "0.2.0"), "{name}");
        }
        for name in [
            "op25b_0.2.0+other.layout-1_amd64.deb",
            "SHA256SUMS",
            "op25b_0.1.0-1_amd64.deb",
        ] {
            assert!(!is_of(name, "0.2.0"), "{name}");
        }
    }
}
