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
        statfs::{BPF_FS_MAGIC, FsType, TMPFS_MAGIC, statfs},
    },
    unistd::Pid,
};

use crate::process::{find_program, output_of};

/// Where an op25b of this namespace pins its filter: op25b mounts a BPF file system there.
const PINS: &str = "/run/op25b-lab-pins";
/// Where it answers.
const RUNTIMES: &str = "/run/op25b-lab-runtime";
/// Where it stores exemptions, in a directory for each, so that a test can move the store within its file system.
const STATES: &str = "/run/op25b-lab-state";
/// The directory of the store in there.
const STATE: &str = "state";

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
        let [pins, runtime, states] = places(&self.name);
        [
            ("OP25B_BPFFS", pins),
            ("OP25B_RUNTIME_DIR", runtime),
            ("OP25B_STATE_DIR", states.join(STATE)),
        ]
    }

    /// Mounts the file system for pins now, rather than leaving that to op25b: for an op25b that may not, and for one in a
    /// mount namespace of its own, such as that of [`Self::command`].
    pub fn mount_pins(&self) -> anyhow::Result<PathBuf> {
        let [pins, ..] = places(&self.name);
        if !is_of(&pins, BPF_FS_MAGIC) {
            mount_at(&pins, "bpf")?;
        }
        Ok(pins)
    }

    /// Has op25b keep its state in memory, also where /run is on a disk: for tests whose results must not depend on how long a disk
    /// takes that many others write to.
    pub fn keep_state_in_memory(&self) -> anyhow::Result<()> {
        let [.., states] = places(&self.name);
        if is_of(Path::new("/run"), TMPFS_MAGIC) {
            return Ok(());
        }
        mount_at(&states, "tmpfs")
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
    let [pins, runtime, states] = places(name);
    if is_of(&pins, BPF_FS_MAGIC) {
        remove_pins(&pins)?;
        unmount(&pins)?;
    }
    if is_of(&states, TMPFS_MAGIC) && !is_of(Path::new("/run"), TMPFS_MAGIC) {
        unmount(&states)?;
    }
    for directory in [pins, runtime, states] {
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

fn is_of(directory: &Path, file_system: FsType) -> bool {
    statfs(directory).is_ok_and(|found| found.filesystem_type() == file_system)
}

/// Makes a directory, and mounts a file system without a device there.
fn mount_at(directory: &Path, file_system: &str) -> anyhow::Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    mount(
        Some(file_system),
        directory,
        Some(file_system),
        MsFlags::empty(),
        Some("mode=0755"),
    )
    .with_context(|| format!("cannot mount {file_system} at {}", directory.display()))
}

/// Unmounts lazily: another process may still use it.
fn unmount(directory: &Path) -> anyhow::Result<()> {
    umount2(directory, MntFlags::MNT_DETACH)
        .with_context(|| format!("cannot unmount {}", directory.display()))
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
