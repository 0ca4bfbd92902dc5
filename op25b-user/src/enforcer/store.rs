//! The store of exemptions, shared by the threads that wait for the disk.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;
use tracing::warn;

use crate::store::{
    Record, Records, Store, StoreError,
    sqlite::{self, Opened, Progress, Readers, SqliteStore, Upkeep},
};

/// A handle of the store.
#[derive(Clone)]
pub(crate) struct SharedStore {
    store: Arc<Mutex<SqliteStore>>,
    readers: Readers,
    upkeep: Upkeep,
    progress: Arc<Progress>,
}

impl SharedStore {
    /// Opens the store, whatever state it is in: what is wrong with it is logged, and the filter runs all the same.
    pub(super) fn open(state_dir: &Path, options: sqlite::Options) -> Self {
        let Opened { store, remarks } = sqlite::open_with(state_dir, options);
        for remark in remarks {
            warn!("{remark}");
        }
        Self {
            readers: store.readers(),
            upkeep: store.upkeep(),
            progress: store.progress(),
            store: Arc::new(Mutex::new(store)),
        }
    }

    /// A connection of its own, which waits for no writer's disk.
    pub(crate) fn reader(&self) -> Result<Box<dyn Records>, StoreError> {
        Ok(Box::new(self.readers.open()?))
    }

    /// The records that the kernel is to let through.
    pub(super) fn not_removed(&self) -> Result<Vec<Record>, StoreError> {
        // A thread that panicked while it held the lock was reading or writing, and both happen completely or not at all.
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.not_removed().or_else(|_| {
            // It may have been repaired meanwhile. One that can be read and not written to is enough here.
            let _ = store.reopen();
            store.not_removed()
        })
    }

    /// What is known of the store without waiting for it.
    pub(super) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Uses the store, unless a thread panicked while it did.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut dyn Store) -> T) -> Result<T, &'static str> {
        let mut store = self
            .store
            .lock()
            .map_err(|_| "a thread that used the store has panicked")?;
        Ok(work(&mut *store))
    }

    /// Does periodic work, such as a backup.
    pub(super) fn maintain(&self) {
        let now = Timestamp::now();
        let maintained = match self.store.try_lock() {
            Ok(mut store) => store.maintain(now),
            Err(_) => Ok(()),
        };
        // Without the lock: changes go on meanwhile.
        if let Err(error) = maintained.and_then(|()| self.upkeep.back_up_if_due(now)) {
            warn!("maintenance of the exemption store failed: {error}");
        }
    }
}
