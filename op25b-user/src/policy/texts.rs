//! The texts of a policy: its file and the lists that it names, each read once, and the digest of all of them.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};

use super::parse::{ListError, ListFiles, list_names};

/// The most bytes of a list.
const MOST_BYTES: u64 = 256 << 20;
/// The most bytes of all lists together.
const MOST_BYTES_TOGETHER: u64 = 512 << 20;
/// What stands for the digest of a list that cannot be read.
const UNREAD: &str = "-";

/// A list as it was read.
#[derive(Clone, Debug)]
pub struct ReadList {
    /// Its name in the policy.
    pub name: String,
    /// The SHA-256 of its text, in hexadecimal; `None` if it could not be read.
    pub sha256: Option<String>,
    /// The file that is open, which has the text although another may be in its place now. None if the text is not the file's.
    pub opened: Option<Arc<fs::File>>,
}

/// The lists that are read for a policy.
pub(super) struct ReadLists<'a> {
    source: Source<'a>,
    bytes: u64,
    read: Vec<ReadList>,
}

/// Where the lists are.
enum Source<'a> {
    /// In files, whose names are relative to a directory.
    Directory(PathBuf),
    /// In memory, by name; the directory is where they were.
    Memory(PathBuf, &'a mut BTreeMap<String, Vec<u8>>),
}

impl<'a> ReadLists<'a> {
    /// The lists of the policy file at a path.
    pub(super) fn beside(policy: &Path) -> Self {
        Self::new(Source::Directory(directory(policy)))
    }

    /// Lists in memory, which are taken out; those of a policy file at a path.
    pub(super) fn in_memory(policy: &Path, texts: &'a mut BTreeMap<String, Vec<u8>>) -> Self {
        Self::new(Source::Memory(directory(policy), texts))
    }

    fn new(source: Source<'a>) -> Self {
        Self {
            source,
            bytes: 0,
            read: Vec::new(),
        }
    }

    /// What was read.
    pub(super) fn finish(self) -> Vec<ReadList> {
        self.read
    }
}

impl ListFiles for ReadLists<'_> {
    fn path(&self, name: &str) -> PathBuf {
        match &self.source {
            Source::Directory(directory) | Source::Memory(directory, _) => directory.join(name),
        }
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>, ListError> {
        let path = self.path(name);
        let read = match &mut self.source {
            Source::Directory(_) => read(&path, MOST_BYTES_TOGETHER - self.bytes)
                .map(|(opened, bytes)| (Some(Arc::new(opened)), bytes)),
            Source::Memory(_, texts) => match texts.remove(name) {
                Some(bytes) => Ok((None, bytes)),
                None => Err(io::Error::from(io::ErrorKind::NotFound).into()),
            },
        };
        let mut list = ReadList {
            name: name.to_owned(),
            sha256: None,
            opened: None,
        };
        let bytes = read.map(|(opened, bytes)| {
            list.sha256 = Some(digest(&bytes));
            list.opened = opened;
            self.bytes += bytes.len() as u64;
            bytes
        });
        self.read.push(list);
        bytes
    }
}

/// The directory that the names of lists are relative to.
fn directory(policy: &Path) -> PathBuf {
    policy.parent().unwrap_or(Path::new("")).to_owned()
}

/// Opens a list. A pipe would be waited for.
fn open(path: &Path) -> Result<fs::File, ListError> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    if opened.metadata()?.is_file() {
        Ok(opened)
    } else {
        Err(ListError::NotAFile)
    }
}

fn read(path: &Path, left: u64) -> Result<(fs::File, Vec<u8>), ListError> {
    let opened = open(path)?;
    let limit = MOST_BYTES.min(left);
    let mut bytes = Vec::new();
    // It may grow while it is read.
    (&opened).take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 <= limit {
        return Ok((opened, bytes));
    }
    Err(if limit < MOST_BYTES {
        ListError::TooLargeTogether {
            limit: MOST_BYTES_TOGETHER,
        }
    } else {
        ListError::TooLarge { limit: MOST_BYTES }
    })
}

