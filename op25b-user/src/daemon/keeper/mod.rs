//! Writes to the state directory what a later start may need. No disk delays the daemon: a thread writes, and a failure is a fault.

mod item;
mod policy;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::ensure;
use jiff::Timestamp;
use tokio::{
    sync::oneshot::{self, Receiver, error::TryRecvError},
    task::spawn_blocking,
    time::sleep,
};

use self::item::{Failed, Item, Kind, Work};
pub(super) use self::policy::PolicyText;
use crate::{
    fault::{FaultKind, Faults},
    policy::{Pauses, ReachedDates},
    state_dir::{KeptPolicy, Slot, Unconfirmed},
};

/// How long after a failure the next attempt is.
const RETRY: Duration = Duration::from_mins(1);
/// How often it is examined whether what was written is still there.
const EXAMINE: Duration = Duration::from_secs(10);
/// How often a write that is waited for is looked at.
const POLL: Duration = Duration::from_millis(2);
/// A write that takes longer than this is a fault.
const SLOW: Duration = Duration::from_secs(30);

/// What could not be written, and why.
type Failures = Vec<(Work, anyhow::Error)>;

/// A thread that writes.
struct Writing {
    since: Instant,
    failures: Receiver<Failures>,
}

/// What is to be written, and the thread that writes.
pub(super) struct Keeper {
    state_dir: PathBuf,
    faults: Faults,
    pending: BTreeMap<Kind, Work>,
    /// What must not be missing.
    needed: BTreeMap<Kind, Item>,
    writing: Option<Writing>,
    examine_at: Instant,
    /// The dates that are kept, or pending.
    dates: ReachedDates,
    /// The pauses that are kept, or pending.
    pauses: Pauses,
    /// Held by the thread that writes.
    turn: Arc<Mutex<()>>,
}

impl Keeper {
    /// `dates` and `pauses` are those that are kept.
    pub(super) fn new(state_dir: &Path, faults: Faults, dates: ReachedDates, pauses: Pauses) -> Self {
        let needed = (dates != ReachedDates::default()).then(|| (Kind::Dates, Item::Dates(dates.clone())));
        Self {
            state_dir: state_dir.to_owned(),
            faults,
            pending: BTreeMap::new(),
            needed: needed.into_iter().collect(),
            writing: None,
            examine_at: Instant::now(),
            dates,
            pauses,
            turn: Arc::default(),
        }
    }

    /// Keeps a policy that is enforced now as the last good one: no reload waits for a confirmation any more. Without a text, it
    /// was read from the state directory.
    pub(super) fn keep_policy(&mut self, text: Option<Arc<PolicyText>>) {
        if let Some(text) = text {
            self.keep(Item::Policy(text));
        }
        self.keep(Item::Confirmed);
    }

    /// Keeps a reload that waits for a confirmation.
    pub(super) fn keep_unconfirmed(&mut self, reload: Unconfirmed, policy: Arc<PolicyText>) {
        self.keep(Item::Unconfirmed(Box::new(reload), policy));
    }

    /// Keeps a reload that was taken back.
    pub(super) fn keep_went_back(&mut self, reload: Unconfirmed) {
        self.keep(Item::WentBack(Box::new(reload)));
    }

    /// Writes a reload that is about to be made and then waits for a confirmation: for a thread that waits for the disk. Fails if
    /// the policy to go back to is not kept.
    pub(super) fn begin_unconfirmed(
        &self,
        reload: Unconfirmed,
        text: Arc<PolicyText>,
    ) -> impl FnOnce() -> anyhow::Result<Arc<PolicyText>> + Send + use<> {
        let (dir, turn) = (self.state_dir.clone(), Arc::clone(&self.turn));
        let last_good = self.needed.get(&Kind::Policy).cloned();
        move || {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            let previous = &reload.previous_sha256;
            if let Some(Item::Policy(policy)) = &last_good
                && policy.sha256() == previous
            {
                policy.write(&dir, Slot::LastGood)?;
            }
            ensure!(
                KeptPolicy::is_kept(&dir, Slot::LastGood, previous),
                "the policy to go back to is not kept in {}",
                dir.display()
            );
            text.write(&dir, Slot::Unconfirmed)?;
            reload.write(&dir)?;
            // The policy file may be edited before the confirmation: this copy is not.
            let origin = text.origin().clone();
            Ok(Arc::new(PolicyText::kept(&dir, Slot::Unconfirmed, origin)?))
        }
    }

    /// Writes that the reload with this policy is confirmed: for a thread that waits for the disk.
    pub(super) fn confirm(
        &self,
        policy: Option<Arc<PolicyText>>,
    ) -> impl FnOnce() -> anyhow::Result<()> + Send + use<> {
        let (dir, turn) = (self.state_dir.clone(), Arc::clone(&self.turn));
        move || {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(policy) = policy {
                Item::Policy(policy).write(&dir)?;
            }
            Item::Confirmed.write(&dir)
        }
    }

    /// Keeps the dates of pools that were reached, if others are kept.
    pub(super) fn keep_dates(&mut self, dates: &ReachedDates) {
        if self.dates != *dates {
            self.dates.clone_from(dates);
            self.keep(Item::Dates(dates.clone()));
        }
    }

