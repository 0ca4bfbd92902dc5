//! The pin directory in the BPF file system: what outlives a process for the next one to take over.
//!
//! ```text
//! /sys/fs/bpf/op25b/
//!   links/eth1                the link of each interface
//!   generations/217/          one for each filter that may run on a link, named after a program's id
//!     op25b_subscribe         its programs,
//!     op25b_uplink
//!     DESCRIPTION             the description of its policy, and of the layout of
//!     COUNTERS                the maps that its successor shares,
//!     SUBSCRIBERS_V4          or migrates
//!     SUBSCRIBERS_V6
//!     MISSES_V6
//! ```
//!
//! A generation is pinned completely before the first link runs it, and its predecessor is unpinned after the last link
//! has left it. Whenever a process ends, the programs and maps of what runs on a link are there to be read, and to be
//! restored.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, lchown},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use nix::unistd::geteuid;

use super::{
    error::PinsError,
    link::Link,
    lock::{self, Lock},
    names::{escaped, unescaped},
};
use crate::datapath::sys::{bpffs, lifetime, network_namespace::NetworkNamespace};

/// The directory of links, and that of generations.
pub(super) const LINKS: &str = "links";
pub(super) const GENERATIONS: &str = "generations";

/// The pin directory, locked: no other op25b changes what is in it.
#[derive(Debug)]
pub struct Pins {
    directory: PathBuf,
    lock: Lock,
    /// Where this process has mounted the BPF file system, if it has.
    mounted: Option<PathBuf>,
}

impl Pins {
    /// Locks the directory, which is created if it does not exist.
    pub fn take(directory: &Path) -> Result<Self, PinsError> {
        let mounted = bpffs::make(directory)?;
        let pins = Self {
            directory: directory.to_owned(),
            lock: locked(directory)?,
            mounted,
        };
        pins.make_parts()?;
        Ok(pins)
    }

    /// Makes the directories that are missing in it. Returns them.
    fn make_parts(&self) -> Result<Vec<PathBuf>, PinsError> {
        let mut made = Vec::new();
        for part in [self.links_directory(), self.generations_directory()] {
            match fs::create_dir(&part) {
                Ok(()) => made.push(part),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(PinsError::refused("create", &part)(error)),
            }
        }
        Ok(made)
    }

    /// Makes the directory, the lock on it and the directories in it anew, as far as they are gone: another process may remove
    /// them. Returns what was gone.
    pub(crate) fn repair(&mut self) -> Result<Vec<PathBuf>, PinsError> {
        let mut made = Vec::new();
        if !self.lock.is_on(&self.directory) {
            self.mounted = bpffs::make(&self.directory)?;
            self.lock = locked(&self.directory)?;
            made.push(self.directory.clone());
        }
        made.extend(self.make_parts()?);
        Ok(made)
    }

    /// Gives everything in the directory to root, if this process is root's: once it has dropped its privileges it cannot use
    /// what is another user's.
    pub(crate) fn adopt(&self) -> Result<(), PinsError> {
        fn adopt(path: &Path, depth: u8) -> Result<(), PinsError> {
            let found = path
                .symlink_metadata()
                .map_err(PinsError::refused("examine", path))?;
            if found.uid() != 0 {
                lchown(path, Some(0), Some(0)).map_err(PinsError::refused("give to root", path))?;
            }
            if found.is_dir() && depth > 0 {
                for entry in entries(path)? {
                    adopt(&entry, depth - 1)?;
                }
            }
            Ok(())
        }
        if geteuid().is_root() {
            adopt(&self.directory, 3)
        } else {
            Ok(())
        }
    }

    /// Whether what is pinned here outlives this process.
    pub(crate) fn outlive_process(&self) -> bool {
        // Without /proc it cannot be known.
        lifetime::outlives_process(&self.directory).unwrap_or(true)
    }

    /// Leaves the directory to others, without a file system that this process has mounted for it.
    pub(crate) fn leave(self) {
        if let Some(mounted) = &self.mounted {
            bpffs::unmount(mounted);
        }
    }

    /// Locks the directory if it exists.
    pub fn take_existing(directory: &Path) -> Result<Option<Self>, PinsError> {
        match bpffs::is_bpffs(directory) {
            Ok(true) => Self::take(directory).map(Some),
            Ok(false) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(PinsError::refused("examine", directory)(error)),
        }
    }

