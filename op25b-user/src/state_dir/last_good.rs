//! The last good policy: the texts of the policy that was enforced last, for a start at which the policy file is refused.
//!
//! A file has a comment with the digests, then the text of the policy file: so it is a policy file, too. The lists that it names
//! are in a directory, each under its digest. They are written before that file and removed after it, so that it always names
//! the lists of its own policy, and those that have not changed are not written again.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File},
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{atomic, is_missing};
use crate::policy;

const FILE: &str = "policy.last-good.yaml";
/// The directory of the lists.
const LISTS: &str = "policy.last-good.lists";
/// What the first line begins with.
const MARK: &str = "# op25b ";

/// Where the text came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The digest of the policy's texts, in hexadecimal.
    pub(crate) sha256: String,
    /// When it was enforced.
    pub(crate) enforced_at: Timestamp,
    /// The policy file.
    pub(crate) policy_file: PathBuf,
    /// The lists that it names, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) lists: Vec<KeptList>,
}

/// A list of the last good policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptList {
    /// Its name in the policy.
    pub(crate) name: String,
    /// The SHA-256 of its text, in hexadecimal.
    pub(crate) sha256: String,
}

/// The last good policy as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastGood {
    /// Where it came from.
    pub(crate) origin: Origin,
    /// The text of the policy file.
    pub(crate) text: Vec<u8>,
    /// The texts of its lists, by name.
    pub(crate) lists: BTreeMap<String, Vec<u8>>,
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
    /// The policy file or a list has another text now.
    #[error("{} or a list that it names was changed after it was read", .0.display())]
    Changed(PathBuf),
}

impl LastGood {
    /// The path of its file.
    pub(crate) fn path(state_dir: &Path) -> PathBuf {
        state_dir.join(FILE)
    }

    /// The paths of all its files.
    pub(crate) fn paths(state_dir: &Path, origin: &Origin) -> Vec<PathBuf> {
        let lists = origin.lists.iter().map(|list| list.path(state_dir));
        std::iter::once(Self::path(state_dir)).chain(lists).collect()
    }

    /// Reads it; `None` if none is kept.
    pub(crate) fn read(state_dir: &Path) -> Result<Option<Self>, LastGoodError> {
        let path = Self::path(state_dir);
        let read = |path: &Path| {
            fs::read(path).map_err(|source| LastGoodError::System {
                operation: "read",
                path: path.to_owned(),
                source,
            })
        };
        let bytes = match read(&path) {
            Err(LastGoodError::System { source, .. }) if is_missing(&source) => return Ok(None),
            bytes => bytes?,
        };
        let Some((origin, text)) = parse(&bytes) else {
            return Err(LastGoodError::Damaged(path));
        };
        let mut lists = BTreeMap::new();
        for list in &origin.lists {
            let path = list.path(state_dir);
            let text = read(&path)?;
            if policy::digest(&text) != list.sha256 {
                return Err(LastGoodError::Damaged(path));
            }
            lists.insert(list.name.clone(), text);
        }
        Ok(Some(Self {
            origin,
            text: text.to_owned(),
            lists,
        }))
    }

    /// Keeps the texts of a policy file and of its lists, in the origin's order, instead of those before. Fails, and changes
    /// nothing, if the texts are not those of the digests.
    pub(crate) fn write(
        state_dir: &Path,
        origin: &Origin,
        text: &mut dyn Read,
        lists: &mut [impl Read],
    ) -> Result<(), LastGoodError> {
        for (list, text) in origin.lists.iter().zip(lists) {
            let path = list.path(state_dir);
            if !has_digest(&path, &list.sha256) {
                copy(&path, origin, "", text, |digest| digest == list.sha256)?;
            }
        }
        let first_line = serde_json::to_string(origin).map_err(|source| LastGoodError::System {
            operation: "write",
            path: Self::path(state_dir),
            source: source.into(),
        })?;
        let first_line = format!("{MARK}{first_line}\n");
        copy(&Self::path(state_dir), origin, &first_line, text, |digest| {
            is_of(origin, digest)
        })?;
        remove_other_lists(state_dir, origin);
        Ok(())
    }
}

impl KeptList {
    fn path(&self, state_dir: &Path) -> PathBuf {
        state_dir.join(LISTS).join(&self.sha256)
    }

