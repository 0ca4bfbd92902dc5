//! A network namespace, and running code and programs in it.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns},
    sys::{
        signal::{Signal, kill},
        statfs::{BPF_FS_MAGIC, statfs},
    },
    unistd::Pid,
};

use crate::process::{find_program, output_of};

/// Where an op25b of this namespace pins its filter: op25b mounts a BPF file system there.
const PINS: &str = "/run/op25b-lab-pins";
/// Where it answers.
const RUNTIMES: &str = "/run/op25b-lab-runtime";
/// Where it stores exemptions.
const STATES: &str = "/run/op25b-lab-state";

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
        let mut command = ip(&["netns", "exec", &self.name, program]);
        command.envs(self.places());
        command
    }

    /// The variables by which op25b finds places of its own for this namespace, so that it meets no other.
    #[must_use]
    pub fn places(&self) -> [(&'static str, PathBuf); 3] {
        let [pins, runtime, state] = places(&self.name);
        [
            ("OP25B_BPFFS", pins),
            ("OP25B_RUNTIME_DIR", runtime),
            ("OP25B_STATE_DIR", state),
        ]
    }

    /// Mounts the file system for pins now, rather than leaving that to op25b: for an op25b that may not, and for one in a
    /// mount namespace of its own, such as that of [`Self::command`].
    pub fn mount_pins(&self) -> anyhow::Result<PathBuf> {
        let [pins, ..] = places(&self.name);
        if !is_bpffs(&pins) {
            fs::create_dir_all(&pins).with_context(|| format!("cannot make {}", pins.display()))?;
            mount(
                Some("bpf"),
                &pins,
                Some("bpf"),
                MsFlags::empty(),
                Some("mode=0755"),
            )
            .with_context(|| format!("cannot mount a BPF file system at {}", pins.display()))?;
        }
        Ok(pins)
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

/// Removes a namespace and what op25b has pinned in it; it is no error if there is none.
pub(super) fn remove(name: &str) -> anyhow::Result<()> {
    let [pins, runtime, state] = places(name);
    if is_bpffs(&pins) {
        remove_pins(&pins)?;
        // Lazily: another process may still use it.
        umount2(&pins, MntFlags::MNT_DETACH).with_context(|| format!("cannot unmount {}", pins.display()))?;
    }
    for directory in [pins, runtime, state] {
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", directory.display()));
            }
            _ => {}
        }
    }
    match path(name).symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        _ => output_of(&mut ip(&["netns", "delete", name])).map(drop),
    }
}

/// Removes what is pinned in a BPF file system; the kernel may have files of its own at its root.
fn remove_pins(root: &Path) -> anyhow::Result<()> {
    let remove = || -> io::Result<()> {
        for entry in fs::read_dir(root)? {
            let path = entry?.path();
            if path.is_dir() {
                fs::remove_dir_all(path)?;
            }
        }
        Ok(())
    };
    remove().with_context(|| format!("cannot empty {}", root.display()))
}

fn is_bpffs(directory: &Path) -> bool {
    statfs(directory).is_ok_and(|found| found.filesystem_type() == BPF_FS_MAGIC)
}

fn places(name: &str) -> [PathBuf; 3] {
    [PINS, RUNTIMES, STATES].map(|directory| Path::new(directory).join(name))
}

/// Ends what runs inside, which would keep a removed namespace alive unseen.
pub(super) fn end_processes(name: &str) -> anyhow::Result<()> {
    const POLITE: Duration = Duration::from_secs(2);
    let start = Instant::now();
    while path(name).exists() {
        let pids = output_of(&mut ip(&["netns", "pids", name]))?;
        let pids: Vec<i32> = pids.lines().filter_map(|line| line.trim().parse().ok()).collect();
        if pids.is_empty() {
            break;
        }
        let signal = if start.elapsed() < POLITE {
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
    let program = find_program("ip").unwrap_or_else(|| "ip".into());
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn path(name: &str) -> PathBuf {
    PathBuf::from("/run/netns").join(name)
}
