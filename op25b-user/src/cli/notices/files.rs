//! Writes the files of notices: none if one of them exists, or cannot be written.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use anyhow::{Context as _, ensure};

/// A file to be written.
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) content: String,
}

/// How many files that exist are named.
const MOST_NAMED: usize = 5;

/// Writes files to a directory, which is made if it is missing. They name customers: nobody else may read them.
pub(super) fn write(directory: &Path, drafts: &[Draft], is_forced: bool) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    let names: BTreeSet<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
    ensure!(names.len() == drafts.len(), "two notices have the same file name");
    if !is_forced {
        let existing: Vec<_> = names
            .iter()
            .filter(|name| fs::symlink_metadata(directory.join(name)).is_ok())
            .collect();
        let first: Vec<_> = existing.iter().take(MOST_NAMED).map(|name| **name).collect();
        ensure!(
            existing.is_empty(),
            "{} in {} already: {}; nothing was written; --force overwrites",
            if existing.len() == 1 {
                "1 file is".to_owned()
            } else {
                format!("{} files are", existing.len())
            },
            directory.display(),
            first.join(", ")
        );
    }
    for Draft { name, content } in drafts {
        let path = directory.join(name);
        write_one(&path, content, is_forced).with_context(|| {
            format!(
                "cannot write {}: some notices are written, none is noted",
                path.display()
            )
        })?;
    }
    Ok(())
}

/// Writes a file. One that exists is replaced, not followed if it is a link.
fn write_one(path: &Path, content: &str, is_forced: bool) -> std::io::Result<()> {
    if is_forced && fs::symlink_metadata(path).is_ok() {
        fs::remove_file(path)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    fn draft(name: &str, content: &str) -> Draft {
        Draft {
            name: name.into(),
            content: content.into(),
        }
    }

    #[test]
    fn files_that_exist_are_kept_unless_it_is_forced_and_links_are_not_followed() {
        let dir = tempdir().unwrap();
        let out = dir.path().join("out");
        let path = |name: &str| out.join(name);
        write(&out, &[draft("a.txt", "1")], false).unwrap();
        let refused = write(&out, &[draft("b.txt", "2"), draft("a.txt", "2")], false).unwrap_err();
        assert!(
            refused.to_string().contains("a.txt; nothing was written"),
            "{refused}"
        );
        assert!(!path("b.txt").exists());
        assert_eq!(fs::read_to_string(path("a.txt")).unwrap(), "1");
        let other = dir.path().join("other");
        fs::write(&other, "kept").unwrap();
        std::os::unix::fs::symlink(&other, path("c.txt")).unwrap();
        write(&out, &[draft("a.txt", "3"), draft("c.txt", "3")], true).unwrap();
        assert_eq!(fs::read_to_string(path("a.txt")).unwrap(), "3");
        assert_eq!(fs::read_to_string(&other).unwrap(), "kept");
        assert!(write(&out, &[draft("d.txt", "4"), draft("d.txt", "4")], true).is_err());
    }
}
