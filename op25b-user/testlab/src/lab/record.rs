//! Records of labs and of the processes that own them: a file for each, so that what a killed process left behind can be
//! distinguished from what is in use.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, bail};

const DIRECTORY: &str = "/run/op25b-lab";
/// What a draft's name begins with: no lab's does.
const DRAFT: &str = ".draft-";

/// A process that cannot be mistaken for a later one with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub pid: u32,
    /// In clock ticks after boot.
    started: u64,
}

impl Owner {
    /// This process.
    pub fn current() -> anyhow::Result<Self> {
        Self::of(std::process::id()).context("cannot read this process's start time from /proc")
    }

    /// Any process, if it is alive.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may hold anything: count after its end. The start time is the 22nd field.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        let state = fields.next()?;
        let started = fields.nth(18)?.parse().ok()?;
        (state != "Z").then_some(Self { pid, started })
    }

    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }
}

/// Claims a name for a lab; fails if it is taken.
pub(crate) fn claim(name: &str) -> anyhow::Result<()> {
    let draft = Draft::write(Owner::current()?)?;
    let path = path(name);
    // A link, unlike a file that is opened first and written then, is never seen half-made; and it never replaces.
    match fs::hard_link(&draft.0, &path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            bail!("there is a lab named {name} already: `cargo xtask lab down --name {name}` removes it")
        }
        result => result.with_context(|| format!("cannot write {}", path.display())),
    }
}

/// Hands a lab over to another process.
pub(crate) fn hand_over(name: &str, owner: Owner) -> anyhow::Result<()> {
    let draft = Draft::write(owner)?;
    let path = path(name);
    fs::rename(&draft.0, &path).with_context(|| format!("cannot write {}", path.display()))
}

/// A record under a name of its own; dropping it removes what is left of it.
struct Draft(PathBuf);

impl Draft {
    fn write(owner: Owner) -> anyhow::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        fs::create_dir_all(DIRECTORY).with_context(|| format!("cannot make {DIRECTORY}"))?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let draft = Self(path(&format!("{DRAFT}{}-{count}", std::process::id())));
        fs::write(&draft.0, format!("{} {}\n", owner.pid, owner.started))
            .with_context(|| format!("cannot write {}", draft.0.display()))?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a rename there is nothing left.
        let _ = fs::remove_file(&self.0);
    }
}

/// The process that owns a lab; none if the record cannot be read.
pub(crate) fn owner(name: &str) -> Option<Owner> {
    let text = fs::read_to_string(path(name)).ok()?;
    let (pid, started) = text.trim().split_once(' ')?;
    Some(Owner {
        pid: pid.parse().ok()?,
        started: started.parse().ok()?,
    })
}

pub(crate) fn exists(name: &str) -> bool {
    path(name).exists()
}

pub(crate) fn remove(name: &str) {
    // Gone already is as good; other errors cannot be reported from here.
    let _ = fs::remove_file(path(name));
}

/// The names of all labs.
pub(crate) fn names() -> Vec<String> {
    let Ok(files) = fs::read_dir(DIRECTORY) else {
        return Vec::new();
    };
    let mut names: Vec<_> = files
        .filter_map(|file| file.ok()?.file_name().into_string().ok())
        .collect();
    names.retain(|name| !name.starts_with(DRAFT));
    names.sort();
    names
}

fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_not_mistaken_for_a_later_one_with_its_id() {
        let this = Owner::current().unwrap();
        assert!(this.is_alive());
        assert!(
            !Owner {
                started: this.started + 1,
                ..this
            }
            .is_alive()
        );
    }
}
