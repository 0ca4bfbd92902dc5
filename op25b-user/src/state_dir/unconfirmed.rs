//! The reload that waits for a confirmation, or was taken back without one: what a start must know of it.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{KeptPolicy, Slot, atomic, is_missing};

const FILE: &str = "reload.unconfirmed.json";

/// A reload that was not confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unconfirmed {
    /// The policy file.
    pub(crate) policy_file: PathBuf,
    /// The digest of the policy that it loaded.
    pub(crate) sha256: String,
    /// The digest of the policy to go back to, which is the last good one.
    pub(crate) previous_sha256: String,
    /// When it was requested.
    pub(crate) requested_at: Timestamp,
    /// Who requested it.
    pub(crate) by: String,
    /// When it is to be taken back.
    pub(crate) goes_back_at: Timestamp,
    /// When it was; none while it waits.
    pub(crate) went_back_at: Option<Timestamp>,
}

impl Unconfirmed {
    /// The file.
    pub(crate) fn path(state_dir: &Path) -> PathBuf {
        state_dir.join(FILE)
    }

    /// Reads it; `None` if there is none.
    pub(crate) fn read(state_dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = Self::path(state_dir);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let read = serde_json::from_slice(&text);
        read.map(Some)
            .with_context(|| format!("{} is damaged", path.display()))
    }

    /// Keeps it instead of the one before.
    pub(crate) fn write(&self, state_dir: &Path) -> anyhow::Result<()> {
        let path = Self::path(state_dir);
        let text = serde_json::to_string_pretty(self)?;
        let written = atomic::replace(&path, |file| writeln!(file, "{text}"));
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Forgets it, and the text of its policy. When this returns, it is gone from the disk.
    pub(crate) fn remove(state_dir: &Path) -> anyhow::Result<()> {
        let path = Self::path(state_dir);
        let removed = atomic::remove(&path);
        removed.with_context(|| format!("cannot remove {}", path.display()))?;
        Ok(KeptPolicy::remove(state_dir, Slot::Unconfirmed)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_a_confirmation_is_read_as_it_was_written_until_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Unconfirmed::read(dir.path()).unwrap(), None);
        let unconfirmed = Unconfirmed {
            policy_file: "/etc/op25b/policy.yaml".into(),
            sha256: "ab".repeat(32),
            previous_sha256: "cd".repeat(32),
            requested_at: Timestamp::UNIX_EPOCH,
            by: "root".to_owned(),
            goes_back_at: "2026-11-28T17:05:00Z".parse().unwrap(),
            went_back_at: None,
        };
        unconfirmed.write(dir.path()).unwrap();
        assert_eq!(Unconfirmed::read(dir.path()).unwrap(), Some(unconfirmed));
        fs::write(Unconfirmed::path(dir.path()), "{").unwrap();
        let error = Unconfirmed::read(dir.path()).unwrap_err().to_string();
        assert!(error.ends_with("is damaged"), "{error}");
        for _ in 0..2 {
            Unconfirmed::remove(dir.path()).unwrap();
            assert_eq!(Unconfirmed::read(dir.path()).unwrap(), None);
        }
    }
}