    /// Whether its digest is one, and not a path.
    fn is_valid(&self) -> bool {
        self.sha256.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

/// The parts of the file, if it is whole.
fn parse(bytes: &[u8]) -> Option<(Origin, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, text) = (&bytes[..end], &bytes[end + 1..]);
    let origin: Origin = serde_json::from_slice(line.strip_prefix(MARK.as_bytes())?).ok()?;
    let is_whole = origin.lists.iter().all(KeptList::is_valid) && is_of(&origin, &policy::digest(text));
    is_whole.then_some((origin, text))
}

/// Whether the digest of a policy file is the one of an origin.
fn is_of(origin: &Origin, digest: &str) -> bool {
    let lists = origin.lists.iter().map(|list| Some(&*list.sha256));
    policy::combined(digest, lists) == origin.sha256
}

fn has_digest(path: &Path, sha256: &str) -> bool {
    let Ok(mut file) = File::open(path) else {
        return false;
    };
    let mut text = policy::Digesting::new(&mut file);
    io::copy(&mut text, &mut io::sink()).is_ok() && text.finish() == sha256
}

/// Replaces a file by a first line and a text, if the text has the digest that is expected.
fn copy(
    path: &Path,
    origin: &Origin,
    first_line: &str,
    text: &mut dyn Read,
    is_expected: impl FnOnce(&str) -> bool,
) -> Result<(), LastGoodError> {
    let mut is_changed = false;
    let written = atomic::replace(path, |file| {
        file.write_all(first_line.as_bytes())?;
        let mut text = policy::Digesting::new(text);
        io::copy(&mut text, file)?;
        is_changed = !is_expected(&text.finish());
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
                path: path.to_owned(),
                source,
            }
        }
    })
}

