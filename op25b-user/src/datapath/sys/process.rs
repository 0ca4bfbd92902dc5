//! Another process, held by a descriptor: its id may be another process's at any time after it has ended, the descriptor not.

use std::{
    fs, io,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

/// What the kernel appends to the path of a program whose file was removed or replaced, as by an upgrade.
const DELETED: &str = " (deleted)";

/// A process that may have ended.
#[derive(Debug)]
pub(crate) struct Process {
    id: u32,
    descriptor: OwnedFd,
}

/// A program, as far as it can be told from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// The name of its file.
    pub(crate) name: String,
    /// The device and inode of its file; none if they may not be known.
    file: Option<(u64, u64)>,
}

impl Process {
    /// Opens the process of this id; none if there is none.
    pub(crate) fn open(id: u32) -> io::Result<Option<Self>> {
        let number = i32::try_from(id).ok().and_then(Pid::from_raw);
        let number = number.ok_or_else(|| io::Error::other(format!("{id} is not a process id")))?;
        match pidfd_open(number, PidfdFlags::empty()) {
            Ok(descriptor) => Ok(Some(Self { id, descriptor })),
            Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        match pidfd_send_signal(&self.descriptor, Signal::TERM) {
            // It has ended by itself.
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until it has ended, at most for this time; whether it has.
    pub(crate) fn wait(&self, patience: Duration) -> io::Result<bool> {
        let timeout = Timespec::try_from(patience).map_err(io::Error::other)?;
        let mut ended = [PollFd::new(&self.descriptor, PollFlags::IN)];
        loop {
            match poll(&mut ended, Some(&timeout)) {
                Ok(count) => return Ok(count > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The users that it runs as: real and effective.
    pub(crate) fn users(&self) -> io::Result<[u32; 2]> {
        // Not the owner of its directory in /proc, which is root for any process that forbids to be traced.
        let status = fs::read_to_string(self.file("status"))?;
        let users = status.lines().find_map(|line| {
            let mut users = line.strip_prefix("Uid:")?.split_whitespace();
            Some([users.next()?.parse().ok()?, users.next()?.parse().ok()?])
        });
        users.ok_or_else(|| io::Error::other("its users are not listed"))
    }

    /// The program that it runs. If this process may not know, the name that the other one gives itself.
    pub(crate) fn program(&self) -> io::Result<Program> {
        match Program::of(&self.file("exe")) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Program {
                name: fs::read_to_string(self.file("comm"))?.trim_end().to_owned(),
                file: None,
            }),
            program => program,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.id.to_string()).join(name)
    }
}

impl Program {
    /// The program of this process.
    pub(crate) fn current() -> io::Result<Self> {
        Self::of(Path::new("/proc/self/exe"))
    }

    fn of(link: &Path) -> io::Result<Self> {
        let path = fs::read_link(link)?;
        let file = fs::metadata(link)?;
        Ok(Self {
            name: name(&path),
            file: Some((file.dev(), file.ino())),
        })
    }

    /// Whether it is the same file as another, or one of the same name, as after an upgrade.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        // The kernel cuts the name that a process gives itself.
        let is_same_name = match self.file {
            Some(_) => self.name == other.name,
            None => !self.name.is_empty() && other.name.as_bytes().starts_with(self.name.as_bytes()),
        };
        is_same_name || (self.file.is_some() && self.file == other.file)
    }
}

/// The name of a program's file, also of one that was removed.
fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(DELETED).unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_is_known_by_its_program_and_user_and_ends_when_asked() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::open(child.id()).unwrap().unwrap();
        assert_eq!(process.id(), child.id());
        // Between fork and exec it is a copy of this process.
        while process.program().unwrap() == Program::current().unwrap() {
            std::thread::yield_now();
        }
        assert!(!process.program().unwrap().is_like(&Program::current().unwrap()));
        let own = nix::unistd::geteuid().as_raw();
        assert_eq!(process.users().unwrap(), [own, own]);
        assert!(!process.wait(Duration::ZERO).unwrap());
        process.terminate().unwrap();
        assert!(process.wait(Duration::from_secs(20)).unwrap());
        child.wait().unwrap();
        // Its id may be another's now: this one gets no signal.
        process.terminate().unwrap();
        assert!(process.wait(Duration::ZERO).unwrap());
    }

    #[test]
    fn a_program_is_recognized_after_an_upgrade() {
        let program = |path: &str, file| Program {
            name: name(Path::new(path)),
            file,
        };
        let now = program("/usr/bin/op25b", Some((1, 7)));
        assert!(program("/usr/bin/op25b (deleted)", Some((1, 6))).is_like(&now));
        assert!(program("/usr/bin/op25b-0.1", Some((1, 7))).is_like(&now));
        assert!(!program("/usr/bin/sleep", Some((1, 8))).is_like(&now));
        assert!(program("op25b", None).is_like(&now));
        assert!(!program("sleep", None).is_like(&now));
        assert!(!program("", None).is_like(&now));
    }
}
