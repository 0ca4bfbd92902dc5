//! The lock on the pin directory, which admits one daemon at a time and ends with the process that holds it.
//!
//! It is a lock on the directory itself: a lock file elsewhere could belong to another daemon, or be on a full disk.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    sys::stat::{major, minor},
};

/// The lock; dropping it releases it.
#[derive(Debug)]
pub(crate) struct Lock {
    held: Flock<File>,
}

impl Lock {
    /// Whether it is on the directory that is at this path now.
    pub(crate) fn is_on(&self, directory: &Path) -> bool {
        let held = self.held.metadata();
        let now = fs::metadata(directory);
        held.is_ok_and(|held| now.is_ok_and(|now| is_same(&held, &now)))
    }
}

/// Takes the lock on a directory; `None` if another process holds it.
pub(crate) fn take(directory: &Path) -> io::Result<Option<Lock>> {
    loop {
        let file = File::open(directory)?;
        let held = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => held,
            Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
            Err((_, error)) => return Err(error.into()),
        };
        // Between the two calls `op25b stop --detach` may have removed the directory, and another process created it anew.
        if is_same(&held.metadata()?, &fs::metadata(directory)?) {
            return Ok(Some(Lock { held }));
        }
    }
}

/// How often the list of all locks is read before it is taken to lack the lock of a directory.
const LOOKS: usize = 3;

/// The process that holds the lock on a directory, if the system reports it: not one of another PID namespace.
pub(crate) fn holder(directory: &Path) -> io::Result<Option<u32>> {
    let directory = match fs::metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    // The kernel writes the list a page at a time: while other locks come and go, one that is held all the time may be missing.
    for _ in 0..LOOKS {
        let locks = fs::read_to_string("/proc/locks")?;
        if let Some(pid) = holder_in(&locks, directory.dev(), directory.ino()) {
            return Ok(Some(pid));
        }
    }
    Ok(None)
}

/// Whether a process holds the lock on a directory, whether or not the system reports which.
pub(crate) fn is_held(directory: &Path) -> io::Result<bool> {
    let file = match File::open(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => Ok(false),
        Err((_, Errno::EWOULDBLOCK)) => Ok(true),
        Err((_, error)) => Err(error.into()),
    }
}

/// Parses lines such as `1: FLOCK  ADVISORY  WRITE 4168 00:27:87949 0 EOF`.
fn holder_in(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let inode_id = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        // A process that waits for the lock has an arrow here.
        if words.next() != Some("FLOCK") {
            return None;
        }
        let mut words = words.skip(2);
        let pid = words.next()?;
        (words.next() == Some(inode_id.as_str()))
            .then(|| pid.parse().ok())
            .flatten()
    })
}

fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_directory_is_not_locked_again_and_its_holder_is_known() {
        let directory = tempfile::tempdir().unwrap();
        let lock = take(directory.path()).unwrap().unwrap();
        assert_eq!(holder(directory.path()).unwrap(), Some(std::process::id()));
        assert!(is_held(directory.path()).unwrap());
        assert!(take(directory.path()).unwrap().is_none());
        assert!(lock.is_on(directory.path()));
        drop(lock);
        assert_eq!(holder(directory.path()).unwrap(), None);
        assert!(!is_held(directory.path()).unwrap());
        assert!(take(directory.path()).unwrap().is_some());
    }

    #[test]
    fn the_lock_on_a_removed_directory_is_not_one_on_the_directory_that_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("pins");
        fs::create_dir(&directory).unwrap();
        let lock = take(&directory).unwrap().unwrap();
        fs::remove_dir(&directory).unwrap();
        assert!(!lock.is_on(&directory));
        fs::create_dir(&directory).unwrap();
        assert!(!lock.is_on(&directory));
        assert!(
            take(&directory)
                .unwrap()
                .is_some_and(|lock| lock.is_on(&directory))
        );
    }

    #[test]
    fn the_holder_is_read_from_the_line_of_the_directory_alone() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 00:27:87949 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 12 00:27:8794 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 13 00:27:87949 0 EOF\n\
                     3: -> FLOCK  ADVISORY  WRITE 14 00:27:87949 0 EOF\n";
        assert_eq!(
            holder_in(locks, nix::sys::stat::makedev(0, 0x27), 87949),
            Some(13)
        );
        assert_eq!(holder_in(locks, nix::sys::stat::makedev(1, 0x27), 87949), None);
    }
}
