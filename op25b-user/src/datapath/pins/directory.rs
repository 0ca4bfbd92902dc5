//! What is left in the BPF file system for the next op25b: links, and what runs on them.
//!
//! ```text
//! /sys/fs/bpf/op25b/
//!   links/eth1                the link of each interface
//!   generations/217/          one for each filter that may run on a link, named after a program's id
//!     op25b_subscribe         its programs,
//!     op25b_uplink
//!     DESCRIPTION             what it enforces, and the layout of
//!     COUNTERS                the maps that its successor goes on with,
//!     SUBSCRIBERS_V4          or takes over from
//!     SUBSCRIBERS_V6
//!     MISSES_V6
//! ```
//!
//! A generation is pinned whole before the first link runs it, and its predecessor is unpinned after the last one has
//! left it. So whenever a process ends, what runs on a link is there to be read and to be gone back to.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{
    link::Link,
    lock::{self, Lock},
};
use crate::datapath::sys::bpffs::{self, BpffsError};

/// Why the pins cannot be used.
#[derive(Debug, Error)]
pub enum PinsError {
    /// There is no place for them.
    #[error(transparent)]
    Bpffs(#[from] BpffsError),
    /// Another op25b uses them.
    #[error(
        "{} already enforces from {}; `op25b reload` gives it a new policy, `op25b stop` ends it",
        match .holder { Some(pid) => format!("process {pid}"), None => "another process".into() },
        directory.display()
    )]
    Held {
        /// The place.
        directory: PathBuf,
        /// Who, if the system tells.
        holder: Option<u32>,
    },
    /// The system refused something.
    #[error("cannot {what} {}", path.display())]
    Refused {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl PinsError {
    pub(crate) fn refused(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Refused { what, path, source }
    }
}

/// The pin directory, held: nobody else changes what is in it.
#[derive(Debug)]
pub struct Pins {
    directory: PathBuf,
    _lock: Lock,
}

impl Pins {
    /// Takes the directory, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`PinsError`], among them that another process has it.
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
                    return Err(PinsError::refused("make", &part)(error));
                }
                _ => {}
            }
        }
        Ok(pins)
    }

    /// The same, if the directory is there at all.
    ///
    /// # Errors
    ///
    /// As for [`Self::take`].
    pub fn take_existing(directory: &Path) -> Result<Option<Self>, PinsError> {
        match bpffs::is_bpffs(directory) {
            Ok(true) => Self::take(directory).map(Some),
            Ok(false) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(PinsError::refused("look at", directory)(error)),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn links_directory(&self) -> PathBuf {
        self.directory.join("links")
    }

    pub(crate) fn generations_directory(&self) -> PathBuf {
        self.directory.join("generations")
    }

    /// Where the link of an interface is pinned.
    pub(crate) fn link_path(&self, interface: &str) -> PathBuf {
        self.links_directory().join(escaped(interface))
    }

    /// The pinned links, each with its interface's name.
    pub(crate) fn links(&self) -> Result<Vec<(String, Link)>, PinsError> {
        let mut links = Vec::new();
        for path in entries(&self.links_directory())? {
            let link = Link::open(&path).map_err(PinsError::refused("open", &path))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            links.push((unescaped(&name), link));
        }
        Ok(links)
    }

    /// Removes the pin of an interface's link; it is no error if there is none.
    pub(crate) fn forget_link(&self, interface: &str) -> Result<(), PinsError> {
        remove_file(&self.link_path(interface))
    }

    /// Detaches every filter whose link is pinned here, and removes every trace. The names of the interfaces that were
    /// enforced on.
    ///
    /// # Errors
    ///
    /// The system's answer.
    pub fn remove(self) -> Result<Vec<String>, PinsError> {
        let mut detached = Vec::new();
        for (interface, link) in self.links()? {
            let path = self.link_path(&interface);
            let info = link.info().map_err(PinsError::refused("ask", &path))?;
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
            // A file system of its own stays: this process need not be the one that mounted it.
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
            result => result.map_err(PinsError::refused("remove", &self.directory))?,
        }
        Ok(detached)
    }
}

/// The process that holds a pin directory, as far as the system tells.
#[must_use]
pub fn holder(directory: &Path) -> Option<u32> {
    lock::holder(directory)
}

/// The ids of the programs that run on links pinned in a directory, whoever holds it; none if there is no such directory.
///
/// # Errors
///
/// The system's answer.
pub fn pinned_programs(directory: &Path) -> io::Result<Vec<u32>> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let entries = match fs::read_dir(directory.join("links")) {
        Err(error) if gone(&error) => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut programs = Vec::new();
    for entry in entries {
        // The holder may take a link away between its being listed and opened.
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

/// What is in a directory, by name.
pub(crate) fn entries(directory: &Path) -> Result<Vec<PathBuf>, PinsError> {
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
pub(crate) fn remove_directory(directory: &Path) -> Result<(), PinsError> {
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

/// An interface's name as a BPF file system takes it, which has no dots in its names.
fn escaped(interface: &str) -> String {
    let mut name = String::new();
    for byte in interface.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
            name.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(name, "%{byte:02x}");
        }
    }
    name
}

/// The name behind an escaped one; what nobody escaped stays as it is.
fn unescaped(name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = name;
    while let Some((plain, coded)) = rest.split_once('%') {
        bytes.extend(plain.bytes());
        let code = coded.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(code.unwrap_or(b'%'));
        rest = if code.is_some() { &coded[2..] } else { coded };
    }
    bytes.extend(rest.bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_has_a_name_without_dots_and_its_own() {
        for name in ["eth1", "eth0.100", "eth0%2e100", "a%", "br-lan_1", "イ"] {
            let escaped = escaped(name);
            assert!(!escaped.contains(['.', '/']), "{escaped}");
            assert_eq!(unescaped(&escaped), name);
        }
        assert_eq!(escaped("eth0.100"), "eth0%2e100");
    }
}
