//! Where the texts of lists come from.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Where the texts of lists come from.
pub trait ListFiles {
    /// The path of a list, by its name in the policy.
    fn path(&self, name: &str) -> PathBuf;

    /// Reads a list. Each is read once, in the order in which the policy names them.
    fn read(&mut self, name: &str) -> Result<Vec<u8>, ListError>;
}

/// Why a list cannot be read.
#[derive(Debug, Error)]
pub enum ListError {
    /// The system does not give it.
    #[error(transparent)]
    System(#[from] io::Error),
    /// It is a directory, a pipe or a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// It has too many bytes.
    #[error("it has more than {} MiB", limit >> 20)]
    TooLarge {
        /// The most bytes.
        limit: u64,
    },
    /// It has too many bytes together with the lists before it.
    #[error("it has, with the lists before it, more than {} MiB", limit >> 20)]
    TooLargeTogether {
        /// The most bytes.
        limit: u64,
    },
}

/// No lists: a policy that names one is refused.
pub struct NoLists;

impl ListFiles for NoLists {
    fn path(&self, name: &str) -> PathBuf {
        name.into()
    }

    fn read(&mut self, _: &str) -> Result<Vec<u8>, ListError> {
        Err(io::Error::from(io::ErrorKind::NotFound).into())
    }
}

/// Lists in memory, by name.
impl ListFiles for BTreeMap<String, Vec<u8>> {
    fn path(&self, name: &str) -> PathBuf {
        Path::new(name).to_owned()
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>, ListError> {
        let text = self.get(name).cloned();
        text.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound).into())
    }
}
