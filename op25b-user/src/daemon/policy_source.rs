//! The policy that a daemon starts with: the file's or, if the file is refused, the last good one.

use std::path::Path;

use anyhow::bail;
use jiff::Timestamp;

use super::options::Options;
use crate::{
    enforcer::RunningPolicy,
    policy::{self, ReadError, Report},
    state_dir::{LastGood, Origin},
};

/// A policy to start with.
pub(super) struct StartPolicy {
    pub(super) file: policy::File,
    /// Why it is not the file's.
    pub(super) refused: Option<RefusedFile>,
}

/// A policy file that is refused, while the last good policy is enforced.
pub(super) struct RefusedFile {
    why: String,
    last_good: Origin,
}

impl StartPolicy {
    /// Reads the policy file and, if that is refused, the last good policy. `print` gets the file's errors and warnings.
    pub(super) fn read(options: &Options, print: impl Fn(&Report)) -> anyhow::Result<Self> {
        let refused = match policy::read(&options.policy) {
            Ok(file) => {
                print(&file.warnings);
                return Ok(Self { file, refused: None });
            }
            Err(refused) => refused,
        };
        if let ReadError::Invalid(report) = &refused {
            print(report);
        }
        let why = refused.in_one_line();
        match LastGood::read(&options.state_dir) {
            Ok(Some(last_good)) => Self::of(last_good, &options.policy, why),
            Ok(None) => Err(refused.into()),
            Err(error) => bail!("{why}; {:#}", anyhow::Error::from(error)),
        }
    }

    fn of(last_good: LastGood, path: &Path, why: String) -> anyhow::Result<Self> {
        let LastGood { origin, text } = last_good;
        match policy::read_text(path, text) {
            Ok(file) => Ok(Self {
                file,
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
