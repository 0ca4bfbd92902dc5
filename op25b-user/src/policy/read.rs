//! Reads a policy file once, so that what is checked, enforced and described is the same text.

use std::{
    fs,
    io::{self, Read},
    path::{self, Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::{
    compile::{CompileError, Compiled, compile},
    diagnostics::Report,
    model::{Policy, ReachedDates},
    parse::{Loaded, parse_bytes},
};

/// A policy file whose policy can be enforced.
#[derive(Clone, Debug)]
pub struct File {
    /// Its absolute path.
    pub path: PathBuf,
    /// The SHA-256 of its text, in hexadecimal.
    pub sha256: String,
    /// The policy.
    pub policy: Policy,
    /// What the program for the policy reads.
    pub compiled: Compiled,
    /// What in it is probably not what was meant.
    pub warnings: Report,
    /// The dates of pools that were reached: the policy's, and those of pools that are not in it.
    pub reached: ReachedDates,
    /// The file that is open, which has the text although another may be in its place now. None if the text is not the file's.
    pub opened: Option<Arc<fs::File>>,
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
    /// Has the pools enforced whose dates were reached, whatever the clock says.
    pub(crate) fn hold(&mut self, reached: &ReachedDates) -> Result<(), CompileError> {
        self.reached.extend(reached);
        self.reached.retain_for(&self.policy);
        if self.policy.mark_reached(&self.reached) {
            self.compiled = compile(&self.policy)?;
        }
        Ok(())
    }
}

/// Reads, checks and compiles the policy file at `path`.
pub fn read(path: &Path) -> Result<File, ReadError> {
    read_holding(path, &ReachedDates::default())
}

/// The same, with the dates of pools that were reached.
pub fn read_holding(path: &Path, reached: &ReachedDates) -> Result<File, ReadError> {
    let unreadable = |source| ReadError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut opened = fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    opened.read_to_end(&mut bytes).map_err(unreadable)?;
    let file = read_text(path, bytes, reached)?;
    Ok(File {
        opened: Some(Arc::new(opened)),
        ..file
    })
}

/// Checks and compiles a text of the policy file at `path`, with the dates of pools that were reached.
pub fn read_text(path: &Path, bytes: Vec<u8>, reached: &ReachedDates) -> Result<File, ReadError> {
    let unreadable = |source| ReadError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut loaded = parse_bytes(&path.display().to_string(), &bytes).map_err(ReadError::Invalid)?;
    let mut reached = reached.clone();
    reached.retain_for(&loaded.policy);
    loaded.policy.mark_reached(&reached);
    let sha256 = digest(&bytes);
    // A large policy's text is as large as its tables: not both at once.
    drop(bytes);
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
        path: path::absolute(path).map_err(unreadable)?,
        sha256,
        policy,
        compiled,
        warnings,
        reached,
        opened: None,
    })
}

/// The SHA-256 of a policy's text, in hexadecimal.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
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
