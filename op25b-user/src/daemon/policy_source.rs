//! The policy that a daemon starts with: the file's or, if the file is refused, the last good one.

use std::{path::Path, sync::mpsc, thread, time::Duration};

use anyhow::bail;
use jiff::Timestamp;
use tracing::{error, warn};

use super::{options::Options, process::privileges};
use crate::{
    enforcer::RunningPolicy,
    policy::{self, ReachedDates, ReadError, Report},
    state_dir::{self, LastGood, Origin},
};

/// How long the disk of the state directory may take for two small files.
const DISK_TIME: Duration = Duration::from_secs(1);

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
}

impl TimeRecords {
    /// Reads them, in a thread, as a disk that hangs must not keep the filter off. What cannot be read is missing: the pinned filter
    /// may have it, and the pools of most policies have no dates.
    fn read(state_dir: &Path) -> Self {
        let dir = state_dir.to_owned();
        let (sender, records) = mpsc::channel();
        let thread = thread::Builder::new().name("read-state".to_owned());
        let started = thread.spawn(move || {
            privileges::keep_file_access();
            // Nobody may wait for it any more.
            let _ = sender.send(Self::read_files(&dir));
        });
        let read = started
            .map_err(anyhow::Error::from)
            .and_then(|_| Ok(records.recv_timeout(DISK_TIME)?));
        read.unwrap_or_else(|error| {
            error!(
                "the disk of {} has not answered within {DISK_TIME:?} ({error}): a wrong clock may open pools whose date was \
                 reached",
                state_dir.display()
            );
            Self {
                dates: ReachedDates::default(),
                clock: None,
            }
        })
    }

    fn read_files(state_dir: &Path) -> Self {
        let dates = state_dir::read_dates(state_dir).unwrap_or_else(|error| {
            error!("a wrong clock may open pools whose date was reached: {error:#}");
            ReachedDates::default()
        });
        let clock = state_dir::read_clock(state_dir).unwrap_or_else(|error| {
            warn!("a clock that is behind may go unnoticed: {error:#}");
            None
        });
        Self { dates, clock }
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
        let time = TimeRecords::read(&options.state_dir);
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
        match LastGood::read(&options.state_dir) {
            Ok(Some(last_good)) => Self::of(last_good, &options.policy, time, why),
            Ok(None) => Err(refused.into()),
            Err(error) => bail!("{why}; {:#}", anyhow::Error::from(error)),
        }
    }

    fn of(last_good: LastGood, path: &Path, time: TimeRecords, why: String) -> anyhow::Result<Self> {
        let LastGood { origin, text } = last_good;
        match policy::read_text(path, text, &time.dates) {
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
