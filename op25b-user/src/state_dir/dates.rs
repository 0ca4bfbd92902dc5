//! The dates of pools that were reached, and how far the clock has come: what a clock that is behind after a start must not undo, or
//! is recognized by.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use jiff::Timestamp;

use super::{atomic, read};
use crate::policy::ReachedDates;

const DATES: &str = "reached-dates.json";
const CLOCK: &str = "clock";

/// The file of the dates.
pub(crate) fn dates_path(state_dir: &Path) -> PathBuf {
    state_dir.join(DATES)
}

/// Reads the dates; none if none are kept.
pub(crate) fn read_dates(state_dir: &Path) -> anyhow::Result<ReachedDates> {
    let path = dates_path(state_dir);
    let Some(text) = read(&path)? else {
        return Ok(ReachedDates::default());
    };
    serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
}

/// Keeps the dates instead of those before.
pub(crate) fn write_dates(state_dir: &Path, dates: &ReachedDates) -> anyhow::Result<()> {
    let path = dates_path(state_dir);
    let text = serde_json::to_string_pretty(dates)?;
    let written = atomic::replace(&path, |file| writeln!(file, "{text}"));
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// The file of the clock's last record.
pub(crate) fn clock_path(state_dir: &Path) -> PathBuf {
    state_dir.join(CLOCK)
}

/// The clock's last record; `None` if there is none.
pub(crate) fn read_clock(state_dir: &Path) -> anyhow::Result<Option<Timestamp>> {
    let path = clock_path(state_dir);
    let Some(text) = read(&path)? else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&text);
    let at = text.trim().parse::<Timestamp>();
    at.map(Some)
        .with_context(|| format!("{} is damaged", path.display()))
}

/// Records the clock.
pub(crate) fn write_clock(state_dir: &Path, now: Timestamp) -> anyhow::Result<()> {
    let path = clock_path(state_dir);
    let written = atomic::replace(&path, |file| writeln!(file, "{now:.0}"));
    written.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn dates_and_the_clock_are_read_as_they_were_written() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read_dates(dir.path()).unwrap(), ReachedDates::default());
        assert_eq!(read_clock(dir.path()).unwrap(), None);

        let now: Timestamp = "2026-11-28T17:00:00Z".parse().unwrap();
        let mut dates = ReachedDates::default();
        assert!(dates.insert("residential", now));
        assert!(!dates.insert("residential", now));
        write_dates(dir.path(), &dates).unwrap();
        write_clock(dir.path(), now).unwrap();
        assert_eq!(read_dates(dir.path()).unwrap(), dates);
        assert_eq!(read_clock(dir.path()).unwrap(), Some(now));
        let text = fs::read_to_string(dir.path().join(DATES)).unwrap();
        assert!(
            text.contains("\"pool\": \"residential\"")
                && text.contains("\"enforce_from\": \"2026-11-28T17:00:00Z\""),
            "{text}"
        );
    }

    #[test]
    fn a_damaged_file_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        for name in [DATES, CLOCK] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let errors = [
            read_dates(dir.path()).unwrap_err(),
            read_clock(dir.path()).unwrap_err(),
        ];
        for (error, name) in errors.into_iter().zip([DATES, CLOCK]) {
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
