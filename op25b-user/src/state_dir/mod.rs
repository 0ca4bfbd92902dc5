//! What outlives a daemon in the state directory, beside the store of exemptions: the last good policy and
//! one that waits for a confirmation, the dates of pools that were reached, the pauses, and the last record of the clock.

use std::{fs, io, path::Path};

use anyhow::Context as _;

mod atomic;
mod audit_key;
mod dates;
mod detached;
mod in_time;
mod kept_policy;
mod pauses;
mod unconfirmed;

pub(crate) use self::{
    atomic::replace as replace_file,
    audit_key::AuditKey,
    dates::{clock_path, dates_path, read_clock, read_dates, write_clock, write_dates},
    detached::{forget_detached, remove_detached_before, write_detached},
    in_time::{in_time, is_same_directory},
    kept_policy::{KeptList, KeptPolicy, OpenedPolicy, Origin, Slot},
    pauses::{pauses_path, read_pauses, write_pauses},
    unconfirmed::Unconfirmed,
};

/// Whether there is no such file.
fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Reads a small file; none if there is no such file.
fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
