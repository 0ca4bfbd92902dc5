//! What outlives a daemon in the state directory, beside the store of exemptions: the last good policy and
//! one that waits for a confirmation, the dates of pools that were reached, and the last record of the clock.

use std::io;

mod atomic;
mod dates;
mod kept_policy;
mod unconfirmed;

pub(crate) use self::{
    dates::{clock_path, dates_path, read_clock, read_dates, write_clock, write_dates},
    kept_policy::{KeptList, KeptPolicy, OpenedPolicy, Origin, Slot},
    unconfirmed::Unconfirmed,
};

/// Whether there is no such file.
fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
