//! The policy that a daemon starts with: the file's or, if the file is refused, the last good one.

use std::{path::Path, sync::mpsc, thread, time::Duration};

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use tracing::error;

use super::{options::Options, process::privileges};
use crate::{
    enforcer::RunningPolicy,
    policy::{self, ReachedDates, ReadError, Report},
    state_dir::{self, LastGood, Origin},
};

/// How long a start waits for the disk of the state directory.
const DISK_TIME: Duration = Duration::from_secs(1);
/// How long it waits for the last good policy, whose lists may be large.
const POLICY_TIME: Duration = Duration::from_secs(5);

/// A policy to start with.
pub(super) struct StartPolicy {
    pub(super) file: policy::File,
    /// What is kept in the state directory about time.
    pub(super) time: TimeRecords,
    /// Why it is not the file's.
    pub(super) refused: Option<RefusedFile>,
}

/// What an earlier daemon kept about time.
pub(super) struct TimeRecords {
    /// The dates of pools that were reached.
    pub(super) dates: ReachedDates,
    /// The last record of the clock.
    pub(super) clock: Option<Timestamp>,
    /// Why something could not be read.
    remarks: Vec<String>,
}

impl TimeRecords {
    /// Reads them, or does without on a disk that does not answer.
    fn read_in_time(state_dir: &Path) -> Self {
        let dir = state_dir.to_owned();
        in_time(DISK_TIME, move || Self::read(&dir)).unwrap_or_else(|error| Self {
            dates: ReachedDates::default(),
            clock: None,
            remarks: vec![format!("{}: {error:#}", state_dir.display())],
        })
    }

    /// Reads them. What cannot be read is missing: the pinned filter may have it, and the pools of most policies have no dates.
    fn read(state_dir: &Path) -> Self {
        let mut remarks = Vec::new();
        let dates = state_dir::read_dates(state_dir).unwrap_or_else(|error| {
            remarks.push(format!("{error:#}"));
            ReachedDates::default()
        });
        let clock = state_dir::read_clock(state_dir).unwrap_or_else(|error| {
            remarks.push(format!("{error:#}"));
            None
        });
        Self {
            dates,
            clock,
            remarks,
        }
    }

    /// Logs what could not be read.
    pub(super) fn log_remarks(&self) {
        for remark in &self.remarks {
            error!("with a wrong clock, pools whose date was reached may open again: {remark}");
        }
    }
}

/// A policy file that is refused, while the last good policy is enforced.
pub(super) struct RefusedFile {
    why: String,
    last_good: Origin,
}

impl StartPolicy {
    /// Reads the policy file and, if that is refused, the last good policy. `print` gets the file's errors and warnings.
    pub(super) fn read(options: &Options, print: impl Fn(&Report)) -> anyhow::Result<Self> {
        let time = TimeRecords::read_in_time(&options.state_dir);
        let refused = match policy::read_holding(&options.policy, &time.dates) {
            Ok(file) => {
                print(&file.warnings);
                return Ok(Self {
                    file,
                    time,
                    refused: None,
                });
            }
            Err(refused) => refused,
        };
        if let ReadError::Invalid(report) = &refused {
            print(report);
        }
        let why = refused.in_one_line();
        let dir = options.state_dir.clone();
        match in_time(POLICY_TIME, move || LastGood::read(&dir)).and_then(|read| Ok(read?)) {
            Ok(Some(last_good)) => Self::of(last_good, &options.policy, time, why),
            Ok(None) => Err(refused.into()),
            Err(error) => bail!("{why}; {error:#}"),
        }
    }

    fn of(last_good: LastGood, path: &Path, time: TimeRecords, why: String) -> anyhow::Result<Self> {
        let LastGood { origin, text, lists } = last_good;
        match policy::read_texts(path, text, lists, &time.dates) {
            Ok(file) => Ok(Self {
                file,
                time,
                refused: Some(RefusedFile {
                    why,
                    last_good: origin,
                }),
            }),
            Err(error) => bail!(
                "{why}; the last good policy, of {}, is refused too: {}",
                shown(origin.enforced_at),
                error.in_one_line()
            ),
        }
    }
}

impl RefusedFile {
    /// Refuses to enforce the last good policy instead of another one that runs: nobody has asked for that change.
    pub(super) fn check_against(&self, running: &RunningPolicy) -> anyhow::Result<()> {
        let Self { why, last_good } = self;
        match running {
            RunningPolicy::None => Ok(()),
            RunningPolicy::Described(running) if running.policy_sha256 == last_good.sha256 => Ok(()),
            RunningPolicy::Described(running) => bail!(
                "{why}; the filter that was loaded at {} goes on without a daemon, as the last good policy, of {}, is another one",
                shown(running.loaded_at),
                shown(last_good.enforced_at)
            ),
            RunningPolicy::Unreadable => {
                bail!("{why}; the filter that another version of op25b loaded goes on without a daemon")
            }
        }
    }

    /// Notes that the file is refused for another reason now.
    pub(super) fn refuse_again(&mut self, why: String) {
        self.why = why;
    }

    /// What an operator should know.
    pub(super) fn message(&self) -> String {
        format!(
            "the policy file is refused, and the last good policy, of {}, is enforced: {}; `op25b reload` enforces the file \
             once it is mended",
            shown(self.last_good.enforced_at),
            self.why
        )
    }
}

fn shown(at: Timestamp) -> impl std::fmt::Display {
    at.strftime("%Y-%m-%d %H:%M:%S UTC")
}

/// Reads from the state directory, for a limited time: its disk may hang.
fn in_time<T: Send + 'static>(
    time: Duration,
    read: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let (sender, result) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("state-dir".to_owned())
        .spawn(move || {
            privileges::keep_file_access();
            // Nobody may wait for it any more.
            let _ = sender.send(read());
        })
        .context("cannot start a thread")?;
    result
        .recv_timeout(time)
        .context("the disk of the state directory does not answer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_does_not_answer_delays_the_start_by_seconds() {
        let (_hangs, never) = mpsc::channel::<()>();
        let error = in_time(DISK_TIME, move || never.recv()).unwrap_err();
        assert!(error.to_string().contains("does not answer"), "{error}");
        assert_eq!(in_time(DISK_TIME, || 25).unwrap(), 25);
    }
}
