//! What is kept in the state directory, the last of each kind.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use jiff::Timestamp;
use tracing::warn;

use super::policy::PolicyText;
use crate::{
    policy::{Pauses, ReachedDates},
    state_dir::{self, KeptPolicy, Slot, Unconfirmed},
};

/// The kinds, in the order in which they are written: a reload is confirmed once its policy is the last good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Policy,
    Reload,
    Dates,
    Pauses,
    Clock,
}

/// Something to write.
#[derive(Clone)]
pub(super) enum Item {
    /// The last good policy.
    Policy(Arc<PolicyText>),
    /// The reload that waits for a confirmation, with its policy.
    Unconfirmed(Box<Unconfirmed>, Arc<PolicyText>),
    /// The reload that was taken back.
    WentBack(Box<Unconfirmed>),
    /// That no reload waits for a confirmation, and none was taken back.
    Confirmed,
    /// The dates of pools that were reached.
    Dates(ReachedDates),
    /// The pauses.
    Pauses(Pauses),
    /// The clock.
    Clock(Timestamp),
}

/// An item that is to be written, in any case or only if its file is missing.
pub(super) struct Work {
    pub(super) item: Item,
    pub(super) only_if_missing: bool,
    /// That it could not be written.
    pub(super) failed: Option<Failed>,
}

/// A failure to write something.
pub(super) struct Failed {
    pub(super) why: String,
    /// When the next attempt is.
    pub(super) again: Instant,
}

impl Work {
    /// Whether it is to be written now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.failed.as_ref().is_none_or(|failed| failed.again <= now)
    }

    pub(super) fn write(&self, dir: &Path) -> anyhow::Result<()> {
        if self.only_if_missing {
            let Some(missing) = self.item.missing(dir)? else {
                return Ok(());
            };
            warn!(path = %missing.display(), "another process removed the file: writing it again");
        }
        self.item.write(dir)
    }
}

impl Item {
    /// A file of it that is missing.
    fn missing(&self, dir: &Path) -> io::Result<Option<PathBuf>> {
        let paths = match self {
            Self::Policy(policy) => policy.paths(dir, Slot::LastGood),
            Self::Unconfirmed(_, policy) => {
                let mut paths = policy.paths(dir, Slot::Unconfirmed);
                paths.push(Unconfirmed::path(dir));
                paths
            }
            Self::WentBack(_) => vec![Unconfirmed::path(dir)],
            Self::Confirmed => Vec::new(),
            Self::Dates(_) => vec![state_dir::dates_path(dir)],
            Self::Pauses(_) => vec![state_dir::pauses_path(dir)],
            Self::Clock(_) => vec![state_dir::clock_path(dir)],
        };
        for path in paths {
            if !path.try_exists()? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Policy(..) => Kind::Policy,
            Self::Unconfirmed(..) | Self::WentBack(_) | Self::Confirmed => Kind::Reload,
            Self::Dates(_) => Kind::Dates,
            Self::Pauses(_) => Kind::Pauses,
            Self::Clock(_) => Kind::Clock,
        }
    }

    pub(super) fn write(&self, dir: &Path) -> anyhow::Result<()> {
        match self {
            Self::Policy(policy) => policy.write(dir, Slot::LastGood)?,
            Self::Unconfirmed(reload, policy) => {
                policy.write(dir, Slot::Unconfirmed)?;
                reload.write(dir)?;
            }
            Self::WentBack(reload) => {
                reload.write(dir)?;
                KeptPolicy::remove(dir, Slot::Unconfirmed)?;
            }
            Self::Confirmed => Unconfirmed::remove(dir)?,
            Self::Dates(dates) => state_dir::write_dates(dir, dates)?,
            Self::Pauses(pauses) => state_dir::write_pauses(dir, pauses)?,
            Self::Clock(now) => state_dir::write_clock(dir, *now)?,
        }
        Ok(())
    }
}