/// Removes the lists of policies before. They only take space: a failure changes nothing.
fn remove_other_lists(state_dir: &Path, origin: &Origin) {
    let needed: HashSet<_> = origin.lists.iter().map(|list| list.sha256.as_str()).collect();
    let directory = state_dir.join(LISTS);
    let Ok(entries) = fs::read_dir(&directory) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry
            .file_name()
            .to_str()
            .is_some_and(|name| needed.contains(name))
        {
            let _ = fs::remove_file(entry.path());
        }
    }
    // Only if it is empty.
    let _ = fs::remove_dir(&directory);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"version: 1\nnote: \xe2\x82\xac\n";

    /// No lists.
    fn none() -> [&'static [u8]; 0] {
        []
    }

    fn origin(text: &[u8]) -> Origin {
        Origin {
            sha256: policy::digest(text),
            enforced_at: Timestamp::UNIX_EPOCH,
            policy_file: "/etc/op25b/policy.yaml".into(),
            lists: Vec::new(),
        }
    }

    #[test]
    fn what_is_kept_is_read_byte_by_byte_and_is_a_policy_file_itself() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(LastGood::read(dir.path()).unwrap(), None);
        // Also texts without an end of line, without anything, and of any bytes.
        for text in [TEXT, b"version: 1", b"", b"\xff\n\n"] {
            LastGood::write(dir.path(), &origin(text), &mut &text[..], &mut none()).unwrap();
            let read = LastGood::read(dir.path()).unwrap().unwrap();
            assert_eq!((read.origin, &read.text[..]), (origin(text), text));
        }
        let policy: &[u8] = b"version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\n\
            pools: [{ name: residential, prefixes: [198.51.100.0/24] }]\n";
        LastGood::write(dir.path(), &origin(policy), &mut &policy[..], &mut none()).unwrap();
        policy::read(&LastGood::path(dir.path())).unwrap();
    }

    #[test]
    fn a_text_that_has_changed_since_leaves_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        LastGood::write(dir.path(), &origin(TEXT), &mut &TEXT[..], &mut none()).unwrap();
        let refused = LastGood::write(
            dir.path(),
            &origin(b"another"),
            &mut &b"another one"[..],
            &mut none(),
        );
        assert!(matches!(refused, Err(LastGoodError::Changed(_))), "{refused:?}");
        assert_eq!(LastGood::read(dir.path()).unwrap().unwrap().text, TEXT);
    }

    #[test]
    fn no_flipped_bit_and_no_cut_text_is_taken_for_the_policy() {
        let dir = tempfile::tempdir().unwrap();
        LastGood::write(dir.path(), &origin(TEXT), &mut &TEXT[..], &mut none()).unwrap();
        let path = LastGood::path(dir.path());
        let whole = fs::read(&path).unwrap();
        let before = LastGood::read(dir.path()).unwrap().unwrap();
        let text_begins = whole.len() - TEXT.len();
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Some((_, text)) = parse(&damaged) {
                // The digest is that of the text: of the rest only what is shown may differ.
                assert!(bit / 8 < text_begins && text == before.text, "bit {bit}");
            }
        }
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]), None, "{length} bytes");
        }
        fs::write(&path, &whole[..text_begins]).unwrap();
        let error = LastGood::read(dir.path()).unwrap_err().to_string();
        assert!(error.ends_with("is damaged"), "{error}");
    }

    fn with_lists(text: &[u8], lists: &[(&str, &[u8])]) -> Origin {
        let lists: Vec<KeptList> = lists
            .iter()
            .map(|(name, text)| KeptList {
                name: (*name).to_owned(),
                sha256: policy::digest(text),
            })
            .collect();
        let digests = lists.iter().map(|list| Some(&*list.sha256));
        Origin {
            sha256: policy::combined(&policy::digest(text), digests),
            lists: lists.clone(),
            ..origin(text)
        }
    }

    fn kept_lists(dir: &Path) -> usize {
        fs::read_dir(dir.join(LISTS)).map_or(0, Iterator::count)
    }

    #[test]
    fn lists_are_kept_with_their_policy_and_removed_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let lists: [(&str, &[u8]); 3] = [("a.txt", b"192.0.2.0/24\n"), ("../b.csv", b"x"), ("c", b"x")];
        let first = with_lists(TEXT, &lists);
        LastGood::write(
            dir.path(),
            &first,
            &mut &TEXT[..],
            &mut lists.map(|(_, text)| text),
        )
        .unwrap();
        let read = LastGood::read(dir.path()).unwrap().unwrap();
        assert_eq!((&read.origin, &read.text[..]), (&first, TEXT));
        for (name, text) in lists {
            assert_eq!(read.lists[name], text, "{name}");
        }
        // The same text is kept once.
        assert_eq!(kept_lists(dir.path()), 2);

        let second = with_lists(TEXT, &lists[1..2]);
        LastGood::write(dir.path(), &second, &mut &TEXT[..], &mut [&b"x"[..]]).unwrap();
        assert_eq!(LastGood::read(dir.path()).unwrap().unwrap().lists.len(), 1);
        assert_eq!(kept_lists(dir.path()), 1);

        LastGood::write(dir.path(), &origin(TEXT), &mut &TEXT[..], &mut none()).unwrap();
        assert!(LastGood::read(dir.path()).unwrap().unwrap().lists.is_empty());
        assert!(!dir.path().join(LISTS).exists());
    }

    #[test]
    fn a_list_that_has_changed_since_leaves_the_policy_before() {
        let dir = tempfile::tempdir().unwrap();
        let lists: [(&str, &[u8]); 1] = [("a.txt", b"192.0.2.0/24\n")];
        let first = with_lists(TEXT, &lists);
        LastGood::write(dir.path(), &first, &mut &TEXT[..], &mut [lists[0].1]).unwrap();
        let second = with_lists(TEXT, &[("a.txt", b"198.51.100.0/24\n")]);
        let refused = LastGood::write(dir.path(), &second, &mut &TEXT[..], &mut [&b"half"[..]]);
        assert!(matches!(refused, Err(LastGoodError::Changed(_))), "{refused:?}");
        assert_eq!(LastGood::read(dir.path()).unwrap().unwrap().origin, first);
    }

    #[test]
    fn a_list_that_is_damaged_missing_or_elsewhere_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let lists: [(&str, &[u8]); 1] = [("a.txt", b"192.0.2.0/24\n")];
        let origin = with_lists(TEXT, &lists);
        let write = || LastGood::write(dir.path(), &origin, &mut &TEXT[..], &mut [lists[0].1]).unwrap();
        write();
        let path = origin.lists[0].path(dir.path());
        fs::write(&path, "192.0.2.0/25\n").unwrap();
        let error = LastGood::read(dir.path()).unwrap_err().to_string();
        assert!(error.ends_with("is damaged"), "{error}");
        // Writing it again mends it.
        write();
        LastGood::read(dir.path()).unwrap().unwrap();
        fs::remove_file(&path).unwrap();
        assert!(LastGood::read(dir.path()).is_err());

        let mut elsewhere = origin;
        elsewhere.lists[0].sha256 = "../../etc/passwd".to_owned();
        let line = serde_json::to_string(&elsewhere).unwrap();
        assert_eq!(parse(format!("{MARK}{line}\n").as_bytes()), None);
    }
}
