//! The pauses, for a start after the kernel has lost them. While a filter runs, its own count.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{atomic, read};
use crate::policy::Pauses;

const PAUSES: &str = "pauses.json";

/// The file of the pauses.
pub(crate) fn pauses_path(state_dir: &Path) -> PathBuf {
    state_dir.join(PAUSES)
}

/// Reads the pauses; none if none are kept.
pub(crate) fn read_pauses(state_dir: &Path) -> anyhow::Result<Pauses> {
    let path = pauses_path(state_dir);
    let Some(text) = read(&path)? else {
        return Ok(Pauses::default());
    };
    serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
}

/// Keeps the pauses instead of those before.
pub(crate) fn write_pauses(state_dir: &Path, pauses: &Pauses) -> anyhow::Result<()> {
    let path = pauses_path(state_dir);
    let text = serde_json::to_string_pretty(pauses)?;
    let written = atomic::replace(&path, |file| writeln!(file, "{text}"));
    written.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::policy::Pause;

    #[test]
    fn pauses_are_read_as_they_were_written_and_a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read_pauses(dir.path()).unwrap().is_empty());
        let mut pauses = Pauses::default();
        pauses.begin(Pause {
            pool: None,
            except: vec!["corporate".to_owned()],
            at: "2026-11-28T18:00:00Z".parse().unwrap(),
            until: "2026-11-28T18:30:00Z".parse().unwrap(),
            uid: 1000,
            user: "hanako".to_owned(),
            reason: "メールが届かない".to_owned(),
        });
        write_pauses(dir.path(), &pauses).unwrap();
        assert_eq!(read_pauses(dir.path()).unwrap(), pauses);
        fs::write(pauses_path(dir.path()), "x").unwrap();
        let error = read_pauses(dir.path()).unwrap_err().to_string();
        assert!(error.contains("pauses.json is damaged"), "{error}");
    }
}
