//! What filters had counted when they were detached, the last few of them: addresses of subscribers, which only the owner may read.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use ipnet::IpNet;
use jiff::Timestamp;
use serde_json::Value;

use super::atomic;
use crate::policy::parse_prefix;

const PREFIX: &str = "detached-";
const SUFFIX: &str = ".json";
const MODE: u32 = 0o600;
/// How many are kept.
const KEPT: usize = 5;

/// Writes a document, and removes the oldest ones; returns its path. When this returns, it is on the disk.
pub(crate) fn write_detached(state_dir: &Path, at: Timestamp, text: &str) -> anyhow::Result<PathBuf> {
    let path = state_dir.join(name(at));
    let written = atomic::replace_with_mode(&path, MODE, |file| writeln!(file, "{text}"));
    written.with_context(|| format!("cannot write {}", path.display()))?;
    // They would only be kept for longer.
    let _ = remove_oldest(state_dir);
    Ok(path)
}

/// Removes those that are from before an instant. Returns how many there were.
pub(crate) fn remove_detached_before(state_dir: &Path, oldest: Timestamp) -> io::Result<usize> {
    let oldest = name(oldest);
    let names = names(state_dir)?.into_iter();
    let mut removed = 0;
    for name in names.filter(|name| *name < oldest) {
        fs::remove_file(state_dir.join(name))?;
        removed += 1;
    }
    Ok(removed)
}

/// Removes rows of subscribers from the documents. `is_meant` gets each subscriber with its first and its last packet. Returns how many
/// there were.
pub(crate) fn forget_detached(
    state_dir: &Path,
    is_meant: impl Fn(IpNet, Timestamp, Timestamp) -> bool,
) -> anyhow::Result<u64> {
    let mut forgotten = 0;
    for name in names(state_dir)? {
        let path = state_dir.join(name);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut document: Value = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not what `op25b stop --detach` writes", path.display()))?;
        let count = forget_rows(&mut document, &is_meant);
        if count > 0 {
            let text = serde_json::to_string_pretty(&document)?;
            let written = atomic::replace_with_mode(&path, MODE, |file| writeln!(file, "{text}"));
            written.with_context(|| format!("cannot write {}", path.display()))?;
            forgotten += count;
        }
    }
    Ok(forgotten)
}

fn forget_rows(document: &mut Value, is_meant: impl Fn(IpNet, Timestamp, Timestamp) -> bool) -> u64 {
    let is_meant = |row: &Value| {
        let net = parse_prefix(row["subscriber"].as_str()?).ok()?;
        let at = |name: &str| row[name].as_str()?.parse::<Timestamp>().ok();
        // Without its times it may have been at any.
        let (first, last) = (at("first_seen"), at("last_seen"));
        let (first, last) = (first.unwrap_or(Timestamp::MIN), last.unwrap_or(Timestamp::MAX));
        Some(is_meant(net, first, last))
    };
    let mut forgotten = 0;
    let filters = document["filters"].as_array_mut();
    for filter in filters.into_iter().flatten() {
        if let Some(rows) = filter["subscribers"]["subscribers"].as_array_mut() {
            let before = rows.len();
            rows.retain(|row| is_meant(row) != Some(true));
            forgotten += (before - rows.len()) as u64;
        }
    }
    forgotten
}

fn name(at: Timestamp) -> String {
    format!("{PREFIX}{}{SUFFIX}", at.strftime("%Y%m%dT%H%M%S%.3fZ"))
}

/// Those that there are, the oldest first.
fn names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names: Vec<_> = fs::read_dir(dir)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX))
        .collect();
    // Their times are of one width.
    names.sort_unstable();
    Ok(names)
}

fn remove_oldest(dir: &Path) -> io::Result<()> {
    let names = names(dir)?;
    let too_many = names.len().saturating_sub(KEPT);
    names[..too_many]
        .iter()
        .try_for_each(|name| fs::remove_file(dir.join(name)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn the_last_five_are_kept_for_their_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("op25b");
        let begin: Timestamp = "2026-11-28T18:00:00Z".parse().unwrap();
        fs::create_dir(&state).unwrap();
        fs::write(state.join("exemptions.db"), "").unwrap();
        for number in 0..7 {
            let at = begin + SignedDuration::from_millis(number);
            let path = write_detached(&state, at, &number.to_string()).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{number}\n"));
        }
        let mut names: Vec<_> = fs::read_dir(&state)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let kept = (2..7).map(|number| format!("detached-20261128T180000.00{number}Z.json"));
        assert_eq!(
            names,
            kept.chain(["exemptions.db".to_owned()]).collect::<Vec<_>>()
        );
    }

    #[test]
    fn those_of_before_an_instant_are_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path();
        let begin: Timestamp = "2026-11-28T18:00:00Z".parse().unwrap();
        fs::write(state.join("exemptions.db"), "").unwrap();
        for hours in [0, 1, 2] {
            write_detached(state, begin + SignedDuration::from_hours(hours), "").unwrap();
        }
        let oldest = begin + SignedDuration::from_hours(2);
        assert_eq!(remove_detached_before(state, oldest).unwrap(), 2);
        assert_eq!(names(state).unwrap(), [name(oldest)]);
        assert_eq!(remove_detached_before(state, oldest).unwrap(), 0);
        assert!(state.join("exemptions.db").exists());
    }

    #[test]
    fn a_directory_that_takes_nothing_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = write_detached(&file.join("op25b"), Timestamp::UNIX_EPOCH, "").unwrap_err();
        assert!(format!("{error:#}").contains("detached-1970"), "{error:#}");
    }
}
