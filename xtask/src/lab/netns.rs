//! One network namespace, and doing things inside it.

use std::{
    fs::File,
    io,
    path::PathBuf,
    process::Command,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::{
    sched::{CloneFlags, setns},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::process::output_of;

/// A named network namespace; dropping it removes it.
#[derive(Debug)]
pub struct NetNs {
    name: String,
    remove_on_drop: bool,
}

impl NetNs {
    /// Makes one.
    pub fn create(name: String) -> anyhow::Result<Self> {
        output_of(&mut ip(&["netns", "add", &name]))?;
        Ok(Self {
            name,
            remove_on_drop: true,
        })
    }

    /// One that is there already and stays.
    pub(super) fn existing(name: String) -> Self {
        Self {
            name,
            remove_on_drop: false,
        }
    }

    /// Another handle to it, which leaves it in place.
    #[must_use]
    pub fn handle(&self) -> Self {
        Self::existing(self.name.clone())
    }

    pub(super) fn keep(&mut self) {
        self.remove_on_drop = false;
    }

    /// Its name, for `ip netns exec`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs inside it.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        ip(&["netns", "exec", &self.name, program])
    }

    /// Does something in a thread of its own inside it. What the thread starts stays inside, too: sockets,
    /// threads and processes.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> JoinHandle<anyhow::Result<T>> {
        let path = path(&self.name);
        thread::spawn(move || {
            let namespace = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
            setns(namespace, CloneFlags::CLONE_NEWNET)
                .with_context(|| format!("cannot enter {}", path.display()))?;
            work()
        })
    }

    /// Does something inside it and waits for the result.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        match self.spawn(work).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for NetNs {
    fn drop(&mut self) {
        if self.remove_on_drop
            && let Err(error) = remove(&self.name)
        {
            eprintln!("could not remove the namespace {}: {error:#}", self.name);
        }
    }
}

/// Removes a namespace; it is no error if there is none.
pub(super) fn remove(name: &str) -> anyhow::Result<()> {
    match path(name).symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => output_of(&mut ip(&["netns", "delete", name])).map(drop),
    }
}

/// Ends what runs inside, which would keep a removed namespace alive unseen.
pub(super) fn end_processes(name: &str) -> anyhow::Result<()> {
    const POLITE: Duration = Duration::from_secs(2);
    let asked = Instant::now();
    while path(name).exists() {
        let pids = output_of(&mut ip(&["netns", "pids", name]))?;
        let pids: Vec<i32> = pids.lines().filter_map(|line| line.trim().parse().ok()).collect();
        if pids.is_empty() {
            break;
        }
        let signal = if asked.elapsed() < POLITE {
            Signal::SIGTERM
        } else {
            Signal::SIGKILL
        };
        for pid in pids {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(pid), signal);
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The `ip` command, wherever it is.
pub(super) fn ip(arguments: &[&str]) -> Command {
    let program = crate::setup::find_program("ip").unwrap_or_else(|| "ip".into());
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn path(name: &str) -> PathBuf {
    PathBuf::from("/run/netns").join(name)
}
