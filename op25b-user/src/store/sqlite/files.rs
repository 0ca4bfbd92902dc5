//! The store's files in the state directory.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;

/// Members of the daemon's group may read.
const DIR_MODE: u32 = 0o750;
pub(super) const FILE_MODE: u32 = 0o640;

/// Where everything is.
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
        self.dir.join("exemptions.db")
    }

    /// The last backup.
    pub(super) fn backup(&self) -> PathBuf {
        self.dir.join("exemptions.db.backup")
    }

    /// The one before.
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

    /// Makes the directory if it is missing.
    pub(super) fn make_dir(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(DIR_MODE).create(&self.dir)
    }

    /// Makes a file if it is missing. SQLite gives what it puts beside it the same mode.
    ///
    /// One that is there is not opened: closing it would end the locks that SQLite has on it in this process.
    pub(super) fn make(path: &Path) -> io::Result<()> {
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(path);
        match made {
            Ok(file) => {
                // Whatever the umask says.
                file.set_permissions(Permissions::from_mode(FILE_MODE))?;
                path.parent().map_or(Ok(()), sync)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Puts a complete file in the place of another, so that either of them is there after a crash.
    pub(super) fn put(&self, from: &Path, to: &Path) -> io::Result<()> {
        File::open(from)?.sync_all()?;
        fs::rename(from, to)?;
        sync(&self.dir)
    }

    /// Moves the store aside with what belongs to it, and says where to.
    pub(super) fn move_aside(&self, now: Timestamp) -> io::Result<PathBuf> {
        let store = self.store();
        let at = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let aside = (0..1000)
            .map(|again| match again {
                0 => self.dir.join(format!("exemptions.db.damaged-{at}")),
                again => self.dir.join(format!("exemptions.db.damaged-{at}.{again}")),
            })
            .find(|path| !path.exists() && !beside(path, "-wal").exists())
            .ok_or(io::ErrorKind::AlreadyExists)?;
        for suffix in ["", "-wal", "-shm"] {
            if_any(fs::rename(beside(&store, suffix), beside(&aside, suffix)))?;
        }
        sync(&self.dir)?;
        Ok(aside)
    }
}

/// Makes what was done in a directory last.
fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// The name of a file that SQLite puts beside another.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Whether SQLite would write to a file of this format, as far as that can be read. If not, it only says that the file
/// cannot be written.
///
/// This ends locks of readers that this process has on the file; nobody else writes to it.
pub(super) fn is_writable_format(path: &Path) -> bool {
    let mut header = [0; 20];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    // The versions for writing and for reading.
    read.is_err() || header[18..].iter().all(|version| matches!(version, 1 | 2))
}

/// Removes a file with all that SQLite puts beside it, if there is any.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        if_any(fs::remove_file(beside(path, suffix)))?;
    }
    Ok(())
}

/// Whether a file is there; an error if that cannot be told.
pub(super) fn exists(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What tells a file from another that has taken its place, and from itself before it was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The device and the inode.
    pub(super) identity: (u64, u64),
    /// How many bytes it has.
    pub(super) len: u64,
    modified: (i64, i64),
}

impl Seen {
    /// How a file is now; `None` if it is missing.
    pub(super) fn at(path: &Path) -> io::Result<Option<Self>> {
        match fs::metadata(path) {
            Ok(data) => Ok(Some(Self {
                identity: (data.dev(), data.ino()),
                len: data.len(),
                modified: (data.mtime(), data.mtime_nsec()),
            })),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
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
