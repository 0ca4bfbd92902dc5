//! Keeps a copy of the workspace up to date, so that little of it is built again.

use std::{fs, io, path::Path};

use anyhow::Context as _;

/// Makes one directory of sources like another.
///
/// Cargo builds again what has a later time than the last build. So a file that is the same already keeps its time, and
/// what differs gets the time of now, not the original's: that may be before the last build, which had a mutant in it.
pub(super) fn bring_up_to_date(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in entries(to)? {
        let (here, there) = (entry.path(), from.join(entry.file_name()));
        if is_left_out(&there) || !there.exists() || there.is_dir() != here.is_dir() {
            remove(&here).with_context(|| format!("cannot remove {}", here.display()))?;
        }
    }
    for entry in entries(from)? {
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if is_left_out(&path) {
            continue;
        }
        if path.is_dir() {
            bring_up_to_date(&path, &copy)?;
            continue;
        }
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if fs::read(&copy).is_ok_and(|copied| copied == text) {
            continue;
        }
        fs::write(&copy, text).with_context(|| format!("cannot write {}", copy.display()))?;
    }
    Ok(())
}

/// Build directories, wherever they are, and git's.
fn is_left_out(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == ".git") || path.join("CACHEDIR.TAG").is_file()
}

fn entries(directory: &Path) -> anyhow::Result<Vec<fs::DirEntry>> {
    fs::read_dir(directory)
        .and_then(Iterator::collect)
        .with_context(|| format!("cannot read {}", directory.display()))
}

fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn modified(path: &Path) -> SystemTime {
        fs::metadata(path).unwrap().modified().unwrap()
    }

    fn set_modified(path: &Path, time: SystemTime) {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(time).unwrap();
    }

    #[test]
    fn what_a_killed_run_left_broken_is_newer_than_its_build_once_it_is_right_again() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("src")).unwrap();
        let build = SystemTime::now() - Duration::from_mins(1);
        for name in ["src/broken", "src/same"] {
            fs::write(from.join(name), name).unwrap();
            set_modified(&from.join(name), build - Duration::from_mins(1));
        }
        bring_up_to_date(&from, &to).unwrap();
        fs::write(to.join("src/broken"), "a mutant").unwrap();
        for name in ["src/broken", "src/same"] {
            set_modified(&to.join(name), build - Duration::from_secs(1));
        }

        bring_up_to_date(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("src/broken")).unwrap(), "src/broken");
        assert!(modified(&to.join("src/broken")) > build);
        assert!(modified(&to.join("src/same")) < build);
    }

    #[test]
    fn the_copy_has_neither_what_is_gone_nor_what_is_built() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        for directory in ["src", "target", ".git"] {
            fs::create_dir_all(from.join(directory)).unwrap();
            fs::write(from.join(directory).join("file"), "").unwrap();
        }
        fs::write(from.join("target/CACHEDIR.TAG"), "").unwrap();
        for gone in ["gone/file", "src/file/file"] {
            let gone = to.join(gone);
            fs::create_dir_all(gone.parent().unwrap()).unwrap();
            fs::write(gone, "").unwrap();
        }

        bring_up_to_date(&from, &to).unwrap();
        let names = |path: &Path| -> Vec<_> {
            let entries = entries(path).unwrap();
            entries.iter().map(fs::DirEntry::file_name).collect()
        };
        assert_eq!(names(&to), ["src"]);
        assert_eq!(names(&to.join("src")), ["file"]);
        assert!(to.join("src/file").is_file());
    }
}