/// The SHA-256 of a text, in hexadecimal.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The digest of a policy: the SHA-256 of its text; with lists, the SHA-256 of the SHA-256s of its text and of each list, in the
/// order in which it names them, each in a line.
pub(crate) fn combined<'a>(policy: &str, lists: impl IntoIterator<Item = Option<&'a str>>) -> String {
    let mut lists = lists.into_iter().peekable();
    if lists.peek().is_none() {
        return policy.to_owned();
    }
    let lines = std::iter::once(policy).chain(lists.map(|list| list.unwrap_or(UNREAD)));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    digest(text.as_bytes())
}

/// The files of a policy, whose digest is computed without reading what is in them.
pub(crate) struct PolicyFiles {
    path: PathBuf,
    /// The digest of the policy's text, and the lists that this text names.
    known: Option<(String, Vec<String>)>,
}

/// What the files of a policy are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// All of them are there.
    Complete(String),
    /// A list is not there, or is empty.
    Incomplete(String),
    /// The policy file is not there, or is empty.
    Absent,
}

impl PolicyFiles {
    /// The files of the policy at a path.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            known: None,
        }
    }

    /// The paths of all files, as far as they are known.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let directory = directory(&self.path);
        let lists = self.known.iter().flat_map(|(_, names)| names);
        std::iter::once(self.path.clone())
            .chain(lists.map(|name| directory.join(name)))
            .collect()
    }

    /// Finds the lists that the policy file names now; `None` if there is no policy.
    pub(crate) fn find_lists(&mut self) -> Option<&(String, Vec<String>)> {
        let text = fs::read(&self.path).ok().filter(|text| !text.is_empty())?;
        let sha256 = digest(&text);
        if self.known.as_ref().is_none_or(|(known, _)| *known != sha256) {
            let names = str::from_utf8(&text).map_or_else(|_| Vec::new(), list_names);
            self.known = Some((sha256, names));
        }
        self.known.as_ref()
    }

    /// Computes the digest of the files.
    pub(crate) fn read(&mut self) -> Reading {
        let path = self.path.clone();
        let Some((policy, names)) = self.find_lists() else {
            return Reading::Absent;
        };
        let directory = directory(&path);
        let mut left = MOST_BYTES_TOGETHER;
        let mut is_complete = true;
        let lists: Vec<Option<String>> = names
            .iter()
            .map(|name| {
                let (sha256, length) = digest_of(&directory.join(name), left).ok()?;
                left -= length;
                is_complete &= length > 0;
                Some(sha256)
            })
            .collect();
        is_complete &= lists.iter().all(Option::is_some);
        let combined = combined(policy, lists.iter().map(Option::as_deref));
        if is_complete {
            Reading::Complete(combined)
        } else {
            Reading::Incomplete(combined)
        }
    }
}

/// The digest of a list and its length. One that is too large has none.
fn digest_of(path: &Path, left: u64) -> Result<(String, u64), ListError> {
    let mut opened = open(path)?;
    let limit = MOST_BYTES.min(left);
    let mut limited = (&mut opened).take(limit + 1);
    let mut text = Digesting::new(&mut limited);
    let length = io::copy(&mut text, &mut io::sink())?;
    if length > limit {
        return Err(ListError::TooLarge { limit });
    }
    Ok((text.finish(), length))
}

/// A reader that computes the [`digest`] of what is read.
pub(crate) struct Digesting<'a> {
    text: &'a mut dyn Read,
    digest: Sha256,
}

impl<'a> Digesting<'a> {
    /// A reader of a text.
    pub(crate) fn new(text: &'a mut dyn Read) -> Self {
        Self {
            text,
            digest: Sha256::new(),
        }
    }

    /// The digest of what was read.
    pub(crate) fn finish(self) -> String {
        format!("{:x}", self.digest.finalize())
    }
}

