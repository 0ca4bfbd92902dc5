//! Keeps the store at its path while it is open: a file that another process removed, replaced or wrote to is put right.

use jiff::{SignedDuration, Timestamp};
use rusqlite::config::DbConfig;
use tracing::{error, warn};

use super::{
    SqliteStore,
    files::{Place, Seen, beside},
    open,
    read_only::{Check, SqliteReader},
    readers::Published,
    recovery::{self, Case, Damage},
    tables::audit,
};
use crate::{
    fault::FaultKind,
    store::{Records as _, Revision, StoreError},
};

/// How long a recovery is shown as a fault. The audit has it for ever.
const SHOWN: SignedDuration = SignedDuration::from_hours(24);

impl SqliteStore {
    /// Puts the store back where it belongs, if another process removed or replaced its file.
    ///
    /// The records are then those of the file that is open; if another store is in its place, they are merged, and a removal
    /// in either of the two counts.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if that fails: what is open can still be read, and the next call tries again.
    pub(super) fn keep_in_place(&mut self) -> Result<(), StoreError> {
        let Some(used) = self.used else { return Ok(()) };
        // The files cannot be examined: what is open is used further.
        let Ok(place) = used.place(&self.files.store()) else {
            return Ok(());
        };
        match place {
            Place::Same => Ok(()),
            Place::Written => {
                let store = self.files.store();
                warn!(store = %store.display(), "another process wrote to the exemption store: it is read again");
                self.open_again()
                    .inspect_err(|error| error!("the exemption store cannot be opened again: {error}"))
            }
            Place::Removed => self.put_back(place, "it was removed while it was open"),
            Place::Replaced { .. } => {
                self.put_back(place, "another file was put in its place while it was open")
            }
        }
    }

    fn put_back(&mut self, place: Place, why: &str) -> Result<(), StoreError> {
        let Some(connection) = self.connection() else {
            return Ok(());
        };
        let case = Case {
            damage: match place {
                Place::Replaced { log_is_open } => Damage::Replaced {
                    open: connection,
                    log_is_open,
                },
                _ => Damage::Removed(connection),
            },
            why,
            enforced: self.enforced,
        };
        let mut remarks = Vec::new();
        let done = recovery::in_place(&self.files, &case, &mut remarks)
            .and_then(|is_other| Ok((is_other, open::connect(&self.files, Check::No)?)));
        match done {
            Ok((is_other, connection)) => {
                // The connection before is closed here. It leaves the files alone: they are no longer its own.
                self.use_connection(connection);
                self.upkeep.note_merged();
                if is_other {
                    self.progress.note_replacement();
                }
                self.faults.clear(FaultKind::StoreReplaced);
                // The fault has the others.
                if let Some(first) = remarks.first() {
                    warn!("{first}");
                }
                Ok(())
            }
            Err(error) => {
                let store = self.files.store();
                self.faults.raise(
                    FaultKind::StoreReplaced,
                    format!(
                        "the exemption store {} cannot be put back ({why}), and no change is accepted until it is: {error}",
                        store.display()
                    ),
                );
                Err(error)
            }
        }
    }

    /// Opens the store again with a new connection: what this one remembers of the file may be out of date.
    pub(super) fn open_again(&mut self) -> Result<(), StoreError> {
        if let Some(connection) = self.connection() {
            // Closing would copy the log to a file that it does not belong to.
            let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
        self.records = Err(StoreError::Failed {
            path: self.files.store(),
            why: "it is being opened again".to_owned(),
        });
        let opened = self.reopen();
        self.progress.note_replacement();
        opened
    }

    /// Moves what is in the log to the store, so that a log that is lost costs little.
    ///
    /// A failure loses nothing, and the next commit reports what is wrong with the disk.
    pub(super) fn checkpoint(&mut self) {
        let log = Seen::at(&beside(&self.files.store(), "-wal"));
        let has_log = matches!(log, Ok(Some(log)) if log.len > 0);
        let Some(connection) = self.connection().filter(|_| has_log && self.used.is_some()) else {
            return;
        };
        let _ = recovery::checkpoint(connection);
        self.note_use();
    }

    /// Notes what the store that was opened has: its revision, and its last recovery; and has others read it.
    pub(super) fn note_opened(&mut self) {
        self.progress.set_writable(self.write_error.is_none());
        self.readers.publish(Published {
            origin: self
                .records
                .as_ref()
                .map(SqliteReader::origin)
                .map_err(Clone::clone),
            is_writable: self.write_error.is_none(),
        });
        let Ok(records) = &self.records else { return };
        let revision = records.revision();
        let recovery = records.query(audit::last_recovery).ok().flatten();
        self.progress.set_identity(records.identity().ok().flatten());
        if let Ok(revision) = revision {
            self.note_revision(revision);
        }
        if let Some(event) = recovery {
            let until = event.at.saturating_add(SHOWN).ok();
            if until.is_some_and(|until| Timestamp::now() < until) {
                self.shown_until = until;
                let text = event.reason.unwrap_or_default();
                self.faults
                    .raise(FaultKind::StoreRecovered, format!("{text} (at {:.0})", event.at));
            }
        }
    }

    /// Notes the revision that the store has now.
    pub(super) fn note_revision(&mut self, revision: Revision) {
        self.enforced = self.enforced.max(revision);
        self.progress.set_revision(revision);
    }

    /// Shows a recovery no longer once it is a day old.
    pub(super) fn show_for_a_day(&mut self, now: Timestamp) {
        if self.shown_until.is_some_and(|until| until <= now) {
            self.shown_until = None;
            self.faults.clear(FaultKind::StoreRecovered);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use jiff::Timestamp;
    use tempfile::tempdir;

    use crate::store::{
        Change, ChangeKind, Commit, Records as _, Store as _,
        fake::{actor, record},
        sqlite::{self, SqliteStore},
    };

    fn add(store: &mut SqliteStore, number: u128) {
        let commit = Commit {
            at: Timestamp::now(),
            by: actor(),
            reason: None,
            changes: vec![Change {
                action: ChangeKind::Add,
                before: None,
                after: record(number, "Example KK", &format!("198.51.100.{number}/32")),
            }],
            request: None,
            taken_back: None,
        };
        store.commit(&commit).unwrap();
    }

    fn remove_files(dir: &Path) {
        for entry in fs::read_dir(dir).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }

    /// What another process does between the comparison of the files and the note of what a commit or a checkpoint has made of
    /// them.
    #[test]
    fn a_store_that_is_removed_or_replaced_while_it_is_written_is_put_back_at_the_next_change() {
        let other = tempdir().unwrap();
        let mut store = sqlite::open(other.path()).store;
        add(&mut store, 9);
        drop(store);
        for is_replaced in [false, true] {
            let dir = tempdir().unwrap();
            let mut store = sqlite::open(dir.path()).store;
            add(&mut store, 1);
            remove_files(dir.path());
            if is_replaced {
                let name = "exemptions.db";
                fs::copy(other.path().join(name), dir.path().join(name)).unwrap();
            }
            store.checkpoint();
            store.note_use();
            add(&mut store, 2);
            let has_first_and_second = |store: &SqliteStore| {
                let records = store.not_removed().unwrap();
                let mut numbers = records.iter().map(|record| u128::from(record.id));
                numbers.any(|number| number == 1) && numbers.any(|number| number == 2)
            };
            assert!(has_first_and_second(&store), "replaced: {is_replaced}");
            drop(store);
            let opened = sqlite::open(dir.path());
            assert!(has_first_and_second(&opened.store), "replaced: {is_replaced}");
        }
    }
}
