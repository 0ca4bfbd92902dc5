//! The database of the history, as the thread that records writes it: opened when it can be, tried again when it fails.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use ipnet::IpNet;
use jiff::Timestamp;
use tracing::{info, warn};

use super::progress::Progress;
use crate::{
    policy::History,
    store::{
        Deleted, StoreError,
        activity::{
            ActivityStore, Begun, Counted, Forget, Kind, OpenedActivity, ReadUntil, Reading, Removed,
        },
    },
};

/// How long after a failure the next attempt is.
pub(super) const RETRY: Duration = Duration::from_mins(1);
/// How often at most it is said that buckets were removed.
const SAY: Duration = Duration::from_hours(24);

/// What is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Buckets whose last packet came before this.
    pub(super) oldest: Timestamp,
    /// What was counted of a kind before a later time, which is kept for less long than the other one.
    pub(super) shorter: Option<(Kind, Timestamp)>,
}

/// The database and what is known of it.
pub(super) struct Writer {
    state_dir: PathBuf,
    /// The id of this boot.
    boot: String,
    progress: Progress,
    store: Option<ActivityStore>,
    /// Why the file is to be replaced by another one.
    damage: Option<StoreError>,
    not_before: Instant,
    /// What was removed and not said yet.
    removed: Removed,
    said_at: Option<Instant>,
}

impl Writer {
    pub(super) fn new(state_dir: PathBuf, boot: String, progress: Progress) -> Self {
        Self {
            state_dir,
            boot,
            progress,
            store: None,
            damage: None,
            not_before: Instant::now(),
            removed: Removed::default(),
            said_at: None,
        }
    }

    /// Whether it may be tried to write: some time has passed since the last failure.
    pub(super) fn may_try(&self) -> bool {
        Instant::now() >= self.not_before
    }

    /// What is known of the records before the first bucket; opens the database.
    pub(super) fn begun(&mut self) -> Result<Begun, StoreError> {
        self.attempt(|store| store.begun())
    }

    /// Notes that what records have counted is in no bucket.
    pub(super) fn learn(&mut self, records: &[(IpNet, Counted)]) -> Result<(), StoreError> {
        self.attempt(|store| store.learn(records))
    }

    /// Begins with records that are learnt up to a time.
    pub(super) fn begin(&mut self, until: ReadUntil) -> Result<(), StoreError> {
        self.attempt(|store| store.begin(until))
    }

    /// Forgets what records have counted, in a database that exists.
    pub(super) fn pause(&mut self) -> Result<(), StoreError> {
        if ActivityStore::exists(&self.state_dir)? {
            self.attempt(ActivityStore::pause)?;
        }
        Ok(())
    }

    /// Writes what was read up to a time.
    pub(super) fn write(&mut self, readings: &[Reading], until: ReadUntil) -> Result<(), StoreError> {
        self.attempt(|store| store.write(readings, until))?;
        self.note_kept()
    }

    /// Removes what is too old, and what has no room.
    pub(super) fn keep(&mut self, limits: Limits, history: &History) -> Result<(), StoreError> {
        if !self.exists()? {
            return Ok(());
        }
        let Removed { old, without_room } =
            self.attempt(|store| store.keep(limits.oldest, history.max_size.0))?;
        let expired = match limits.shorter {
            Some((kind, oldest)) => self.attempt(|store| store.expire(kind, oldest))?,
            None => 0,
        };
        self.removed.old += old + expired;
        self.removed.without_room += without_room;
        self.progress.note_room(without_room > 0);
        self.note_kept()?;
        self.say_removed(history);
        Ok(())
    }

    /// Removes what is to be forgotten, if there is a history.
    pub(super) fn forget(&mut self, forget: &[Forget]) -> Result<Deleted, StoreError> {
        if !self.exists()? {
            return Ok(Deleted::default());
        }
        let deleted = self.attempt(|store| store.forget(forget))?;
        self.note_kept()?;
        Ok(deleted)
    }

    /// Forgets what records had counted that are gone.
    pub(super) fn prune(
        &mut self,
        are_gone: impl FnMut(&[(IpNet, u32)]) -> Option<Vec<bool>>,
    ) -> Result<(), StoreError> {
        self.attempt(|store| store.prune(are_gone)).map(|_| ())
    }

    fn exists(&self) -> Result<bool, StoreError> {
        Ok(self.store.is_some() || ActivityStore::exists(&self.state_dir)?)
    }

    /// Shows how much is kept.
    pub(super) fn note_kept(&mut self) -> Result<(), StoreError> {
        let kept = self.attempt(|store| store.kept())?;
        self.progress.note_kept(kept);
        Ok(())
    }

    /// Says once a day what was removed.
    fn say_removed(&mut self, history: &History) {
        let now = Instant::now();
        let is_due = self.said_at.is_none_or(|at| now - at >= SAY);
        if self.removed == Removed::default() || !is_due {
            return;
        }
        self.said_at = Some(now);
        let Removed { old, without_room } = std::mem::take(&mut self.removed);
        if old > 0 {
            info!(
                rows = old,
                "removed the history that is older than the policy keeps it (`history`, `privacy`)"
            );
        }
        if without_room > 0 {
            warn!(
                rows = without_room,
                "removed the oldest history, as it has no room in {}: raise `max_size`, or lower `keep`, in `history`",
                history.max_size
            );
        }
    }

    /// Does something with the open database; after a failure it is opened again before the next attempt.
    fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut ActivityStore) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let done = self.opened().and_then(work);
        if let Err(error) = &done {
            self.not_before = Instant::now() + RETRY;
            self.store = None;
            self.damage = matches!(error, StoreError::Damaged { .. }).then(|| error.clone());
        }
        done
    }

    fn opened(&mut self) -> Result<&mut ActivityStore, StoreError> {
        let store = match (self.store.take(), self.damage.take()) {
            (Some(store), _) => store,
            (None, Some(damage)) => {
                let store = ActivityStore::begin_anew(&self.state_dir, &self.boot)?;
                say_lost(&damage);
                store
            }
            (None, None) => {
                let OpenedActivity { store, lost } = ActivityStore::open(&self.state_dir, &self.boot)?;
                lost.iter().for_each(say_lost);
                store
            }
        };
        Ok(self.store.insert(store))
    }
}

fn say_lost(damage: &StoreError) {
    warn!("{damage}; it was removed, and another one begins");
}
