//! The store of exemptions, shared by the threads that wait for the disk.

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use jiff::Timestamp;
use tokio::sync::oneshot;
use tracing::{error, warn};

use super::stall::Turn;
use crate::store::{
    Operation, Record, Records, Store, StoreError,
    sqlite::{self, Progress, Readers, SqliteStore, Upkeep},
};

/// A handle of the store.
#[derive(Clone)]
pub(crate) struct SharedStore {
    store: Arc<Mutex<SqliteStore>>,
    readers: Readers,
    upkeep: Upkeep,
    progress: Arc<Progress>,
    /// Whether the store was checked after the start.
    is_checked: Arc<AtomicBool>,
}

/// A store that is being opened, in a thread: its disk may hang.
pub(super) struct Opening {
    pub(super) store: SharedStore,
    /// The records that the kernel is to let through, as soon as they are read.
    pub(super) records: oneshot::Receiver<Result<Vec<Record>, StoreError>>,
    pub(super) thread: JoinHandle<()>,
}

impl SharedStore {
    /// Opens the store, whatever state it is in: what is wrong with it is logged, and the filter runs all the same. What takes long
    /// comes later, see [`Self::maintain`].
    ///
    /// `begin_thread` is called in the thread that opens it.
    pub(super) fn open(
        state_dir: &Path,
        options: sqlite::Options,
        begin_thread: fn(),
    ) -> io::Result<Opening> {
        let store = SqliteStore::unopened(state_dir, options);
        let store = Self {
            readers: store.readers(),
            upkeep: store.upkeep(),
            progress: store.progress(),
            store: Arc::new(Mutex::new(store)),
            is_checked: Arc::default(),
        };
        let (sender, records) = oneshot::channel();
        let opened = store.clone();
        let thread = thread::Builder::new()
            .name("open-store".to_owned())
            .spawn(move || {
                begin_thread();
                // The daemon may have ended.
                let _ = sender.send(opened.open_and_read());
            })?;
        Ok(Opening {
            store,
            records,
            thread,
        })
    }

    /// Opens the store and reads the records that the kernel is to let through. Damage that shows is recovered.
    fn open_and_read(&self) -> Result<Vec<Record>, StoreError> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut remarks = Vec::new();
        store.open_unchecked(&mut remarks);
        let records = store.not_removed().or_else(|_| {
            store.check(&mut remarks);
            store.not_removed()
        });
        for remark in remarks {
            warn!("{remark}");
        }
        records
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

    /// Writes an operation, which may wait for the disk.
    pub(crate) fn write_operation(&self, operation: &Operation) -> Result<(), StoreError> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.write_operation(operation)
    }

    /// Uses the store, if `turn` is not cancelled before, and unless a thread panicked while it used the store.
    pub(super) fn with<T>(
        &self,
        turn: &Turn,
        work: impl FnOnce(&mut dyn Store) -> T,
    ) -> Result<T, &'static str> {
        let mut store = self
            .store
            .lock()
            .map_err(|_| "a thread that used the store has panicked")?;
        if turn.begin() {
            Ok(work(&mut *store))
        } else {
            Err("nobody waits for it any more")
        }
    }

    /// Does periodic work, such as a backup, and once what the start has left out: the check of all records. Changes go on
    /// meanwhile.
    pub(super) fn maintain(&self) {
        let now = Timestamp::now();
        // It is in use, or still being opened.
        let Ok(mut store) = self.store.try_lock() else {
            return;
        };
        let maintained = store.maintain(now);
        drop(store);
        if !self.is_checked.swap(true, Ordering::AcqRel) {
            self.check();
        }
        if let Err(error) = maintained.and_then(|()| self.upkeep.back_up_if_due(now)) {
            warn!("maintenance of the exemption store failed: {error}");
        }
    }

    fn check(&self) {
        match self.upkeep.check() {
            Ok(()) => {}
            Err(StoreError::Damaged { why, .. }) => {
                error!("the exemption store is damaged ({why}): recovering it");
                let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
                let mut remarks = Vec::new();
                let recovered = store.recover(&mut remarks);
                for remark in remarks
                    .into_iter()
                    .chain(recovered.err().map(|error| error.to_string()))
                {
                    warn!("{remark}");
                }
            }
            Err(error) => warn!("the exemption store cannot be checked: {error}"),
        }
    }

    /// Closes the store, which may wait for the disk.
    pub(super) fn close(&self) {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).close();
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt as _, sync::mpsc, time::Duration};

    use nix::{sys::stat::Mode, unistd::mkfifo};

    use super::*;
    use crate::store::{
        Change, ChangeKind, Commit,
        fake::{actor, record},
    };

    const PATIENCE: Duration = Duration::from_secs(20);

    fn opened(dir: &Path) -> SharedStore {
        let opening = SharedStore::open(dir, sqlite::Options::default(), || ()).unwrap();
        opening.records.blocking_recv().unwrap().unwrap();
        opening.store
    }

    fn addition(number: u128) -> Commit {
        Commit {
            at: Timestamp::now(),
            by: actor(),
            reason: None,
            changes: vec![Change {
                action: ChangeKind::Add,
                before: None,
                after: record(number, "Example KK", "198.51.100.8/29"),
            }],
            request: None,
            taken_back: None,
        }
    }

    /// Does something in another thread, and waits for it for some time only.
    fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let (sender, done) = mpsc::channel();
        thread::spawn(move || sender.send(work()));
        done.recv_timeout(PATIENCE).expect("it waits for another thread")
    }

    #[test]
    fn a_reader_does_not_wait_for_a_thread_that_writes() {
        let dir = tempfile::tempdir().unwrap();
        let store = opened(dir.path());
        let (ready, is_held) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let writer = thread::spawn({
            let store = store.clone();
            move || {
                store.with(&Turn::default(), |store| {
                    store.commit(&addition(1)).unwrap();
                    ready.send(()).unwrap();
                    // As long as a disk takes.
                    released.recv().unwrap();
                })
            }
        });
        is_held.recv_timeout(PATIENCE).unwrap();
        let read = in_time(move || store.reader().unwrap().not_removed().unwrap());
        assert_eq!(read.len(), 1);
        release.send(()).unwrap();
        writer.join().unwrap().unwrap();
    }

    #[test]
    fn neither_a_change_nor_a_reader_waits_for_a_backup() {
        let dir = tempfile::tempdir().unwrap();
        let store = opened(dir.path());
        store
            .with(&Turn::default(), |store| store.commit(&addition(1)).unwrap())
            .unwrap();
        // The backup that is read first opens only once somebody writes to it.
        let pipe = dir.path().join("exemptions.db.backup");
        mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        let backup = thread::spawn({
            let store = store.clone();
            move || store.maintain()
        });
        thread::sleep(Duration::from_millis(300));
        let read = in_time({
            let store = store.clone();
            move || {
                store
                    .with(&Turn::default(), |store| store.commit(&addition(2)).unwrap())
                    .unwrap();
                store.reader().unwrap().not_removed().unwrap()
            }
        });
        assert_eq!(read.len(), 2);
        assert!(!backup.is_finished(), "there is nothing to wait for");
        // Somebody writes to it, each time that it is opened.
        let mut writes = OpenOptions::new();
        writes.write(true).custom_flags(libc::O_NONBLOCK);
        while !backup.is_finished() {
            drop(writes.open(&pipe));
            thread::sleep(Duration::from_millis(10));
        }
    }
}
