//! Removes what is recorded of subscribers and customers once it is older than the policy keeps it: from the kernel at a start, from the
//! databases once the clock is known to be steady, and then twice an hour. The history has a thread of its own.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::task::{AbortHandle, spawn_blocking};
use tracing::{info, warn};

use super::metrics::filter_records;
use crate::{
    counted::counted,
    datapath::{Erased, clock},
    enforcer::Enforcer,
    fault::{FaultKind, Faults},
    policy::Privacy,
    report::{FilterRecords, Watched, overdue},
    state_dir::remove_detached_before,
    store::{
        notices::{Notices, OpenedNotices},
        sessions::{OpenedSessions, Sessions},
    },
};

/// How often it is looked for what is overdue: it is removed within an hour.
const INTERVAL: Duration = Duration::from_mins(30);
/// When it is looked for a second time: by then the clock of a machine that was started has been set.
const SECOND: Duration = Duration::from_mins(10);
/// A larger change of the clock means that it was set: nothing is removed from databases for its age until it is steady.
const STEP: Duration = Duration::from_secs(2);

/// How often it is said that a pool was watched for long.
const SAY: Duration = Duration::from_hours(24);

/// When this is due, and whether it is under way.
#[derive(Default)]
pub(super) struct Retention {
    last: Option<Looked>,
    /// When pools that were watched for long were named, if there were any.
    said: Option<Instant>,
    running: Option<AbortHandle>,
}

/// When it was looked last.
#[derive(Clone, Copy)]
struct Looked {
    at: Instant,
    /// What was added to the boot-time clock then to get the Unix time.
    clock: i64,
    is_first: bool,
}

impl Looked {
    /// The next look, if it is due.
    fn next(last: Option<Self>, at: Instant, clock: i64) -> Option<Self> {
        let is_due = last
            .is_none_or(|last| at.duration_since(last.at) >= if last.is_first { SECOND } else { INTERVAL });
        is_due.then_some(Self {
            at,
            clock,
            is_first: last.is_none(),
        })
    }

