//! Readers of a store for other threads: each has a connection of its own, and none waits for a thread that writes.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use super::read_only::{Source, SqliteReader};
use crate::store::StoreError;

/// What readers connect to. Clones share it, and follow the store when it is opened again.
#[derive(Clone, Debug)]
pub struct Readers(Arc<Mutex<Published>>);

/// What a store publishes about itself whenever it is opened.
#[derive(Clone, Debug)]
pub(super) struct Published {
    /// What there is to read, or why nothing can be read.
    pub(super) origin: Result<Origin, StoreError>,
    /// Whether the store can be written.
    pub(super) is_writable: bool,
}

/// What a connection is to.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    /// The file that errors name.
    pub(super) file: PathBuf,
    /// `None` for a store that does not exist.
    pub(super) source: Option<Source>,
}

impl Readers {
    pub(super) fn new(published: Published) -> Self {
        Self(Arc::new(Mutex::new(published)))
    }

    pub(super) fn publish(&self, published: Published) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = published;
    }

    /// A reader with a connection of its own. It keeps reading the file that is open now, even after the store is opened
    /// again: it is meant for one response.
    pub fn open(&self) -> Result<SqliteReader, StoreError> {
        SqliteReader::connect(self.published().origin?)
    }

    /// A reader if the store can be written.
    pub(super) fn open_if_writable(&self) -> Result<Option<SqliteReader>, StoreError> {
        let published = self.published();
        match published.origin {
            Ok(origin) if published.is_writable => SqliteReader::connect(origin).map(Some),
            _ => Ok(None),
        }
    }

    /// The lock is held for the copy alone, never while a disk is waited for.
    fn published(&self) -> Published {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
