//! The files of a package, as they are installed: all packages are made from this one tree.

use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use op25b_host::{paths, process};

use super::{Release, changelog, files};

/// Files of the workspace, and where they are installed: a directory, or a path.
const FILES: [(&str, &str); 23] = [
    ("deploy/op25b.service", "usr/lib/systemd/system/"),
    ("deploy/op25b-metrics.service", "usr/lib/systemd/system/"),
    ("deploy/op25b-metrics.timer", "usr/lib/systemd/system/"),
    ("deploy/op25b-alerts@.service", "usr/lib/systemd/system/"),
    ("deploy/op25b-events@.service", "usr/lib/systemd/system/"),
    ("deploy/op25b-up@.service", "usr/lib/systemd/system/"),
    ("deploy/op25b.sysusers", "usr/lib/sysusers.d/op25b.conf"),
    ("deploy/op25b.tmpfiles", "usr/lib/tmpfiles.d/op25b.conf"),
    ("deploy/policy.yaml", "etc/op25b/"),
    ("README.md", "usr/share/doc/op25b/"),
    ("README.ja.md", "usr/share/doc/op25b/"),
    ("docs/*.md", "usr/share/doc/op25b/docs/"),
    ("docs/openapi.json", "usr/share/doc/op25b/docs/"),
    ("docs/pictures/*.png", "usr/share/doc/op25b/docs/pictures/"),
    ("docs/ja/*.md", "usr/share/doc/op25b/docs/ja/"),
    ("policies/*.yaml", "usr/share/doc/op25b/examples/"),
    (
        "deploy/prometheus/*.yaml",
        "usr/share/doc/op25b/examples/prometheus/",
    ),
    ("deploy/grafana/*.json", "usr/share/doc/op25b/examples/grafana/"),
    ("deploy/metrics-server/*", "usr/share/doc/op25b/examples/"),
    ("deploy/journal/*", "usr/share/doc/op25b/examples/journal/"),
    ("policies/lists/*", "usr/share/doc/op25b/examples/lists/"),
    ("policies/notices/*", "usr/share/doc/op25b/examples/notices/"),
    ("CHANGELOG.md", "usr/share/doc/op25b/changelog.gz"),
];

/// Where the tree is, below the directory of the program.
pub fn directory(release: &Release) -> PathBuf {
    release.build.directory().join("tree")
}

/// Writes the tree anew.
pub fn write(release: &Release) -> anyhow::Result<()> {
    let root = directory(release);
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    copy(
        &release.build.directory().join("op25b"),
        &root.join("usr/bin/op25b"),
    )?;
    for (pattern, destination) in FILES {
        for source in matching(pattern)? {
            let mut to = root.join(destination);
            if destination.ends_with('/') {
                to.push(source.file_name().unwrap_or_default());
            }
            if to.extension() == Some(OsStr::new("gz")) {
                write_compressed(&to, &fs::read(&source)?)?;
            } else {
                copy(&source, &to)?;
            }
        }
    }
    write_pages(&root)?;
    // What only one of the packages has.
    let (debian, rpm) = (
        release.build.directory().join("debian"),
        release.build.directory().join("rpm"),
    );
    copy(
        &paths::workspace().join("deploy/deb/lintian-overrides"),
        &debian.join("op25b"),
    )?;
    write_compressed(
        &debian.join("changelog.Debian.gz"),
        changelog::debian(release)?.as_bytes(),
    )?;
    for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
        copy(&paths::workspace().join(license), &rpm.join(license))?;
    }
    date(&[root, debian, rpm], release)
}

/// Gives everything in the directories the time of the release: a package has the times of the files that it is made from.
fn date(directories: &[PathBuf], release: &Release) -> anyhow::Result<()> {
    let mut find = Command::new("find");
    find.args(directories)
        .args(["-exec", "touch", &format!("--date=@{}", release.time), "{}", "+"]);
    process::output_of(&mut find).context("cannot set the time of the packages' files")?;
    Ok(())
}

/// Writes the man pages, compressed, and the shell completions, by a program that knows op25b's command line.
fn write_pages(root: &Path) -> anyhow::Result<()> {
    let mut pages = Command::new("cargo");
    pages
        .args(["run", "--quiet", "--locked", "--package", "op25b-pages", "--"])
        .arg(root)
        .current_dir(paths::workspace());
    eprintln!("==> {}", process::shown(&pages));
    ensure!(
        pages.status().context("cannot run cargo")?.success(),
        "no man pages were written: see above"
    );
    for section in ["man5", "man8"] {
        for page in files(&root.join("usr/share/man").join(section))? {
            let mut gzip = Command::new("gzip");
            process::output_of(gzip.args(["-9", "--no-name"]).arg(page))?;
        }
    }
    Ok(())
}

/// The files of the workspace that a pattern names, whose last part may be `*` and an ending.
fn matching(pattern: &str) -> anyhow::Result<Vec<PathBuf>> {
    let path = paths::workspace().join(pattern);
    let Some((directory, ending)) = pattern.split_once('*') else {
        return Ok(vec![path]);
    };
    let mut found = files(&paths::workspace().join(directory))?;
    found.retain(|path| path.to_string_lossy().ends_with(ending));
    ensure!(!found.is_empty(), "no file is {pattern}");
    Ok(found)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    make_parent(to)?;
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Compresses as Debian's policy wants it, without a time and a name in the file.
pub fn write_compressed(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    make_parent(path)?;
    let file = fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut gzip = Command::new("gzip");
    gzip.args(["-9", "--no-name"]).stdin(Stdio::piped()).stdout(file);
    let mut child = gzip.spawn().context("cannot run gzip")?;
    let mut stdin = child.stdin.take().context("gzip has no input")?;
    stdin.write_all(content).context("cannot compress")?;
    drop(stdin);
    ensure!(child.wait()?.success(), "gzip failed for {}", path.display());
    Ok(())
}

fn make_parent(path: &Path) -> anyhow::Result<()> {
    let parent = path.parent().context("a file has a directory")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))
}
