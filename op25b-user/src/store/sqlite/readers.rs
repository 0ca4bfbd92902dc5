//! Readers of a store for other threads: each has a connection of its own, and none waits for a thread that writes.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    files::exists,
    read_only::{Source, SqliteReader},
};
use crate::store::StoreError;

/// How long a reader waits for a file that is missing: while a store is recovered, the damaged file is already moved aside and the
/// new one not yet in its place.
const PUT_BACK: Duration = Duration::from_secs(1);
/// The time between two attempts.
const ATTEMPT: Duration = Duration::from_millis(20);

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
        let begin = Instant::now();
        loop {
            let origin = self.published().origin?;
            let file = origin.file.clone();
            let opened = SqliteReader::connect(origin);
            let may_be_put_back =
                opened.is_err() && begin.elapsed() < PUT_BACK && !exists(&file).unwrap_or(true);
            if !may_be_put_back {
                return opened;
            }
            thread::sleep(ATTEMPT);
        }
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

#[cfg(test)]
mod tests {
    use std::{fs, sync::Barrier, thread};

    use tempfile::tempdir;

    use crate::store::{Records as _, sqlite};

    #[test]
    fn a_reader_waits_for_a_store_that_is_being_put_back_and_for_no_other() {
        let dir = tempdir().unwrap();
        let store = sqlite::open(dir.path()).store;
        let readers = store.readers();
        drop(store);
        let (file, aside) = (dir.path().join("exemptions.db"), dir.path().join("aside"));
        fs::rename(&file, &aside).unwrap();
        assert!(readers.open().is_err(), "it stays away");

        let begin = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                begin.wait();
                fs::rename(&aside, &file).unwrap();
            });
            begin.wait();
            let reader = readers.open().unwrap();
            assert_eq!(reader.revision().unwrap(), 0);
        });
    }
}
