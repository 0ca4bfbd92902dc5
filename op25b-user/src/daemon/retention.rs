//! Removes what is recorded of subscribers once it is older than the policy keeps it: at a start, and then twice an hour.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::task::{AbortHandle, spawn_blocking};
use tracing::info;

use super::metrics::filter_records;
use crate::{
    counted::counted,
    datapath::Erased,
    enforcer::Enforcer,
    fault::{FaultKind, Faults},
    policy::Privacy,
    report::{FilterRecords, overdue},
    state_dir::remove_detached_before,
};

/// How often it is looked for what is overdue: it is removed within an hour.
const INTERVAL: Duration = Duration::from_mins(30);

/// When this is due, and whether it is under way.
#[derive(Default)]
pub(super) struct Retention {
    last: Option<Instant>,
    running: Option<AbortHandle>,
}

impl Retention {
    /// Begins what is due. The daemon calls this every second.
    pub(super) fn tick(&mut self, enforcer: &mut Enforcer, state_dir: &Path) {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= INTERVAL);
        if !is_due
            || self
                .running
                .as_ref()
                .is_some_and(|running| !running.is_finished())
        {
            return;
        }
        self.last = Some(Instant::now());
        let (privacy, is_paused) = (enforcer.policy().privacy, !enforcer.pauses().is_empty());
        let faults = enforcer.faults().clone();
        let state_dir = state_dir.to_owned();
        match filter_records(enforcer) {
            Ok(records) => {
                let work = move || {
                    let erased = erase(records, privacy, is_paused);
                    let removed = remove_files(&state_dir, privacy);
                    note(erased.and_then(|erased| Ok((erased, removed?))), &faults);
                };
                self.running = Some(spawn_blocking(work).abort_handle());
            }
            Err(error) => note(Err(error), &faults),
        }
    }
}

fn erase(mut filter: FilterRecords, privacy: Privacy, is_paused: bool) -> anyhow::Result<Erased> {
    let decide = overdue(&filter.description, privacy, is_paused)?;
    Ok(filter.records.erase(decide)?)
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

/// Notes what was removed, or that it could not be.
fn note(outcome: anyhow::Result<(Erased, usize)>, faults: &Faults) {
    match outcome {
        Ok((Erased { whole, monitored }, files)) => {
            faults.clear(FaultKind::RecordsOverdue);
            if whole + monitored > 0 || files > 0 {
                info!(
                    whole,
                    of_monitoring = monitored,
                    files,
                    "removed {} of subscribers that {} older than the policy keeps them",
                    counted(usize::try_from(whole + monitored).unwrap_or(usize::MAX), "record"),
                    if whole + monitored == 1 { "is" } else { "are" },
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
