//! The policy that a daemon starts with: the file's or, if the file is refused, the last good one; after a reload that was not
//! confirmed, the one that waits for the confirmation or, once that is late, the one before it.

use std::{
    path::{self, Path},
    time::Duration,
};

use anyhow::{Context as _, bail};
use jiff::{Timestamp, tz::TimeZone};
use tracing::error;

use super::{
    keeper::PolicyText,
    options::Options,
    process::privileges,
    reload::{kept, remaining},
};
use crate::{
    enforcer::RunningPolicy,
    policy::{self, Pauses, ReachedDates, ReadError, Report},
    state_dir::{self, KeptPolicy, Origin, Slot, Unconfirmed},
    time::show,
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
    /// What is known of a reload that was not confirmed before the start.
    pub(super) reload: ReloadAtStart,
    /// What could not be read of it.
    pub(super) remarks: Vec<String>,
}

/// A reload that was not confirmed before a start.
pub(super) enum ReloadAtStart {
    /// There is none.
    None,
    /// One waits for a confirmation, and its policy is the one to start with.
    Waiting(Unconfirmed, PolicyText),
    /// It is taken back by this start, or was before.
    WentBack(Unconfirmed),
}

/// What an earlier daemon kept about time.
pub(super) struct TimeRecords {
    /// The dates of pools that were reached.
    pub(super) dates: ReachedDates,
    /// The pauses.
    pub(super) pauses: Pauses,
    /// The last record of the clock.
    pub(super) clock: Option<Timestamp>,
    /// Why something could not be read.
    remarks: Vec<String>,
    /// Why the pauses could not be read.
    pauses_remark: Option<String>,
}

impl TimeRecords {
    /// Reads them, or does without on a disk that does not answer.
    fn read_in_time(state_dir: &Path) -> Self {
        let dir = state_dir.to_owned();
        in_time(DISK_TIME, move || Self::read(&dir)).unwrap_or_else(|error| Self {
            dates: ReachedDates::default(),
            pauses: Pauses::default(),
            clock: None,
            remarks: vec![format!("{}: {error:#}", state_dir.display())],
            pauses_remark: None,
        })
    }

    /// Reads them. What cannot be read is missing: the pinned filter may have it, and the pools of most policies have no dates.
    fn read(state_dir: &Path) -> Self {
        let (mut remarks, mut pauses_remark) = (Vec::new(), None);
        let dates = state_dir::read_dates(state_dir).unwrap_or_else(|error| {
            remarks.push(format!("{error:#}"));
            ReachedDates::default()
        });
        let clock = state_dir::read_clock(state_dir).unwrap_or_else(|error| {
            remarks.push(format!("{error:#}"));
            None
        });
        let pauses = state_dir::read_pauses(state_dir).unwrap_or_else(|error| {
            pauses_remark = Some(format!("{error:#}"));
            Pauses::default()
        });
        Self {
            dates,
            pauses,
            clock,
            remarks,
            pauses_remark,
        }
    }

    /// Logs what could not be read.
    pub(super) fn log_remarks(&self) {
        for remark in &self.remarks {
            error!("with a wrong clock, pools whose date was reached may open again: {remark}");
        }
        if let Some(remark) = &self.pauses_remark {
            error!("pauses that the kernel does not have are not in force again: {remark}");
        }
    }
}

/// A policy file that is not enforced.
pub(super) struct RefusedFile {
    why: String,
    instead: Instead,
}

/// What is enforced instead of the policy file.
enum Instead {
    /// The last good policy, as the file was refused at a start.
    LastGood(Origin),
    /// The policy before a reload of the file that was not confirmed.
    Previous,
}

impl StartPolicy {
    /// Reads the policy to start with. `print` gets the file's errors and warnings.
    pub(super) fn read(options: &Options, print: impl Fn(&Report)) -> anyhow::Result<Self> {
        let time = TimeRecords::read_in_time(&options.state_dir);
        let mut remarks = Vec::new();
        let reload = unconfirmed_reload(options, &mut remarks);
        if let Some(reload) = reload.clone().filter(|reload| reload.went_back_at.is_none()) {
            if !remaining(&reload, Timestamp::now()).is_zero() {
                match Self::unconfirmed(options, &reload, &time) {
                    Ok((file, text)) => {
                        print(&file.warnings);
                        let reload = ReloadAtStart::Waiting(reload, text);
                        return Ok(Self::new(file, time, None, reload, remarks));
                    }
                    Err(error) => remarks.push(format!(
                        "the policy that waits for a confirmation cannot be read, so the one before it is enforced: {error:#}"
                    )),
                }
            }
            match Self::previous(options, &reload, &time) {
                Ok(file) => return Ok(Self::went_back(file, time, reload, remarks)),
                Err(error) => remarks.push(format!(
                    "a reload was not confirmed in time, and the policy before it cannot be read: {error:#}; the policy file is \
                     enforced"
                )),
            }
        }
        let went_back = reload.filter(|reload| reload.went_back_at.is_some());
        let mut start = Self::of_file(options, time, print)?;
        // What was taken back is not enforced again because the daemon was started again.
        if let Some(reload) = went_back
            && start.refused.is_none()
            && start.file.sha256 == reload.sha256
        {
            match Self::previous(options, &reload, &start.time) {
                Ok(file) => return Ok(Self::went_back(file, start.time, reload, remarks)),
                Err(error) => remarks.push(format!(
                    "the policy file was not confirmed, and the policy before it cannot be read: {error:#}; the policy file is enforced"
                )),
            }
        }
        start.remarks = remarks;
        Ok(start)
    }

    fn new(
        mut file: policy::File,
        time: TimeRecords,
        refused: Option<RefusedFile>,
        reload: ReloadAtStart,
        remarks: Vec<String>,
    ) -> Self {
        file.pauses.clone_from(&time.pauses);
        Self {
            file,
            time,
            refused,
            reload,
            remarks,
        }
    }

