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
//!     SUBSCRIBERS             or migrates
//!     SUBSCRIBERS_LRU
//!     MISSES_V6
//!     STORE_REVISION           and the revision of the exemption store that it enforces
//! ```
//!
//! A link belongs to the interface that it is attached to, not to its pin's name: an interface may be renamed. A new link is
//! pinned as `%link-` and its id until it gets its interface's name.
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

use jiff::Timestamp;
use nix::unistd::geteuid;

use super::{
    error::PinsError,
    link::Link,
    lock::{self, Lock},
    names::{escaped, unescaped},
};
use crate::datapath::sys::{
    bpffs::{self, lifetime},
    network_namespace::NetworkNamespace,
};

/// The directory of links, and that of generations.
pub(super) const LINKS: &str = "links";
pub(super) const GENERATIONS: &str = "generations";

/// The beginning of the name of a pin that has no interface's name yet: no escaped byte begins like this.
const HELD: &str = "%link-";

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

    /// Gives everything in the directory to root alone, if this process is root's: once it has dropped its privileges it cannot use
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
            adopt(&self.directory, 3)?;
            let refused = PinsError::refused("limit the permissions of", &self.directory);
            bpffs::keep_private(&self.directory).map_err(refused)?;
        }
        Ok(())
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

    /// The pinned links, each with its path. What else another process has put there is in nobody's way.
    pub(super) fn links(&self) -> Result<Vec<(PathBuf, Link)>, PinsError> {
        let mut links = Vec::new();
        for path in entries(&self.links_directory())? {
            if let Some(link) = Link::open_if_link(&path).map_err(PinsError::refused("open", &path))? {
                links.push((path, link));
            }
        }
        Ok(links)
    }

    /// Pins a link until [`Self::name`] gives the pin its interface's name, under which another link may be pinned.
    pub(crate) fn hold(&self, link: &Link) -> Result<(), PinsError> {
        let info = link
            .info()
            .map_err(PinsError::refused("pin to", &self.directory))?;
        let path = self.held_path(info.id);
        link.pin(&path).map_err(PinsError::refused("pin to", &path))
    }

    /// The path of a link whose pin has no interface's name yet. No interface's name is escaped to this.
    fn held_path(&self, link_id: u32) -> PathBuf {
        self.links_directory().join(format!("{HELD}{link_id}"))
    }

    /// Pins each link under the name of its interface, instead of what is pinned there. At every moment each of them has a
    /// pin: a process that ends in the midst of this leaves no interface without a filter.
    pub(crate) fn name<'l>(
        &self,
        links: impl IntoIterator<Item = (&'l str, &'l Link)>,
    ) -> Result<(), PinsError> {
        let mut held = Vec::new();
        for (interface, link) in links {
            let path = self.link_path(interface);
            let info = link.info().map_err(PinsError::refused("query", &path))?;
            if !self.is_pinned(interface, info.id) {
                let from = self.held_path(info.id);
                if !from.exists() {
                    link.pin(&from).map_err(PinsError::refused("pin to", &from))?;
                }
                held.push((from, path));
            }
        }
        for (from, path) in held {
            fs::rename(&from, &path).map_err(PinsError::refused("rename a pin to", &path))?;
        }
        Ok(())
    }

    /// Whether this link is pinned under this name.
    pub(crate) fn is_pinned(&self, interface: &str, link_id: u32) -> bool {
        let pinned = Link::open(&self.link_path(interface)).and_then(|link| link.info());
        pinned.is_ok_and(|pinned| pinned.id == link_id)
    }

    /// Removes the pin of this link, if it has the name of this interface or none.
    pub(crate) fn forget_link(&self, interface: &str, link: &Link) -> Result<(), PinsError> {
        let path = self.link_path(interface);
        let info = link.info().map_err(PinsError::refused("query", &path))?;
        if self.is_pinned(interface, info.id) {
            remove_file(&path)?;
        }
        remove_file(&self.held_path(info.id))
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
                        detached.push(interface_name(&path));
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

/// The name of the interface in whose name a link is pinned.
pub(super) fn interface_name(path: &Path) -> String {
    unescaped(&path.file_name().unwrap_or_default().to_string_lossy())
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

/// Since when the link of an interface is pinned in a directory: a link is pinned when it is made, and each next program runs on
/// the same link. None if there is no such pin, or it cannot be examined.
#[must_use]
pub fn pinned_since(directory: &Path, interface: &str) -> Option<Timestamp> {
    let pin = directory.join(LINKS).join(escaped(interface));
    let made = pin.symlink_metadata().and_then(|pin| pin.modified()).ok()?;
    Timestamp::try_from(made).ok()
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
                    links.push((interface_name(&path), info.program_id));
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

/// Removes a pin; it is no error if there is none.
pub(crate) fn remove_file(path: &Path) -> Result<(), PinsError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(PinsError::refused("remove", path)(error))
        }
        _ => Ok(()),
    }
}
