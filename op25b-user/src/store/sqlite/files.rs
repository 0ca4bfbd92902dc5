//! The store's files in the state directory.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, lchown},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::steps::step;
use crate::store::database::Database;

/// Readable for members of the daemon's group.
const DIR_MODE: u32 = 0o750;
pub(super) const FILE_MODE: u32 = 0o640;

/// The paths of the files.
#[derive(Clone, Debug)]
pub(super) struct Files {
    dir: PathBuf,
}

impl Files {
    pub(super) fn in_dir(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The store itself.
    pub(super) fn store(&self) -> PathBuf {
        Database::Exemptions.path(&self.dir)
    }

    /// The last backup.
    pub(super) fn backup(&self) -> PathBuf {
        self.dir.join("exemptions.db.backup")
    }

    /// The backup before the last.
    pub(super) fn backup_before(&self) -> PathBuf {
        self.dir.join("exemptions.db.backup.1")
    }

    /// A backup that is being made.
    pub(super) fn backup_draft(&self) -> PathBuf {
        self.dir.join("exemptions.db.backup.new")
    }

    /// A recovered store that is being made.
    pub(super) fn recovery_draft(&self) -> PathBuf {
        self.dir.join("exemptions.db.recovering")
    }

    /// A recovered store that is complete and not yet in its place.
    pub(super) fn recovered(&self) -> PathBuf {
        self.dir.join("exemptions.db.recovered")
    }

    /// Creates the directory if it is missing.
    pub(super) fn make_dir(&self) -> io::Result<()> {
        make_dir(&self.dir)
    }

    /// Creates a file if it is missing. SQLite gives the files that it creates beside it the same mode.
    ///
    /// An existing file is not opened: closing it would release the locks that SQLite holds on it in this process.
    pub(super) fn make(path: &Path) -> io::Result<()> {
        step()?;
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(path);
        match made {
            Ok(file) => {
                // Whatever the umask is.
                file.set_permissions(Permissions::from_mode(FILE_MODE))?;
                path.parent().map_or(Ok(()), sync)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Replaces a file by a complete one, so that after a crash one of the two is there.
    pub(super) fn put(&self, from: &Path, to: &Path) -> io::Result<()> {
        step()?;
        File::open(from)?.sync_all()?;
        step()?;
        fs::rename(from, to)?;
        sync(&self.dir)
    }

    /// Moves the store and the files beside it aside; returns the new path, if anything was there.
    pub(super) fn move_aside(&self, now: Timestamp) -> io::Result<Option<PathBuf>> {
        let store = self.store();
        let is_any = ["", "-wal", "-shm"]
            .iter()
            .any(|suffix| fs::symlink_metadata(beside(&store, suffix)).is_ok());
        if !is_any {
            return Ok(None);
        }
        let at = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let aside = (0..1000)
            .map(|again| match again {
                0 => self.dir.join(format!("exemptions.db.damaged-{at}")),
                again => self.dir.join(format!("exemptions.db.damaged-{at}.{again}")),
            })
            .find(|path| !path.exists() && !beside(path, "-wal").exists())
            .ok_or(io::ErrorKind::AlreadyExists)?;
        for suffix in ["", "-wal", "-shm"] {
            step()?;
            if_any(fs::rename(beside(&store, suffix), beside(&aside, suffix)))?;
        }
        sync(&self.dir)?;
        Ok(Some(aside))
    }
}

/// Creates a state directory if it is missing.
pub(super) fn make_dir(dir: &Path) -> io::Result<()> {
    step()?;
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir)
}

/// Makes the changes of a directory durable.
fn sync(dir: &Path) -> io::Result<()> {
    step()?;
    File::open(dir)?.sync_all()
}

/// The path of a file that SQLite creates beside another.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Gives a database that root made, with the files beside it, to the owner of the directory: the daemon, which has no privileges.
pub(super) fn give_to_owner_of(dir: &Path, file: &Path) -> io::Result<()> {
    let owner = fs::metadata(dir)?;
    for path in ["", "-wal", "-shm"].map(|suffix| beside(file, suffix)) {
        let Ok(of_file) = fs::symlink_metadata(&path) else {
            continue;
        };
        if (of_file.uid(), of_file.gid()) != (owner.uid(), owner.gid()) {
            step()?;
            lchown(&path, Some(owner.uid()), Some(owner.gid()))?;
        }
    }
    Ok(())
}

/// Whether SQLite would write to a file of this format, as far as its header can be read. SQLite itself reports only that
/// the file cannot be written.
///
/// This releases the locks of readers in this process; no other process writes to the file.
pub(super) fn is_writable_format(path: &Path) -> bool {
    let mut header = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    // The versions of the format for writing and for reading.
    read.is_err() || header[18..].iter().all(|version| matches!(version, 1 | 2))
}

/// Removes a file with those that SQLite creates beside it, if they exist.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        step()?;
        if_any(fs::remove_file(beside(path, suffix)))?;
    }
    Ok(())
}

/// Whether a file exists; an error if that cannot be determined.
pub(super) fn exists(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What distinguishes a file from one that has replaced it, and from itself before a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The device and the inode.
    identity: (u64, u64),
    /// The size in bytes.
    pub(super) len: u64,
    /// Whether it is a file. The size of anything else depends on the file system.
    pub(super) is_file: bool,
    modified: (i64, i64),
}

impl Seen {
    /// The state of a file now; `None` if it is missing.
    pub(super) fn at(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(data) => Ok(Some(Self {
                identity: (data.dev(), data.ino()),
                len: data.len(),
                is_file: data.is_file(),
                modified: (data.mtime(), data.mtime_nsec()),
            })),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The files that a connection has open, as they were when it last used them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    store: Seen,
    /// The devices and inodes of the log and its index.
    beside: [Option<(u64, u64)>; 2],
}

/// What is at a store's path, compared with the files that a connection has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The same files.
    Same,
    /// The same files, but another process wrote to the store.
    Written,
    /// Nothing, or a store without the log.
    Removed,
    /// Another file.
    Replaced {
        /// Whether the log beside it is the one that is open.
        log_is_open: bool,
    },
}

impl Used {
    /// The files at a store's path; `None` if there is no store.
    pub(super) fn at(store: &Path) -> io::Result<Option<Self>> {
        let Some(seen) = Seen::at(store)? else {
            return Ok(None);
        };
        let identity = |suffix| -> io::Result<_> {
            let seen = Seen::at(&beside(store, suffix))?;
            Ok(seen.map(|seen| seen.identity))
        };
        Ok(Some(Self {
            store: seen,
            beside: [identity("-wal")?, identity("-shm")?],
        }))
    }

