//! The pauses, for a start after the kernel has lost them, or before it has them: of these and those of a filter that runs the later
//! ones count.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::Deserialize;

use super::{atomic, read};
use crate::policy::{Pause, Pauses};

const PAUSES: &str = "pauses.json";

/// The content of the file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    Pauses(Pauses),
    /// As an earlier version wrote it.
    Earlier(Vec<Pause>),
}

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
    let kept: Kept =
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
    Ok(match kept {
        Kept::Pauses(pauses) => pauses,
        Kept::Earlier(pauses) => pauses.into(),
    })
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

    #[test]
    fn pauses_are_read_as_they_were_written_and_a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read_pauses(dir.path()).unwrap().is_empty());
        let mut pauses = Pauses::default();
        pauses.begin(Pause {
            pool: None,
            except: vec!["corporate".to_owned()],
            at: "2026-11-28T18:00:00Z".parse().unwrap(),
            until: "2026-11-28T18:30:00Z".parse().ok(),
            uid: 1000,
            user: "hanako".to_owned(),
            reason: "メールが届かない".to_owned(),
        });
        let earlier = serde_json::to_string(&pauses.iter().collect::<Vec<_>>()).unwrap();
        fs::write(pauses_path(dir.path()), earlier).unwrap();
        assert_eq!(read_pauses(dir.path()).unwrap(), pauses);
        fs::write(pauses_path(dir.path()), "[]\n").unwrap();
        assert_eq!(read_pauses(dir.path()).unwrap(), Pauses::default());
        pauses.revision = 3;
        write_pauses(dir.path(), &pauses).unwrap();
        assert_eq!(read_pauses(dir.path()).unwrap(), pauses);
        fs::write(pauses_path(dir.path()), "x").unwrap();
        let error = read_pauses(dir.path()).unwrap_err().to_string();
        assert!(error.contains("pauses.json is damaged"), "{error}");
    }
}
