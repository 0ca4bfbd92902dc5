//! What outlives a daemon in the state directory, beside the store of exemptions: the last good policy, the
//! dates of pools that were reached, and the last record of the clock.

use std::io;

mod atomic;
mod dates;
mod last_good;

pub(crate) use self::{
    dates::{clock_path, dates_path, read_clock, read_dates, write_clock, write_dates},
    last_good::{KeptList, LastGood, Origin},
};

/// Whether there is no such file.
fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