    /// A start with the policy before a reload.
    fn went_back(file: policy::File, time: TimeRecords, reload: Unconfirmed, remarks: Vec<String>) -> Self {
        // Its words are known once it is enforced.
        let refused = RefusedFile::unconfirmed(String::new());
        Self::new(
            file,
            time,
            Some(refused),
            ReloadAtStart::WentBack(reload),
            remarks,
        )
    }

    /// The policy that waits for a confirmation, as it was loaded.
    fn unconfirmed(
        options: &Options,
        reload: &Unconfirmed,
        time: &TimeRecords,
    ) -> anyhow::Result<(policy::File, PolicyText)> {
        let (dir, sha256) = (options.state_dir.clone(), reload.sha256.clone());
        let read = in_time(POLICY_TIME, move || {
            let kept = KeptPolicy::read(&dir, Slot::Unconfirmed)?.filter(|kept| kept.origin.sha256 == sha256);
            let kept = kept.with_context(|| format!("{} does not have it", dir.display()))?;
            let text = PolicyText::kept(&dir, Slot::Unconfirmed, kept.origin.clone())?;
            anyhow::Ok((kept, text))
        });
        let (KeptPolicy { origin, text, lists }, opened) = read??;
        let file = policy::read_texts(&origin.policy_file, text, lists, &time.dates)?;
        Ok((file, opened))
    }

    /// The policy before a reload.
    fn previous(options: &Options, reload: &Unconfirmed, time: &TimeRecords) -> anyhow::Result<policy::File> {
        let (dir, sha256, dates) = (
            options.state_dir.clone(),
            reload.previous_sha256.clone(),
            time.dates.clone(),
        );
        in_time(POLICY_TIME, move || kept(&dir, &sha256, &dates))?
    }

    /// Reads the policy file and, if that is refused, the last good policy.
    fn of_file(options: &Options, time: TimeRecords, print: impl Fn(&Report)) -> anyhow::Result<Self> {
        let refused = match policy::read_holding(&options.policy, &time.dates) {
            Ok(file) => {
                print(&file.warnings);
                return Ok(Self::new(file, time, None, ReloadAtStart::None, Vec::new()));
            }
            Err(refused) => refused,
        };
        if let ReadError::Invalid(report) = &refused {
            print(report);
        }
        let why = refused.in_one_line();
        let dir = options.state_dir.clone();
        let read = in_time(POLICY_TIME, move || KeptPolicy::read(&dir, Slot::LastGood));
        match read.and_then(|read| Ok(read?)) {
            Ok(Some(last_good)) => Self::of(last_good, &options.policy, time, why),
            Ok(None) => Err(refused.into()),
            Err(error) => bail!("{why}; {error:#}"),
        }
    }

    fn of(last_good: KeptPolicy, path: &Path, time: TimeRecords, why: String) -> anyhow::Result<Self> {
        let KeptPolicy { origin, text, lists } = last_good;
        match policy::read_texts(path, text, lists, &time.dates) {
            Ok(file) => {
                let instead = Instead::LastGood(origin);
                let refused = Some(RefusedFile { why, instead });
                Ok(Self::new(file, time, refused, ReloadAtStart::None, Vec::new()))
            }
            Err(error) => bail!(
                "{why}; the last good policy, of {}, is refused too: {}",
                shown(origin.enforced_at),
                error.in_one_line()
            ),
        }
    }
}

/// The reload of this policy file that was not confirmed, if there is one.
fn unconfirmed_reload(options: &Options, remarks: &mut Vec<String>) -> Option<Unconfirmed> {
    let dir = options.state_dir.clone();
    let read = in_time(DISK_TIME, move || Unconfirmed::read(&dir)).and_then(|read| read);
    let reload = read.unwrap_or_else(|error| {
        remarks.push(format!(
            "a reload that was not confirmed in time would not be noticed: {error:#}"
        ));
        None
    })?;
    // Another file was given to this start on purpose.
    let path = path::absolute(&options.policy).ok()?;
    (reload.policy_file == path).then_some(reload)
}

impl RefusedFile {
    /// A policy file that was not confirmed after its reload, in words.
    pub(super) fn unconfirmed(told: String) -> Self {
        Self {
            why: told,
            instead: Instead::Previous,
        }
    }

    /// Refuses to enforce the last good policy instead of another one that runs: nobody has asked for that change.
    pub(super) fn check_against(&self, running: &RunningPolicy) -> anyhow::Result<()> {
        let Self { why, instead } = self;
        let Instead::LastGood(last_good) = instead else {
            return Ok(());
        };
        match running {
            RunningPolicy::None => Ok(()),
            RunningPolicy::Described(running) if running.policy_sha256 == last_good.sha256 => Ok(()),
            RunningPolicy::Described(running) => bail!(
                "{why}; the filter that was loaded at {} goes on without a daemon, as the last good policy, of {}, is another one",
                shown(running.policy_loaded_at()),
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
        let Self { why, instead } = self;
        match instead {
            Instead::LastGood(last_good) => format!(
                "the policy file is refused, and the last good policy, of {}, is enforced: {why}; `op25b reload` enforces the file \
                 once it is mended",
                shown(last_good.enforced_at),
            ),
            Instead::Previous => {
                format!("{why}; the policy file has another one, which `op25b reload` enforces")
            }
        }
    }
}

fn shown(at: Timestamp) -> String {
    show::instant(at, &TimeZone::system())
}

/// Reads from the state directory, for a limited time.
fn in_time<T: Send + 'static>(
    time: Duration,
    read: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    state_dir::in_time(time, privileges::keep_file_access, read)
}
