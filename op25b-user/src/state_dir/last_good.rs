//! The last good policy: the text of the policy that was enforced last, for a start at which the policy file is refused.
//!
//! One file, so that its parts cannot be of different policies: a comment with the digest, then the text. So it is a policy file,
//! too.

use std::{
    fs, io,
    io::{Read, Write as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{atomic, is_missing};
use crate::policy;

const FILE: &str = "policy.last-good.yaml";
/// What the first line begins with.
const MARK: &str = "# op25b ";

/// Where the text came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The SHA-256 of the text, in hexadecimal.
    pub(crate) sha256: String,
    /// When it was enforced.
    pub(crate) enforced_at: Timestamp,
    /// The policy file.
    pub(crate) policy_file: PathBuf,
}

/// The last good policy as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastGood {
    /// Where it came from.
    pub(crate) origin: Origin,
    /// Its text.
    pub(crate) text: Vec<u8>,
}

/// Why the last good policy cannot be used.
#[derive(Debug, Error)]
pub(crate) enum LastGoodError {
    /// The system refused an operation.
    #[error("cannot {operation} the last good policy {}", path.display())]
    System {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is not as it was written.
    #[error("the last good policy {} is damaged", .0.display())]
    Damaged(PathBuf),
    /// The policy file has another text now.
    #[error("{} was changed after it was read", .0.display())]
    Changed(PathBuf),
}

impl LastGood {
    /// The path of its file.
    pub(crate) fn path(state_dir: &Path) -> PathBuf {
        state_dir.join(FILE)
    }

    /// Reads it; `None` if none is kept.
    pub(crate) fn read(state_dir: &Path) -> Result<Option<Self>, LastGoodError> {
        let path = Self::path(state_dir);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(source) => {
                return Err(LastGoodError::System {
                    operation: "read",
                    path,
                    source,
                });
            }
        };
        match Self::parse(&bytes) {
            Some(last_good) => Ok(Some(last_good)),
            None => Err(LastGoodError::Damaged(path)),
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (line, text) = (&bytes[..end], &bytes[end + 1..]);
        let origin: Origin = serde_json::from_slice(line.strip_prefix(MARK.as_bytes())?).ok()?;
        (policy::digest(text) == origin.sha256).then(|| Self {
            origin,
            text: text.to_owned(),
        })
    }

    /// Keeps a text instead of the one before. Fails, and changes nothing, if the text is not the one of the digest.
    pub(crate) fn write(state_dir: &Path, origin: &Origin, text: &mut dyn Read) -> Result<(), LastGoodError> {
        let path = Self::path(state_dir);
        let mut is_changed = false;
        let written = atomic::replace(&path, |file| {
            writeln!(file, "{MARK}{}", serde_json::to_string(origin)?)?;
            let mut text = policy::Digesting::new(text);
            io::copy(&mut text, file)?;
            is_changed = text.finish() != origin.sha256;
            if is_changed {
                return Err(io::ErrorKind::InvalidData.into());
            }
            Ok(())
        });
        written.map_err(|source| {
            if is_changed {
                LastGoodError::Changed(origin.policy_file.clone())
            } else {
                LastGoodError::System {
                    operation: "write",
                    path,
                    source,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"version: 1\nnote: \xe2\x82\xac\n";

    fn origin(text: &[u8]) -> Origin {
        Origin {
            sha256: policy::digest(text),
            enforced_at: Timestamp::UNIX_EPOCH,
            policy_file: "/etc/op25b/policy.yaml".into(),
        }
    }

    #[test]
    fn what_is_kept_is_read_byte_by_byte_and_is_a_policy_file_itself() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(LastGood::read(dir.path()).unwrap(), None);
        // Also texts without an end of line, without anything, and of any bytes.
        for text in [TEXT, b"version: 1", b"", b"\xff\n\n"] {
            LastGood::write(dir.path(), &origin(text), &mut &text[..]).unwrap();
            let read = LastGood::read(dir.path()).unwrap().unwrap();
            assert_eq!((read.origin, &read.text[..]), (origin(text), text));
        }
        let policy: &[u8] = b"version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\n\
            pools: [{ name: residential, prefixes: [198.51.100.0/24] }]\n";
        LastGood::write(dir.path(), &origin(policy), &mut &policy[..]).unwrap();
        policy::read(&LastGood::path(dir.path())).unwrap();
    }

    #[test]
    fn a_text_that_has_changed_since_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        LastGood::write(dir.path(), &origin(TEXT), &mut &TEXT[..]).unwrap();
        let refused = LastGood::write(dir.path(), &origin(b"another"), &mut &b"another one"[..]);
        assert!(matches!(refused, Err(LastGoodError::Changed(_))), "{refused:?}");
        assert_eq!(LastGood::read(dir.path()).unwrap().unwrap().text, TEXT);
    }

    #[test]
    fn no_flipped_bit_and_no_cut_text_is_taken_for_the_policy() {
        let dir = tempfile::tempdir().unwrap();
        LastGood::write(dir.path(), &origin(TEXT), &mut &TEXT[..]).unwrap();
        let path = LastGood::path(dir.path());
        let whole = fs::read(&path).unwrap();
        let before = LastGood::read(dir.path()).unwrap().unwrap();
        let text_begins = whole.len() - TEXT.len();
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Some(read) = LastGood::parse(&damaged) {
                // The digest is that of the text: of the rest only what is shown may differ.
                assert!(bit / 8 < text_begins && read.text == before.text, "bit {bit}");
            }
        }
        for length in 0..whole.len() {
            assert_eq!(LastGood::parse(&whole[..length]), None, "{length} bytes");
        }
        fs::write(&path, &whole[..text_begins]).unwrap();
        let error = LastGood::read(dir.path()).unwrap_err().to_string();
        assert!(error.ends_with("is damaged"), "{error}");
    }
}
