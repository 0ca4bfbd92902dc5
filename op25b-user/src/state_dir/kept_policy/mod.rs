//! Policies as they are kept: the texts of the policy that was enforced last, for a start at which the policy file is refused, and
//! those of one that waits for a confirmation.
//!
//! A file has a comment with the digests, then the text of the policy file: so it is a policy file, too. The lists that it names
//! are in a directory, each under its digest. They are written before that file and removed after it, so that it always names
//! the lists of its own policy, and those that have not changed are not written again.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read, Write as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{atomic, is_missing};
use crate::policy;

/// What the first line begins with.
const MARK: &str = "# op25b ";

/// Which policy is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The one that was enforced last and needs no confirmation.
    LastGood,
    /// The one that is enforced, and waits for a confirmation.
    Unconfirmed,
}

impl Slot {
    /// Its words in messages.
    const fn name(self) -> &'static str {
        match self {
            Self::LastGood => "last good policy",
            Self::Unconfirmed => "unconfirmed policy",
        }
    }

    const fn file(self) -> &'static str {
        match self {
            Self::LastGood => "policy.last-good.yaml",
            Self::Unconfirmed => "policy.unconfirmed.yaml",
        }
    }

    /// The directory of the lists.
    const fn lists(self) -> &'static str {
        match self {
            Self::LastGood => "policy.last-good.lists",
            Self::Unconfirmed => "policy.unconfirmed.lists",
        }
    }
}

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

/// A list of a policy that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptList {
    /// Its name in the policy.
    pub(crate) name: String,
    /// The SHA-256 of its text, in hexadecimal.
    pub(crate) sha256: String,
}

/// A policy as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptPolicy {
    /// Where it came from.
    pub(crate) origin: Origin,
    /// The text of the policy file.
    pub(crate) text: Vec<u8>,
    /// The texts of its lists, by name.
    pub(crate) lists: BTreeMap<String, Vec<u8>>,
}

/// The open files of a policy that is kept.
#[derive(Debug)]
pub(crate) struct OpenedPolicy {
    /// The file.
    pub(crate) file: File,
    /// Where the text begins in it.
    pub(crate) text_at: u64,
    /// The lists, in the origin's order.
    pub(crate) lists: Vec<File>,
}

/// Why a policy that is kept cannot be used.
#[derive(Debug, Error)]
pub(crate) enum KeptPolicyError {
    /// The system refused an operation.
    #[error("cannot {operation} the {} {}", slot.name(), path.display())]
    System {
        /// Which policy.
        slot: Slot,
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is not as it was written.
    #[error("the {} {} is damaged", .0.name(), .1.display())]
    Damaged(Slot, PathBuf),
    /// The policy file or a list has another text now.
    #[error("{} or a list that it names was changed after it was read", .0.display())]
    Changed(PathBuf),
}

impl KeptPolicy {
    /// The path of its file.
    pub(crate) fn path(state_dir: &Path, slot: Slot) -> PathBuf {
        state_dir.join(slot.file())
    }

    /// The paths of all its files.
    pub(crate) fn paths(state_dir: &Path, slot: Slot, origin: &Origin) -> Vec<PathBuf> {
        let lists = origin.lists.iter().map(|list| list.path(state_dir, slot));
        std::iter::once(Self::path(state_dir, slot))
            .chain(lists)
            .collect()
    }

    /// Reads it; `None` if none is kept.
    pub(crate) fn read(state_dir: &Path, slot: Slot) -> Result<Option<Self>, KeptPolicyError> {
        let path = Self::path(state_dir, slot);
        let read = |path: &Path| fs::read(path).map_err(refused(slot, "read", path));
        let bytes = match read(&path) {
            Err(KeptPolicyError::System { source, .. }) if is_missing(&source) => return Ok(None),
            bytes => bytes?,
        };
        let Some((origin, text)) = parse(&bytes) else {
            return Err(KeptPolicyError::Damaged(slot, path));
        };
        let mut lists = BTreeMap::new();
        for list in &origin.lists {
            let path = list.path(state_dir, slot);
            let text = read(&path)?;
            if policy::digest(&text) != list.sha256 {
                return Err(KeptPolicyError::Damaged(slot, path));
            }
            lists.insert(list.name.clone(), text);
        }
        Ok(Some(Self {
            origin,
            text: text.to_owned(),
            lists,
        }))
    }

