//! Whether the policy file and its lists are still what is enforced, and would be enforced if they are not.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, TryLockError},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::policy::{self, PolicyFiles, ReachedDates, Reading};

/// The most bytes of a policy file with its lists that are compiled only to say whether they would be refused.
const MOST_COMPILED: u64 = 16 << 20;

/// How the policy file and its lists compare with what is enforced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileReport {
    /// In a word.
    pub state: FileState,
    /// Why it cannot be read or would be refused; null otherwise.
    #[serde(default)]
    pub why: Option<String>,
}

/// How the policy file and its lists compare with what is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// They are what is enforced.
    Same,
    /// They are something else.
    Differs,
    /// They are something else, which a reload would refuse.
    Invalid,
    /// The file cannot be read.
    Unreadable,
    /// Nobody knows, as a disk does not answer.
    Unknown,
}

impl FileState {
    /// Its word in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Invalid => "invalid",
            Self::Unreadable => "unreadable",
            Self::Unknown => "unknown",
        }
    }
}

impl FileReport {
    fn of(state: FileState) -> Self {
        Self { state, why: None }
    }

    fn because(state: FileState, why: impl Into<String>) -> Self {
        Self {
            state,
            why: Some(why.into()),
        }
    }

    /// That it was not read in time.
    #[must_use]
    pub fn unanswered() -> Self {
        Self::because(FileState::Unknown, "it was not read in time")
    }

    /// Compares the policy at a path with the one whose digest this is.
    #[must_use]
    pub fn compare(path: &Path, enforced: &str, reached: &ReachedDates) -> Self {
        Self::compare_files(&mut PolicyFiles::new(path), path, enforced, reached)
    }

    fn compare_files(files: &mut PolicyFiles, path: &Path, enforced: &str, reached: &ReachedDates) -> Self {
        match files.read() {
            Reading::Complete(digest) | Reading::Incomplete(digest) if digest == enforced => {
                Self::of(FileState::Same)
            }
            Reading::Complete(_) | Reading::Incomplete(_) => {
                let paths = files.paths();
                let bytes = paths.iter().filter_map(|path| path.metadata().ok());
                if bytes.map(|file| file.len()).sum::<u64>() > MOST_COMPILED {
                    return Self::of(FileState::Differs);
                }
                match policy::read_holding(path, reached) {
                    Ok(_) => Self::of(FileState::Differs),
                    Err(refused) => Self::because(FileState::Invalid, refused.in_one_line()),
                }
            }
            Reading::Absent => Self::because(
                FileState::Unreadable,
                match File::open(path) {
                    Ok(_) => format!("{} is empty", path.display()),
                    Err(error) => format!("cannot read {}: {error}", path.display()),
                },
            ),
        }
    }
}

/// What a policy's files were when they were compared last. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct ComparedFile(Arc<Mutex<Option<Compared>>>);

#[derive(Debug)]
struct Compared {
    enforced: String,
    stamps: Vec<(PathBuf, Option<Stamp>)>,
    report: FileReport,
}

/// What changes with a file, as far as it can be known without reading it.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let found: io::Result<Metadata> = fs::metadata(path);
        let found = found.ok()?;
        Some(Self {
            file: (found.dev(), found.ino()),
            length: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

impl ComparedFile {
    /// Compares, reading the files only if one of them has changed since. While another thread does, which a disk may keep, nothing
    /// is known.
    #[must_use]
    pub fn compare(&self, path: &Path, enforced: &str, reached: &ReachedDates) -> FileReport {
        let mut compared = match self.0.try_lock() {
            Ok(compared) => compared,
            Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
            Err(TryLockError::WouldBlock) => return FileReport::unanswered(),
        };
        if let Some(Compared {
            enforced: before,
            stamps,
            report,
        }) = &*compared
            && before == enforced
            && stamps.iter().all(|(path, stamp)| Stamp::of(path) == *stamp)
            && stamps.first().is_some_and(|(first, _)| first == path)
        {
            return report.clone();
        }
        let mut files = PolicyFiles::new(path);
        // Before they are read: what changes meanwhile is read again.
        files.find_lists();
        let stamps = files.paths().into_iter().map(|path| {
            let stamp = Stamp::of(&path);
            (path, stamp)
        });
        let stamps = stamps.collect();
        let report = FileReport::compare_files(&mut files, path, enforced, reached);
        *compared = Some(Compared {
            enforced: enforced.to_owned(),
            stamps,
            report: report.clone(),
        });
        report
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const POLICY: &str = "version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\n\
        pools: [{ name: homes, prefixes_from: [homes.txt] }]\n";

    #[test]
    fn the_file_and_its_lists_are_compared_with_what_is_enforced() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("policy.yaml");
        let list = folder.path().join("homes.txt");
        fs::write(&path, POLICY).unwrap();
        fs::write(&list, "198.51.100.0/24\n").unwrap();
        let reached = ReachedDates::default();
        let enforced = policy::read(&path).unwrap().sha256;
        let compared = ComparedFile::default();
        let state = || {
            let report = compared.compare(&path, &enforced, &reached);
            assert_eq!(report, FileReport::compare(&path, &enforced, &reached));
            report
        };
        assert_eq!(state(), FileReport::of(FileState::Same));

        fs::write(&list, "203.0.113.0/24\n").unwrap();
        assert_eq!(state(), FileReport::of(FileState::Differs));
        fs::write(&list, "203.0.113.1/24\n").unwrap();
        let invalid = state();
        assert_eq!(invalid.state, FileState::Invalid);
        assert!(
            invalid.why.as_ref().is_some_and(|why| why.contains("homes.txt")),
            "{invalid:?}"
        );
        // As it was.
        fs::write(&list, "198.51.100.0/24\n").unwrap();
        assert_eq!(state(), FileReport::of(FileState::Same));

        fs::write(&path, "").unwrap();
        assert_eq!(state().why.unwrap(), format!("{} is empty", path.display()));
        fs::remove_file(&path).unwrap();
        let gone = state();
        assert_eq!(gone.state, FileState::Unreadable);
        assert!(gone.why.unwrap().contains("No such file or directory"));
    }

    #[test]
    fn a_policy_that_is_loaded_meanwhile_is_what_the_file_is_compared_with() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("policy.yaml");
        fs::write(&path, "version: 2\n").unwrap();
        let compared = ComparedFile::default();
        let reached = ReachedDates::default();
        assert_eq!(compared.compare(&path, "00", &reached).state, FileState::Invalid);
        let digest = policy::digest(b"version: 2\n");
        assert_eq!(compared.compare(&path, &digest, &reached).state, FileState::Same);
    }

    #[test]
    fn a_disk_that_keeps_one_thread_keeps_no_other() {
        let compared = ComparedFile::default();
        let _kept = compared.0.lock().unwrap();
        let other = compared.clone();
        let report = other.compare(Path::new("/nowhere"), "00", &ReachedDates::default());
        assert_eq!(report, FileReport::unanswered());
    }
}
