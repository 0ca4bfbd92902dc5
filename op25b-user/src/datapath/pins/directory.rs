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
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{
    link::Link,
    lock::{self, Lock},
    names::{escaped, unescaped},
};
use crate::datapath::sys::bpffs::{self, BpffsError};

/// Why the pins cannot be used.
#[derive(Debug, Error)]
pub enum PinsError {
    /// There is no BPF file system for them.
    #[error(transparent)]
    Bpffs(#[from] BpffsError),
    /// Another op25b uses them.
    #[error(
        "{} already enforces from {}; `op25b reload` gives it a new policy, `op25b stop` ends it",
        match .holder { Some(pid) => format!("process {pid}"), None => "another process".into() },
        directory.display()
    )]
    Held {
        /// The directory.
        directory: PathBuf,
        /// The process, if the system reports it.
        holder: Option<u32>,
    },
    /// The system refused an operation.
    #[error("cannot {operation} {}", path.display())]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl PinsError {
    pub(crate) fn refused(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Refused {
            operation,
            path,
            source,
        }
    }
}

/// The pin directory, locked: no other op25b changes what is in it.
#[derive(Debug)]
pub struct Pins {
    directory: PathBuf,
    _lock: Lock,
}

impl Pins {
    /// Locks the directory, which is created if it does not exist.
    pub fn take(directory: &Path) -> Result<Self, PinsError> {
        bpffs::make(directory)?;
        let lock = lock::take(directory)
            .map_err(PinsError::refused("lock", directory))?
            .ok_or_else(|| PinsError::Held {
                directory: directory.to_owned(),
                holder: holder(directory),
            })?;
        let pins = Self {
            directory: directory.to_owned(),
            _lock: lock,
        };
        for part in [pins.links_directory(), pins.generations_directory()] {
            match fs::create_dir(&part) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(PinsError::refused("create", &part)(error));
                }
                _ => {}
            }
        }
        Ok(pins)
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
        self.directory.join("links")
    }

    pub(super) fn generations_directory(&self) -> PathBuf {
        self.directory.join("generations")
    }

    /// The path at which the link of an interface is pinned.
    pub(crate) fn link_path(&self, interface: &str) -> PathBuf {
        self.links_directory().join(escaped(interface))
    }

    /// The pinned links, each with its interface's name.
    pub(super) fn links(&self) -> Result<Vec<(String, Link)>, PinsError> {
        let mut links = Vec::new();
        for path in entries(&self.links_directory())? {
            let link = Link::open(&path).map_err(PinsError::refused("open", &path))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            links.push((unescaped(&name), link));
        }
        Ok(links)
    }

    /// Removes the pin of an interface's link, if there is one.
    pub(crate) fn forget_link(&self, interface: &str) -> Result<(), PinsError> {
        remove_file(&self.link_path(interface))
    }

    /// Detaches every filter whose link is pinned here, and removes all pins. Returns the names of the interfaces that
    /// ran a filter.
    pub fn remove(self) -> Result<Vec<String>, PinsError> {
        let mut detached = Vec::new();
        for (interface, link) in self.links()? {
            let path = self.link_path(&interface);
            let info = link.info().map_err(PinsError::refused("query", &path))?;
            if info.interface.is_some() {
                link.detach().map_err(PinsError::refused("detach", &path))?;
                detached.push(interface.clone());
            }
            self.forget_link(&interface)?;
        }
        for generation in entries(&self.generations_directory())? {
            remove_directory(&generation)?;
        }
        for part in [self.links_directory(), self.generations_directory()] {
            fs::remove_dir(&part).map_err(PinsError::refused("remove", &part))?;
        }
        match fs::remove_dir(&self.directory) {
            // A file system that is mounted here stays: another process may have mounted it.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
            result => result.map_err(PinsError::refused("remove", &self.directory))?,
        }
        Ok(detached)
    }
}

/// The process that holds the lock on a pin directory, if the system reports it.
#[must_use]
pub fn holder(directory: &Path) -> Option<u32> {
    lock::holder(directory)
}

/// The ids of the programs that run on links pinned in a directory, whichever process holds it; none if there is no such
/// directory.
pub fn pinned_programs(directory: &Path) -> io::Result<Vec<u32>> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let entries = match fs::read_dir(directory.join("links")) {
        Err(error) if gone(&error) => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut programs = Vec::new();
    for entry in entries {
        // The holder may remove a link after it was listed.
        match Link::open(&entry?.path()) {
            Err(error) if gone(&error) => {}
            link => {
                let info = link?.info()?;
                programs.extend(info.interface.map(|_| info.program_id));
            }
        }
    }
    Ok(programs)
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