    /// Opens the files of the policy with an origin, which is kept.
    pub(crate) fn open(
        state_dir: &Path,
        slot: Slot,
        origin: &Origin,
    ) -> Result<OpenedPolicy, KeptPolicyError> {
        let open = |path: &Path| File::open(path).map_err(refused(slot, "open", path));
        let lists = origin.lists.iter().map(|list| open(&list.path(state_dir, slot)));
        let path = Self::path(state_dir, slot);
        let file = open(&path)?;
        let mut first_line = Vec::new();
        let read = BufReader::new(&file).read_until(b'\n', &mut first_line);
        read.map_err(refused(slot, "read", &path))?;
        Ok(OpenedPolicy {
            file,
            text_at: first_line.len() as u64,
            lists: lists.collect::<Result<_, _>>()?,
        })
    }

    /// Whether the policy with this digest is kept, and whole.
    pub(crate) fn is_kept(state_dir: &Path, slot: Slot, sha256: &str) -> bool {
        let Ok(bytes) = fs::read(Self::path(state_dir, slot)) else {
            return false;
        };
        let Some((origin, _)) = parse(&bytes) else {
            return false;
        };
        let mut lists = origin.lists.iter();
        origin.sha256 == sha256 && lists.all(|list| has_digest(&list.path(state_dir, slot), &list.sha256))
    }

    /// Keeps the texts of a policy file and of its lists, in the origin's order, instead of those before. Fails, and changes
    /// nothing, if the texts are not those of the digests.
    pub(crate) fn write(
        state_dir: &Path,
        slot: Slot,
        origin: &Origin,
        text: &mut dyn Read,
        lists: &mut [impl Read],
    ) -> Result<(), KeptPolicyError> {
        let copy =
            |path: &Path, first_line: &str, text: &mut dyn Read, is_expected: &dyn Fn(&str) -> bool| {
                copy(path, first_line, text, is_expected).map_err(|error| match error {
                    Some(source) => refused(slot, "write", path)(source),
                    None => KeptPolicyError::Changed(origin.policy_file.clone()),
                })
            };
        for (list, text) in origin.lists.iter().zip(lists) {
            let path = list.path(state_dir, slot);
            if !has_digest(&path, &list.sha256) {
                copy(&path, "", text, &|digest| digest == list.sha256)?;
            }
        }
        let first_line = first_line(slot, state_dir, origin)?;
        copy(&Self::path(state_dir, slot), &first_line, text, &|digest| {
            is_of(origin, digest)
        })?;
        remove_lists(state_dir, slot, &origin.lists);
        Ok(())
    }

    /// Removes what is kept.
    pub(crate) fn remove(state_dir: &Path, slot: Slot) -> Result<(), KeptPolicyError> {
        let path = Self::path(state_dir, slot);
        atomic::remove(&path).map_err(refused(slot, "remove", &path))?;
        remove_lists(state_dir, slot, &[]);
        Ok(())
    }
}

impl KeptList {
    fn path(&self, state_dir: &Path, slot: Slot) -> PathBuf {
        state_dir.join(slot.lists()).join(&self.sha256)
    }

    /// Whether its digest is one, and not a path.
    fn is_valid(&self) -> bool {
        self.sha256.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

fn refused(slot: Slot, operation: &'static str, path: &Path) -> impl Fn(io::Error) -> KeptPolicyError {
    move |source| KeptPolicyError::System {
        slot,
        operation,
        path: path.to_owned(),
        source,
    }
}

/// The first line of the file, with its end.
fn first_line(slot: Slot, state_dir: &Path, origin: &Origin) -> Result<String, KeptPolicyError> {
    match serde_json::to_string(origin) {
        Ok(line) => Ok(format!("{MARK}{line}\n")),
        Err(error) => {
            let path = KeptPolicy::path(state_dir, slot);
            Err(refused(slot, "write", &path)(error.into()))
        }
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

/// Replaces a file by a first line and a text, if the text has the digest that is expected; an error without a cause if it has not.
fn copy(
    path: &Path,
    first_line: &str,
    text: &mut dyn Read,
    is_expected: &dyn Fn(&str) -> bool,
) -> Result<(), Option<io::Error>> {
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
    written.map_err(|source| (!is_changed).then_some(source))
}

/// Removes the lists of other policies than the one that needs these. They only take space: a failure changes nothing.
fn remove_lists(state_dir: &Path, slot: Slot, needed: &[KeptList]) {
    let needed: HashSet<_> = needed.iter().map(|list| list.sha256.as_str()).collect();
    let directory = state_dir.join(slot.lists());
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
mod tests;
