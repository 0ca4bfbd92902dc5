//! What may happen to the files of the store in the state directory.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use crate::chaos::faults::StoreFault;

const STORE: &str = "exemptions.db";
/// The files of a store in use.
const PARTS: [&str; 3] = [STORE, "exemptions.db-wal", "exemptions.db-shm"];
/// Where SQLite's header has the format's number, and one that no version knows.
const USER_VERSION: std::ops::Range<usize> = 60..64;
const NEWER: [u8; 4] = 999_u32.to_be_bytes();

/// The files of a store, and an older copy of them.
pub struct StoreFiles {
    state: PathBuf,
    older: PathBuf,
    aside: PathBuf,
}

/// A file that was put in the store's place, by its inode.
pub struct Planted(u64);

impl StoreFiles {
    /// Those in a state directory; `folder` is for copies.
    pub fn of(state: &Path, folder: &Path) -> anyhow::Result<Self> {
        let files = Self {
            state: state.to_owned(),
            older: folder.join("older-store"),
            aside: folder.join("store-put-aside"),
        };
        for directory in [&files.older, &files.aside] {
            fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        }
        Ok(files)
    }

    /// Copies the store as it is now, to be put in its place later.
    pub fn copy_for_later(&self) -> anyhow::Result<()> {
        copy_store(&self.state, &self.older)
    }

    /// Makes a fault. What it put in the store's place and nobody can use.
    pub fn damage(&self, fault: StoreFault) -> anyhow::Result<Option<Planted>> {
        match fault {
            StoreFault::Empty => {
                empty(&self.state)?;
                return Ok(None);
            }
            StoreFault::NoLog => {
                remove(&self.state.join(PARTS[1]))?;
                return Ok(None);
            }
            StoreFault::Older => {
                for part in PARTS {
                    remove(&self.state.join(part))?;
                }
                copy_store(&self.older, &self.state)?;
                return Ok(None);
            }
            StoreFault::Garbage | StoreFault::Newer => {}
        }
        empty(&self.aside)?;
        copy_store(&self.state, &self.aside)?;
        let bytes = if fault == StoreFault::Garbage {
            // The same each time: what matters is that it is no database.
            let mut rng = fastrand::Rng::with_seed(25);
            std::iter::repeat_with(|| rng.u8(..)).take(20_000).collect()
        } else {
            let mut bytes = fs::read(self.aside.join(STORE)).context("cannot read the store")?;
            if let Some(version) = bytes.get_mut(USER_VERSION) {
                version.copy_from_slice(&NEWER);
            }
            bytes
        };
        for part in &PARTS[1..] {
            remove(&self.state.join(part))?;
        }
        let draft = self.state.join("draft");
        fs::write(&draft, bytes).context("cannot write into the state directory")?;
        fs::rename(&draft, self.state.join(STORE)).context("cannot replace the store")?;
        let planted = fs::metadata(self.state.join(STORE)).context("cannot read the store")?;
        Ok(Some(Planted(planted.ino())))
    }

    /// Puts back what [`Self::damage`] put aside, as an operator would, unless the daemon has replaced it itself.
    pub fn mend(&self, Planted(inode): &Planted) -> anyhow::Result<()> {
        let now = fs::metadata(self.state.join(STORE)).map(|now| now.ino());
        if now.ok() == Some(*inode) {
            for part in PARTS {
                remove(&self.state.join(part))?;
            }
            copy_store(&self.aside, &self.state)?;
        }
        Ok(())
    }
}

/// Copies the files of a store, whose process is not writing just now; the shared memory is made anew.
fn copy_store(from: &Path, to: &Path) -> anyhow::Result<()> {
    for part in &PARTS[..2] {
        match fs::copy(from.join(part), to.join(part)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot copy {part}"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Removes what is in a directory; it is no error if something else removes or adds to it meanwhile.
pub fn empty(directory: &Path) -> anyhow::Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let path = entry.context("cannot read a directory")?.path();
        let removed = if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}