    /// Its path.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn links_directory(&self) -> PathBuf {
        self.directory.join(LINKS)
    }

    pub(super) fn generations_directory(&self) -> PathBuf {
        self.directory.join(GENERATIONS)
    }

    /// The path at which the link of an interface is pinned.
    pub(crate) fn link_path(&self, interface: &str) -> PathBuf {
        self.links_directory().join(escaped(interface))
    }

    /// The pinned links, each with its interface's name. What else another process has put there is in nobody's way.
    pub(super) fn links(&self) -> Result<Vec<(String, Link)>, PinsError> {
        let mut links = Vec::new();
        for path in entries(&self.links_directory())? {
            let Some(link) = Link::open_if_link(&path).map_err(PinsError::refused("open", &path))? else {
                continue;
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            links.push((unescaped(&name), link));
        }
        Ok(links)
    }

    /// Removes the pin of an interface's link, if there is one.
    pub(crate) fn forget_link(&self, interface: &str) -> Result<(), PinsError> {
        remove_file(&self.link_path(interface))
    }

    /// Detaches every filter whose link is pinned here, and removes all pins. What is not op25b's own is left, and is in
    /// nobody's way; of several failures the first is returned, after everything else is done.
    pub fn remove(self) -> Result<Removed, PinsError> {
        let mut failure = Ok(());
        let mut note = |result: Result<(), PinsError>| {
            if failure.is_ok() {
                failure = result;
            }
        };
        let mut detached = Vec::new();
        for path in entries(&self.links_directory())? {
            let link = match Link::open_if_link(&path) {
                Ok(Some(link)) => link,
                Ok(None) => continue,
                Err(error) => {
                    note(Err(PinsError::refused("open", &path)(error)));
                    continue;
                }
            };
            match link.info() {
                Ok(info) if info.interface.is_some() => {
                    let result = link.detach().map_err(PinsError::refused("detach", &path));
                    if result.is_ok() {
                        let name = path.file_name().unwrap_or_default().to_string_lossy();
                        detached.push(unescaped(&name));
                    }
                    note(result);
                }
                Ok(_) => {}
                Err(error) => note(Err(PinsError::refused("query", &path)(error))),
            }
            note(remove_file(&path));
        }
        for generation in entries(&self.generations_directory())? {
            if let Ok(parts) = entries(&generation) {
                for part in parts.iter().filter(|part| !part.is_dir()) {
                    note(remove_file(part));
                }
            }
        }
        failure?;
        Ok(Removed {
            detached,
            left: remove_empty(&self.directory)?,
        })
    }
}

/// What was removed.
#[derive(Debug)]
pub struct Removed {
    /// The interfaces that ran a filter.
    pub detached: Vec<String>,
    /// What is not op25b's own, and was left in the pin directory.
    pub left: Vec<PathBuf>,
}

/// Removes a directory and those in it if they are empty. Returns what else is in them.
fn remove_empty(directory: &Path) -> Result<Vec<PathBuf>, PinsError> {
    let mut left = Vec::new();
    for path in entries(directory)? {
        // The kernel's own, at the root of a BPF file system (kernel/bpf/preload).
        if path.extension().is_some_and(|extension| extension == "debug") {
            continue;
        }
        if path.is_dir() && !path.is_symlink() {
            left.append(&mut remove_empty(&path)?);
        } else {
            left.push(path);
        }
    }
    if left.is_empty() {
        match fs::remove_dir(directory) {
            // A file system that is mounted here stays: another process may have mounted it.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
            result => result.map_err(PinsError::refused("remove", directory))?,
        }
    }
    Ok(left)
}

/// The lock on a directory, for which a process that is about to end or only examines the lock is waited for.
fn locked(directory: &Path) -> Result<Lock, PinsError> {
    let mut attempts = (0..5).map(|attempt| {
        if attempt > 0 {
            thread::sleep(Duration::from_millis(20));
        }
        lock::take(directory).map_err(PinsError::refused("lock", directory))
    });
    let lock = attempts.find_map(Result::transpose).transpose()?;
    lock.ok_or_else(|| {
        let holder = holder(directory);
        let namespace = holder.and_then(NetworkNamespace::name_of);
        let here = NetworkNamespace::current().ok();
        PinsError::Held {
            directory: directory.to_owned(),
            holder,
            namespace: namespace.filter(|name| here.is_some_and(|here| here.name() != *name)),
        }
    })
}

/// The process that holds the lock on a pin directory, if the system reports it.
#[must_use]
pub fn holder(directory: &Path) -> Option<u32> {
    lock::holder(directory).ok().flatten()
}

/// The ids of the programs that run on links pinned in a directory, whichever process holds it; none if there is no such
/// directory.
pub fn pinned_programs(directory: &Path) -> io::Result<Vec<u32>> {
    let links = pinned_links(directory)?.into_iter();
    Ok(links.map(|(_, program)| program).collect())
}

/// The names of the interfaces whose links are pinned in a directory and run a program, with its id.
pub(super) fn pinned_links(directory: &Path) -> io::Result<Vec<(String, u32)>> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let paths = match fs::read_dir(directory.join(LINKS)) {
        Err(error) if gone(&error) => return Ok(Vec::new()),
        paths => paths?,
    };
    let mut links = Vec::new();
    for entry in paths {
        let path = entry?.path();
        // The holder may remove a link after it was listed.
        match Link::open_if_link(&path) {
            Err(error) if gone(&error) => {}
            Err(error) => return Err(error),
            Ok(None) => {}
            Ok(Some(link)) => {
                let info = link.info()?;
                if info.interface.is_some() {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    links.push((unescaped(&name), info.program_id));
                }
            }
        }
    }
    links.sort();
    Ok(links)
}

/// The paths in a directory, sorted by name.
pub(super) fn entries(directory: &Path) -> Result<Vec<PathBuf>, PinsError> {
    let read = || -> io::Result<Vec<PathBuf>> {
        let mut paths = fs::read_dir(directory)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    };
    read().map_err(PinsError::refused("read", directory))
}

/// Removes a directory of pins.
pub(super) fn remove_directory(directory: &Path) -> Result<(), PinsError> {
    for path in entries(directory)? {
        remove_file(&path)?;
    }
    fs::remove_dir(directory).map_err(PinsError::refused("remove", directory))
}

fn remove_file(path: &Path) -> Result<(), PinsError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(PinsError::refused("remove", path)(error))
        }
        _ => Ok(()),
    }
}
