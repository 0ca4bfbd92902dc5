//! The daemon that holds a pin directory, from outside: who it is, and ending it.
//!
//! Whoever may open the directory can lock it. The process whose id the kernel reports gets a signal only if it is an op25b of
//! root's or of the directory's owner.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use thiserror::Error;

use super::{error::PinsError, lock};
use crate::datapath::sys::{
    network_namespace::NetworkNamespace,
    process::{Process, Program},
    users,
};

/// The name of the program, whatever this copy of it is called.
const NAME: &str = "op25b";

/// Why the process that holds a pin directory gets no signal.
#[derive(Debug, Error)]
pub enum HolderError {
    /// It is another program.
    #[error(
        "process {pid} holds the lock on the pin directory and is not op25b but {program}: it gets no signal; find out who runs it"
    )]
    OtherProgram {
        /// The process.
        pid: u32,
        /// Its program's name.
        program: String,
    },
    /// It is another user's.
    #[error(
        "process {pid} holds the lock on the pin directory and is {user}'s, while the directory is {owner}'s: it gets no signal; \
         find out who runs it"
    )]
    OtherUser {
        /// The process.
        pid: u32,
        /// Its user.
        user: String,
        /// The directory's owner.
        owner: String,
    },
    /// It cannot be seen from here.
    #[error(
        "a process that is not visible in this PID namespace holds {}: run this command where the process runs",
        .0.display()
    )]
    Invisible(PathBuf),
    /// The directory cannot be examined.
    #[error(transparent)]
    Pins(#[from] PinsError),
    /// The system refused an operation.
    #[error("cannot {operation} process {pid}, which holds the lock on the pin directory")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// The process.
        pid: u32,
        /// The system's answer.
        source: io::Error,
    },
}

/// How long a process that has released the lock may take to end.
const EXIT_TIME: Duration = Duration::from_secs(2);
/// How often the lock is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What became of a daemon that was asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It has ended.
    Ended,
    /// It has released the pins, and the kernel keeps its process while one of its threads waits for a disk.
    Released,
    /// It still holds the pins.
    Holds,
}

/// A daemon that holds a pin directory.
#[derive(Debug)]
pub struct Holder {
    process: Process,
    directory: PathBuf,
    /// Its network namespace, if it is another one than this process's.
    pub elsewhere: Option<String>,
}

impl Holder {
    /// Finds the daemon that holds a directory, if there is one.
    pub fn find(directory: &Path) -> Result<Option<Self>, HolderError> {
        loop {
            let Some(pid) = holder(directory)? else {
                return match lock::is_held(directory) {
                    Ok(true) => Err(HolderError::Invisible(directory.to_owned())),
                    Ok(false) => Ok(None),
                    Err(source) => Err(PinsError::refused("examine", directory)(source).into()),
                };
            };
            let refused = |operation| {
                move |source| HolderError::Refused {
                    operation,
                    pid,
                    source,
                }
            };
            let Some(process) = Process::open(pid).map_err(refused("open"))? else {
                // It has ended between the two calls, and the lock with it, unless a child of it has inherited that.
                if holder(directory)? == Some(pid) {
                    return Ok(None);
                }
                continue;
            };
            let found = check(&process, directory, refused);
            let has_ended = process.wait(Duration::ZERO).map_err(refused("examine"))?;
            let is_holder = holder(directory)? == Some(pid);
            if has_ended || !is_holder {
                // What was found is that of no process, or of one that has got the id since.
                if has_ended && is_holder {
                    return Ok(None);
                }
                continue;
            }
            found?;
            let here = NetworkNamespace::current().ok().map(|here| here.name());
            let elsewhere =
                NetworkNamespace::name_of(pid).filter(|name| here.is_some_and(|here| here != *name));
            return Ok(Some(Self {
                process,
                directory: directory.to_owned(),
                elsewhere,
            }));
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Asks it to end, and waits for that, at most for this time.
    pub fn end(&self, patience: Duration) -> Result<Ending, HolderError> {
        let refused = |operation| {
            move |source| HolderError::Refused {
                operation,
                pid: self.pid(),
                source,
            }
        };
        self.process.terminate().map_err(refused("end"))?;
        let wait = |time| self.process.wait(time).map_err(refused("wait for"));
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if wait(LOOK)? {
                return Ok(Ending::Ended);
            }
            if !is_held_by(&self.directory, self.pid()) {
                return Ok(if wait(EXIT_TIME)? {
                    Ending::Ended
                } else {
                    Ending::Released
                });
            }
        }
        Ok(Ending::Holds)
    }
}

/// The process that holds a directory, as the system reports it.
fn holder(directory: &Path) -> Result<Option<u32>, PinsError> {
    lock::holder(directory).map_err(PinsError::refused("examine", directory))
}

/// Whether a process holds the lock on a directory; where that cannot be known, it does.
fn is_held_by(directory: &Path, pid: u32) -> bool {
    lock::holder(directory).map_or(true, |holder| holder == Some(pid))
}

/// Refuses a process that is no op25b, or one of a user who has no business with the directory.
fn check<F: FnOnce(io::Error) -> HolderError>(
    process: &Process,
    directory: &Path,
    refused: impl Fn(&'static str) -> F,
) -> Result<(), HolderError> {
    let owner = fs::metadata(directory)
        .map_err(refused("find the owner of"))?
        .uid();
    let users = process.users().map_err(refused("find the user of"))?;
    if let Some(user) = users.into_iter().find(|user| ![0, owner].contains(user)) {
        return Err(HolderError::OtherUser {
            pid: process.id(),
            user: users::name(user),
            owner: users::name(owner),
        });
    }
    let program = process.program().map_err(refused("find the program of"))?;
    let current = Program::current().map_err(refused("compare this program with that of"))?;
    if program.name != NAME && !program.is_like(&current) {
        return Err(HolderError::OtherProgram {
            pid: process.id(),
            program: program.name,
        });
    }
    Ok(())
}