    /// Whether the clock was not set since the look before.
    fn is_steady(self, last: Option<Self>) -> bool {
        last.is_some_and(|last| u128::from(self.clock.abs_diff(last.clock)) <= STEP.as_nanos())
    }
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Removed {
    records: Erased,
    files: usize,
    /// Sessions and notices.
    rows: u64,
}

impl Retention {
    /// Begins what is due. The daemon calls this every second.
    pub(super) fn tick(&mut self, enforcer: &mut Enforcer, state_dir: &Path) {
        if self
            .running
            .as_ref()
            .is_some_and(|running| !running.is_finished())
        {
            return;
        }
        // A clock that cannot be read is never steady.
        let clock = clock::boot_to_unix().unwrap_or_default();
        let Some(look) = Looked::next(self.last, Instant::now(), clock) else {
            return;
        };
        let is_steady = look.is_steady(self.last);
        self.last = Some(look);
        let says_watched = self.said.is_none_or(|said| said.elapsed() >= SAY);
        if says_watched {
            self.said = Some(Instant::now());
        }
        let (privacy, is_paused) = (enforcer.policy().privacy, !enforcer.pauses().is_empty());
        let faults = enforcer.faults().clone();
        let state_dir = state_dir.to_owned();
        match filter_records(enforcer) {
            Ok(records) => {
                let work = move || {
                    let records = erase(records, privacy, is_paused, says_watched);
                    let files = remove_files(&state_dir, privacy);
                    let rows = if is_steady {
                        remove_rows(&state_dir, privacy)
                    } else {
                        Ok(0)
                    };
                    let removed = || {
                        Ok(Removed {
                            records: records?,
                            files: files?,
                            rows: rows?,
                        })
                    };
                    note(removed(), &faults);
                };
                self.running = Some(spawn_blocking(work).abort_handle());
            }
            Err(error) => note(Err(error), &faults),
        }
    }
}

fn erase(
    mut filter: FilterRecords,
    privacy: Privacy,
    is_paused: bool,
    says_watched: bool,
) -> anyhow::Result<Erased> {
    let decide = overdue(&filter.description, privacy, is_paused)?;
    let watched = Watched::new(&filter.description)?;
    let erased = filter.records.erase(|net, record| {
        watched.note(net, record);
        decide(net, record)
    })?;
    for (pool, since) in watched.long().into_iter().filter(|_| says_watched) {
        warn!(
            pool,
            "the pool is watched for more than 90 days: it is only monitored, and records of its subscribers have been kept since {since:.0}; \
             enforce it, or leave it out of `subscribers: {{ remember: … }}`"
        );
    }
    Ok(erased)
}

/// Removes the files with what filters had counted when they were detached.
fn remove_files(state_dir: &Path, privacy: Privacy) -> anyhow::Result<usize> {
    let oldest = privacy
        .shortest()
        .and_then(|retain| Timestamp::now().checked_sub(retain).ok());
    match oldest {
        Some(oldest) => Ok(remove_detached_before(state_dir, oldest)?),
        None => Ok(0),
    }
}

/// Removes sessions and notices; returns how many.
fn remove_rows(state_dir: &Path, privacy: Privacy) -> anyhow::Result<u64> {
    let oldest = privacy
        .retain
        .and_then(|retain| Timestamp::now().checked_sub(retain).ok());
    let Some(oldest) = oldest else { return Ok(0) };
    let mut rows = 0;
    if let Some(OpenedSessions { mut sessions, lost }) = Sessions::open_existing(state_dir)? {
        if let Some(lost) = lost {
            warn!("the sessions before are lost, and are to be imported again: {lost}");
        }
        rows += sessions.remove_before(oldest)?.rows;
    }
    if let Some(OpenedNotices { mut notices, lost }) = Notices::open_existing(state_dir)? {
        if let Some(lost) = lost {
            warn!("who was written to before is lost: {lost}");
        }
        rows += notices.remove_before(oldest)?.rows;
    }
    Ok(rows)
}

/// Notes what was removed, or that it could not be.
fn note(outcome: anyhow::Result<Removed>, faults: &Faults) {
    match outcome {
        Ok(removed) => {
            faults.clear(FaultKind::RecordsOverdue);
            let Removed {
                records: Erased { whole, monitored },
                files,
                rows,
            } = removed;
            if removed != Removed::default() {
                info!(
                    whole,
                    of_monitoring = monitored,
                    files,
                    rows,
                    "removed what is recorded of subscribers and is older than the policy keeps it: {}",
                    counted(usize::try_from(whole + monitored).unwrap_or(usize::MAX), "record"),
                );
            }
        }
        Err(error) => faults.raise(
            FaultKind::RecordsOverdue,
            format!(
                "records of subscribers that are older than the policy keeps them (`privacy`) may still be there: {error:#}; this is \
                 tried again every {INTERVAL:?}"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{session::Session, store::notices::Notice};

    #[test]
    fn databases_are_looked_through_once_the_clock_is_steady() {
        let (start, clock) = (Instant::now(), 1_700_000_000_000_000_000);
        let first = Looked::next(None, start, 0).unwrap();
        assert!(!first.is_steady(None));
        assert!(Looked::next(Some(first), start + SECOND / 2, clock).is_none());
        // It was set meanwhile.
        let second = Looked::next(Some(first), start + SECOND, clock).unwrap();
        assert!(!second.is_steady(Some(first)));
        assert!(Looked::next(Some(second), start + SECOND + SECOND, clock).is_none());
        let third = Looked::next(Some(second), start + SECOND + INTERVAL, clock + 1_000_000).unwrap();
        assert!(third.is_steady(Some(second)));
        assert!(!third.is_first);
    }

    #[test]
    fn sessions_and_notices_end_with_the_time_that_the_policy_keeps_them() {
        let dir = tempfile::tempdir().unwrap();
        let retain = Some(SignedDuration::from_hours(24));
        let privacy = Privacy {
            retain,
            ..Privacy::default()
        };
        assert_eq!(remove_rows(dir.path(), privacy).unwrap(), 0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "none is made");

        let mut sessions = Sessions::open(dir.path()).unwrap().sessions;
        let mut import = sessions.import().unwrap();
        let now = Timestamp::now();
        let before = now - SignedDuration::from_hours(25);
        let prefix = |text: &str| text.parse().unwrap();
        for session in [
            Session::ended("alice", prefix("198.51.100.7/32"), before, before),
            Session::open("bob", prefix("198.51.100.8/32"), before, before),
            Session::ended("carol", prefix("198.51.100.9/32"), before, now),
        ] {
            import.add(&session).unwrap();
        }
        import.commit().unwrap();
        let mut notices = Notices::open(dir.path()).unwrap().notices;
        for written in [before, now] {
            let notice = Notice {
                written,
                template: "aa".to_owned(),
            };
            notices.add(["alice"].into_iter(), &notice).unwrap();
        }
        let forever = Privacy {
            retain: None,
            ..privacy
        };
        assert_eq!(remove_rows(dir.path(), forever).unwrap(), 0);
        assert_eq!(remove_rows(dir.path(), privacy).unwrap(), 2);
        assert_eq!(remove_rows(dir.path(), privacy).unwrap(), 0);
        assert_eq!(notices.last().unwrap().len(), 1);
    }
}
