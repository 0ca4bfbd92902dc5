//! Reads a policy file and its lists once, so that what is checked, enforced and described is the same text.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    path::{self, Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;

use super::{
    compile::{CompileError, Compiled, compile},
    diagnostics::Report,
    model::{Pause, Pauses, Policy, ReachedDates},
    parse::{Loaded, parse_bytes},
    texts::{ReadList, ReadLists, combined, digest},
};

/// A policy file whose policy can be enforced.
#[derive(Clone, Debug)]
pub struct File {
    /// Its absolute path.
    pub path: PathBuf,
    /// The digest of its text and of its lists, in hexadecimal.
    pub sha256: String,
    /// The policy.
    pub policy: Policy,
    /// What the program for the policy reads.
    pub compiled: Compiled,
    /// What in it is probably not what was meant.
    pub warnings: Report,
    /// The dates of pools that were reached: the policy's, and those of pools that are not in it.
    pub reached: ReachedDates,
    /// The pauses that are in force.
    pub pauses: Pauses,
    /// The file that is open, which has the text although another may be in its place now. None if the text is not the file's.
    pub opened: Option<Arc<fs::File>>,
    /// The lists that it names.
    pub lists: Vec<ReadList>,
}

/// Why a policy file cannot be enforced.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The policy has errors; the report has the warnings as well.
    #[error("{}: the policy has errors; nothing was changed", .0.file())]
    Invalid(Report),
    /// The policy has no errors, but does not fit into the kernel.
    #[error("{}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The policy and its warnings.
        loaded: Box<Loaded>,
        /// What it has too much of.
        source: CompileError,
    },
}

impl ReadError {
    /// The error in one line, with its cause or the first error in the policy.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let cause = match self {
            Self::Unreadable { source, .. } => source.to_string(),
            Self::TooLarge { source, .. } => source.to_string(),
            Self::Invalid(report) => return format!("{}: {}", report.file(), report.first_error()),
        };
        format!("{self}: {cause}")
    }
}

impl File {
    /// The policy of a file as it was loaded before, without the exemptions of the store, and with these dates of pools that were
    /// reached.
    pub(crate) fn again(
        policy: &Policy,
        path: PathBuf,
        sha256: String,
        mut reached: ReachedDates,
    ) -> Result<Self, CompileError> {
        let mut policy = policy.clone();
        policy.exemptions.truncate(policy.exemptions_in_file().len());
        reached.retain_for(&policy);
        policy.mark_reached(&reached);
        // Those of then have ended, or are in force again when this is.
        policy.pause(&Pauses::default());
        Ok(Self {
            compiled: compile(&policy)?,
            warnings: Report::new(&path.display().to_string()),
            path,
            sha256,
            policy,
            reached,
            pauses: Pauses::default(),
            opened: None,
            lists: Vec::new(),
        })
    }

    /// Has the pools enforced whose dates were reached, whatever the clock says.
    pub(crate) fn hold(&mut self, reached: &ReachedDates) -> Result<(), CompileError> {
        self.reached.extend(reached);
        self.reached.retain_for(&self.policy);
        if self.policy.mark_reached(&self.reached) {
            self.compiled = compile(&self.policy)?;
        }
        Ok(())
    }

    /// Has pauses in force. Returns those of pools that the policy does not have, which end.
    pub(crate) fn pause(&mut self, mut pauses: Pauses) -> Result<Vec<Pause>, CompileError> {
        let ended = pauses.retain(|pause| self.policy.has_pool_of(pause));
        self.pauses = pauses;
        if self.policy.pause(&self.pauses) {
            self.compiled = compile(&self.policy)?;
        }
        Ok(ended)
    }
}

/// Reads, checks and compiles the policy file at `path`.
pub fn read(path: &Path) -> Result<File, ReadError> {
    read_holding(path, &ReachedDates::default())
}

/// The same, with the dates of pools that were reached.
pub fn read_holding(path: &Path, reached: &ReachedDates) -> Result<File, ReadError> {
    read_digested(path, reached).1
}

/// The same, with the digest of what was read, also if it is refused; `None` if the file itself cannot be read.
pub fn read_digested(path: &Path, reached: &ReachedDates) -> (Option<String>, Result<File, ReadError>) {
    let read = || -> io::Result<(fs::File, Vec<u8>)> {
        let mut opened = fs::File::open(path)?;
        let mut bytes = Vec::new();
        opened.read_to_end(&mut bytes)?;
        Ok((opened, bytes))
    };
    match read() {
        Ok((opened, bytes)) => {
            let (digest, file) = check(path, bytes, ReadLists::beside(path), reached);
            let file = file.map(|file| File {
                opened: Some(Arc::new(opened)),
                ..file
            });
            (Some(digest), file)
        }
        Err(source) => {
            let path = path.to_owned();
            (None, Err(ReadError::Unreadable { path, source }))
        }
    }
}

/// Checks and compiles a text of the policy file at `path` and the texts of the lists that it names, with the dates of pools that
/// were reached.
pub fn read_texts(
    path: &Path,
    bytes: Vec<u8>,
    mut lists: BTreeMap<String, Vec<u8>>,
    reached: &ReachedDates,
) -> Result<File, ReadError> {
    check(path, bytes, ReadLists::in_memory(path, &mut lists), reached).1
}

/// Checks and compiles a text that is not of a file, such as that of stdin. The lists that it names are beside the working directory's
/// files.
pub fn read_text(name: &str, bytes: Vec<u8>) -> Result<File, ReadError> {
    let path = Path::new(name);
    check(path, bytes, ReadLists::beside(path), &ReachedDates::default()).1
}

fn check(
    path: &Path,
    bytes: Vec<u8>,
    mut lists: ReadLists<'_>,
    reached: &ReachedDates,
) -> (String, Result<File, ReadError>) {
    let parsed = parse_bytes(&path.display().to_string(), &bytes, &mut lists);
    let lists = lists.finish();
    let sha256 = combined(&digest(&bytes), lists.iter().map(|list| list.sha256.as_deref()));
    // A large policy's text is as large as its tables: not both at once.
    drop(bytes);
    let compiled = parsed
        .map_err(ReadError::Invalid)
        .and_then(|loaded| compiled(path, loaded, reached));
    let file = compiled.map(|file| File {
        sha256: sha256.clone(),
        lists,
        ..file
    });
    (sha256, file)
}

/// Compiles a policy.
fn compiled(path: &Path, mut loaded: Loaded, reached: &ReachedDates) -> Result<File, ReadError> {
    let absolute = |relative: &Path| {
        path::absolute(relative).map_err(|source| ReadError::Unreadable {
            path: path.to_owned(),
            source,
        })
    };
    for list in &mut loaded.policy.lists {
        list.path = absolute(&list.path)?;
    }
    let mut reached = reached.clone();
    reached.retain_for(&loaded.policy);
    loaded.policy.mark_reached(&reached);
    let compiled = match compile(&loaded.policy) {
        Ok(compiled) => compiled,
        Err(source) => {
            return Err(ReadError::TooLarge {
                path: path.to_owned(),
                loaded: Box::new(loaded),
                source,
            });
        }
    };
    let Loaded { policy, warnings } = loaded;
    Ok(File {
        path: absolute(path)?,
        sha256: String::new(),
        policy,
        compiled,
        warnings,
        reached,
        pauses: Pauses::default(),
        opened: None,
        lists: Vec::new(),
    })
}
