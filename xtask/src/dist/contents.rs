//! Compares what the packages install: the RPM has the files of the Debian package, and none has a time of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use anyhow::{Context as _, ensure};
use op25b_host::{process, toolchain};

use super::{Release, files};

/// What only Debian's package has.
const DEBIAN: [&str; 3] = [
    "/usr/share/doc/op25b/changelog.Debian.gz",
    "/usr/share/doc/op25b/copyright",
    "/usr/share/lintian/overrides/op25b",
];
/// What only the RPM has.
const RPM: [&str; 3] = [
    "/usr/share/licenses/op25b/LICENSE-APACHE",
    "/usr/share/licenses/op25b/LICENSE-MIT",
    "/usr/share/zsh/site-functions/_op25b",
];

/// Fails if the two packages of a release differ in more than that.
pub fn compare(release: &Release) -> anyhow::Result<()> {
    for program in ["dpkg-deb", "rpm"] {
        if toolchain::on_path(program).is_none() {
            eprintln!("the file lists of the packages are not compared: there is no {program}");
            return Ok(());
        }
    }
    let (mut debian, mut rpm) = (None, None);
    for file in files(&release.output)? {
        if !release.has(&file) {
            continue;
        }
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("deb") => debian = Some(of_debian(&file)?),
            Some("rpm") => {
                let files = of_rpm(&file)?;
                let other = with_another_time(&files, &release.time);
                ensure!(
                    other.is_empty(),
                    "files of the RPM have not the time of the release, so that the next build is another one: {other:?}"
                );
                rpm = Some(files.into_keys().collect());
            }
            _ => {}
        }
    }
    let debian = debian.context("there is no Debian package")?;
    let rpm = rpm.context("there is no RPM")?;
    let differences = differences(&debian, &rpm);
    ensure!(
        differences.is_empty(),
        "the packages do not install the same files:\n{}",
        differences.join("\n")
    );
    Ok(())
}

/// The files of one package that the other lacks and should have, each with the package that has it.
fn differences(debian: &BTreeSet<String>, rpm: &BTreeSet<String>) -> Vec<String> {
    let only = |name: &str, ours: &BTreeSet<String>, theirs: &BTreeSet<String>, own: &[&str]| {
        let files = ours.difference(theirs);
        files
            .filter(|file| !own.contains(&file.as_str()))
            .map(|file| format!("only in the {name}: {file}"))
            .collect::<Vec<_>>()
    };
    let mut found = only("Debian package", debian, rpm, &DEBIAN);
    found.extend(only("RPM", rpm, debian, &RPM));
    found
}

fn of_debian(package: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut contents = Command::new("dpkg-deb");
    let text = process::output_of(contents.arg("--contents").arg(package))?;
    // Mode, owner, size, date, time and path; a directory ends in a slash.
    let paths = text.lines().filter_map(|line| line.split_whitespace().nth(5));
    let files = paths.filter(|path| !path.ends_with('/'));
    Ok(files
        .map(|path| path.trim_start_matches('.').to_owned())
        .collect())
}

/// The files of an RPM, each with its time.
fn of_rpm(package: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut query = Command::new("rpm");
    query
        .args([
            "--query",
            "--package",
            "--queryformat",
            "[%{FILEMTIMES} %{FILENAMES}\n]",
        ])
        .arg(package);
    let text = process::output_of(&mut query)?;
    let files = text.lines().filter_map(|line| line.split_once(' '));
    Ok(files
        .map(|(time, path)| (path.to_owned(), time.to_owned()))
        .collect())
}

/// The files whose time is not that of the release, in seconds since 1970.
fn with_another_time<'f>(files: &'f BTreeMap<String, String>, time: &str) -> Vec<&'f str> {
    let other = files.iter().filter(|(_, of_file)| *of_file != time);
    other.map(|(path, _)| path.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(files: &[&str]) -> BTreeSet<String> {
        files.iter().map(|&file| file.to_owned()).collect()
    }

    #[test]
    fn a_file_that_one_package_lacks_is_named() {
        let program = "/usr/bin/op25b";
        let debian = set(&[&[program], &DEBIAN[..]].concat());
        let rpm = set(&[&[program], &RPM[..]].concat());
        assert_eq!(differences(&debian, &rpm), [""; 0]);

        let unit = "/usr/lib/systemd/system/op25b.service";
        let with_unit = |files: &BTreeSet<String>| files.iter().cloned().chain([unit.to_owned()]).collect();
        assert_eq!(
            differences(&with_unit(&debian), &rpm),
            [format!("only in the Debian package: {unit}")]
        );
        assert_eq!(
            differences(&debian, &with_unit(&rpm)),
            [format!("only in the RPM: {unit}")]
        );
    }

    #[test]
    fn a_file_with_a_time_of_its_own_is_named() {
        let (program, license) = ("/usr/bin/op25b", "/usr/share/licenses/op25b/LICENSE-MIT");
        let files = [(program, "1795981007"), (license, "1795978715")];
        let files = files.map(|(path, time)| (path.to_owned(), time.to_owned()));
        assert_eq!(with_another_time(&files.into(), "1795981007"), [license]);
    }
}