    /// The files of a connection that were removed right after it had opened them: nothing at a path is the same.
    pub(super) const REMOVED: Self = Self {
        store: Seen {
            identity: (0, 0),
            len: 0,
            is_file: true,
            modified: (0, 0),
        },
        beside: [None, None],
    };

    /// The same files after the connection has used them.
    ///
    /// What is at the path now and is not what was open, another process has put there or removed meanwhile: then what was
    /// open stays noted, so that the next comparison finds the difference.
    pub(super) fn used_again(self, store: &Path) -> Self {
        match Self::at(store) {
            Ok(Some(now)) if now.has_the_files_of(&self) => now,
            _ => self,
        }
    }

    /// Whether it is the same store with the same log, as far as there was one.
    fn has_the_files_of(&self, before: &Self) -> bool {
        let mut beside = self.beside.iter().zip(&before.beside);
        self.store.identity == before.store.identity
            && beside.all(|(now, before)| before.is_none() || now == before)
    }

    /// Compares what is at the path now with the files that are open.
    pub(super) fn place(&self, store: &Path) -> io::Result<Place> {
        Ok(match Self::at(store)? {
            None => Place::Removed,
            Some(now) if now.store.identity != self.store.identity => Place::Replaced {
                log_is_open: now.beside[0] == self.beside[0],
            },
            Some(now) if now.beside != self.beside => Place::Removed,
            Some(now) if now.store != self.store => Place::Written,
            Some(_) => Place::Same,
        })
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn if_any(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if is_missing(&error) => Ok(()),
        done => done,
    }
}