    /// Keeps the pauses, if others are kept.
    pub(super) fn keep_pauses(&mut self, pauses: &Pauses) {
        if self.pauses != *pauses {
            self.pauses.clone_from(pauses);
            self.keep(Item::Pauses(pauses.clone()));
        }
    }

    /// Writes the pauses, and waits for the disk, for some time at most; whether they are kept.
    pub(super) async fn settle_pauses(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            self.tick();
            let is_written = self.writing.is_none();
            if is_written || Instant::now() >= end {
                return is_written && !self.pending.contains_key(&Kind::Pauses);
            }
            sleep(POLL).await;
        }
    }

    /// Keeps a record of the clock.
    pub(super) fn keep_clock(&mut self, now: Timestamp) {
        self.keep(Item::Clock(now));
    }

    fn keep(&mut self, item: Item) {
        let kind = item.kind();
        if kind != Kind::Clock {
            // Of what is `Confirmed` nothing can be missing.
            self.needed.insert(kind, item.clone());
        }
        let work = Work {
            item,
            only_if_missing: false,
            failed: None,
        };
        self.pending.insert(kind, work);
    }

    /// Has what is needed written again if another process removed it.
    fn examine(&mut self, now: Instant) {
        if now < self.examine_at {
            return;
        }
        self.examine_at = now + EXAMINE;
        for (kind, item) in &self.needed {
            self.pending.entry(*kind).or_insert_with(|| Work {
                item: item.clone(),
                only_if_missing: true,
                failed: None,
            });
        }
    }

    /// Starts writing what is pending, and evaluates what was written. The daemon calls this every second.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        if let Some(Writing { since, failures }) = &mut self.writing {
            match failures.try_recv() {
                Ok(failures) => self.written(failures, now),
                Err(TryRecvError::Closed) => self.writing = None,
                Err(TryRecvError::Empty) if now - *since > SLOW => {
                    let dir = self.state_dir.display();
                    let message =
                        format!("the disk of {dir} does not answer: the state of op25b is not kept");
                    self.faults.raise(FaultKind::StateNotKept, message);
                }
                Err(TryRecvError::Empty) => {}
            }
        }
        self.examine(now);
        if self.writing.is_none() {
            let due = self.pending.extract_if(.., |_, work| work.is_due(now));
            let works: Vec<_> = due.map(|(_, work)| work).collect();
            if !works.is_empty() {
                self.write(works, now);
            }
        }
    }

    /// Has a thread write, and tell what it could not.
    fn write(&mut self, works: Vec<Work>, now: Instant) {
        let dir = self.state_dir.clone();
        let (sender, failures) = oneshot::channel();
        let turn = Arc::clone(&self.turn);
        spawn_blocking(move || {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            let failed = works.into_iter().filter_map(|work| {
                let error = work.write(&dir).err()?;
                Some((work, error))
            });
            // The daemon may have ended.
            let _ = sender.send(failed.collect());
        });
        self.writing = Some(Writing { since: now, failures });
    }

    /// Evaluates what was written. What could not be is tried again later, and keeps nothing else from being written.
    fn written(&mut self, failures: Failures, now: Instant) {
        self.writing = None;
        let is_written = failures.is_empty();
        for (work, error) in failures {
            let failed = Failed {
                why: format!("{error:#}"),
                again: now + RETRY,
            };
            // Something newer may be pending by now: it is written next, and the fault depends on that.
            self.pending.entry(work.item.kind()).or_insert(Work {
                failed: Some(failed),
                ..work
            });
        }
        let failed = self.pending.values().filter_map(|work| work.failed.as_ref());
        let why: Vec<_> = failed.map(|failed| failed.why.as_str()).collect();
        if !why.is_empty() {
            self.faults.raise(FaultKind::StateNotKept, why.join("; "));
        } else if is_written {
            self.faults.clear(FaultKind::StateNotKept);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{policy::Pause, state_dir};

    fn pauses() -> Pauses {
        let mut pauses = Pauses::default();
        pauses.begin(Pause {
            pool: None,
            except: Vec::new(),
            at: "2026-11-28T18:00:00Z".parse().unwrap(),
            until: None,
            uid: 0,
            user: "root".to_owned(),
            reason: "OPS-812".to_owned(),
        });
        pauses
    }

    #[tokio::test]
    async fn what_cannot_be_written_keeps_no_pause_from_the_disk_and_stays_a_fault() {
        let dir = tempfile::tempdir().unwrap();
        let faults = Faults::default();
        let mut keeper = Keeper::new(
            dir.path(),
            faults.clone(),
            ReachedDates::default(),
            Pauses::default(),
        );
        // A directory in the place of the draft.
        let dates = state_dir::dates_path(dir.path());
        fs::create_dir(dates.with_added_extension("new")).unwrap();
        let mut reached = ReachedDates::default();
        reached.insert("residential", "2026-11-28T18:00:00Z".parse().unwrap());
        keeper.keep_dates(&reached);
        keeper.tick();
        // The thread may have failed by now, or may not.
        keeper.keep_pauses(&pauses());
        assert!(keeper.settle_pauses(Duration::from_mins(1)).await);
        assert_eq!(state_dir::read_pauses(dir.path()).unwrap(), pauses());
        assert!(faults.has(FaultKind::StateNotKept));
        let message = &faults.list()[0].message;
        assert!(message.contains("dates"), "{message}");
        assert!(!dates.exists());
    }
}