impl Read for Digesting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.text.read(buffer)?;
        self.digest.update(&buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;
    use crate::policy::{ReachedDates, ReadError, read, read_digested};

    const POLICY: &str = "version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\n\
        pools: [{ name: homes, prefixes_from: [lists/homes.txt] }]\nexemptions_from: [customers.csv]\n";

    fn folder() -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("lists")).unwrap();
        fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
        fs::write(folder.path().join("lists/homes.txt"), "198.51.100.0/24\n").unwrap();
        fs::write(
            folder.path().join("customers.csv"),
            "customer,prefixes\nA,198.51.100.8/29\n",
        )
        .unwrap();
        let path = folder.path().join("policy.yaml");
        (folder, path)
    }

    /// The digest as the one who watches and the one who reads compute it.
    fn digests(path: &Path) -> (Reading, Option<String>) {
        let watched = PolicyFiles::new(path).read();
        (watched, read_digested(path, &ReachedDates::default()).0)
    }

    #[test]
    fn the_digest_is_that_of_the_documented_command() {
        let (folder, path) = folder();
        let digest = read(&path).unwrap().sha256;
        let command =
            "sha256sum policy.yaml lists/homes.txt customers.csv | cut -c 1-64 | sha256sum | cut -c 1-64";
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), digest);
        // Without lists it is the file's.
        assert_eq!(combined("ab", []), "ab");
    }

    #[test]
    fn whoever_watches_computes_the_digest_of_whoever_reads() {
        let (folder, path) = folder();
        let (watched, Some(read)) = digests(&path) else {
            panic!()
        };
        assert_eq!(watched, Reading::Complete(read.clone()));
        let mut seen = vec![read];
        let list = folder.path().join("lists/homes.txt");
        for change in [
            // Refused, but a change.
            || "198.51.100.1/24\n".to_owned(),
            || "198.51.100.0/25\n".to_owned(),
            || "\u{feff}198.51.100.0/25\n".to_owned(),
        ] {
            fs::write(&list, change()).unwrap();
            let (watched, Some(read)) = digests(&path) else {
                panic!()
            };
            assert_eq!(watched, Reading::Complete(read.clone()));
            assert!(!seen.contains(&read));
            seen.push(read);
        }
        for absent in [
            |list: &Path| fs::write(list, ""),
            |list: &Path| fs::remove_file(list),
        ] {
            absent(&list).unwrap();
            let (watched, read) = digests(&path);
            assert_eq!(watched, Reading::Incomplete(read.unwrap()));
        }
        fs::write(&path, "").unwrap();
        assert_eq!(PolicyFiles::new(&path).read(), Reading::Absent);
    }

    #[test]
    fn what_is_watched_follows_the_names_in_the_policy() {
        let (folder, path) = folder();
        let mut files = PolicyFiles::new(&path);
        assert_eq!(files.paths(), [path.as_path()]);
        files.read();
        let lists = ["lists/homes.txt", "customers.csv"].map(|name| folder.path().join(name));
        assert_eq!(files.paths()[1..], lists);
        fs::write(&path, POLICY.replace("customers.csv", "/other.csv")).unwrap();
        files.read();
        assert_eq!(files.paths()[2], Path::new("/other.csv"));
    }

    #[test]
    fn a_list_that_is_no_regular_file_or_too_large_is_refused_without_reading_it() {
        let (folder, path) = folder();
        let list = folder.path().join("lists/homes.txt");
        let refused = |why: &str| {
            let Err(ReadError::Invalid(report)) = read(&path) else {
                panic!("not refused")
            };
            assert!(report.to_string().contains(why), "{report}");
            assert!(matches!(PolicyFiles::new(&path).read(), Reading::Incomplete(_)));
        };
        fs::remove_file(&list).unwrap();
        nix::unistd::mkfifo(&list, nix::sys::stat::Mode::S_IRWXU).unwrap();
        refused("it is not a regular file");
        fs::remove_file(&list).unwrap();
        fs::create_dir(&list).unwrap();
        refused("it is not a regular file");
        fs::remove_dir(&list).unwrap();
        // It takes no space.
        fs::File::create(&list).unwrap().set_len(MOST_BYTES + 1).unwrap();
        assert!(matches!(
            digest_of(&list, 8),
            Err(ListError::TooLarge { limit: 8 })
        ));
        let left = super::read(&list, 8);
        assert!(
            matches!(left, Err(ListError::TooLargeTogether { .. })),
            "{left:?}"
        );
    }
}
