//! A daemon in a host of the lab, with files of its own where it looks for the machine's.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::lab::NetNs;

/// Starting is forking a few processes; a busy machine may need a while for it.
const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A running daemon; dropping it ends it.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    host: NetNs,
    log: Arc<Mutex<Vec<String>>>,
}

/// A directory, and where the daemon sees it.
pub(super) type Place = (PathBuf, &'static str);

impl Daemon {
    /// Starts one with these directories at their places, in this order, in a mount namespace that ends with it. `first` is
    /// run there before.
    pub(super) fn start(
        host: &NetNs,
        places: Vec<Place>,
        first: Option<Command>,
        mut command: Command,
    ) -> anyhow::Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let start = move || {
            show(&places)?;
            if let Some(mut first) = first {
                crate::process::output_of(&mut first)?;
            }
            command.spawn().context("cannot run it")
        };
        let mut child = host.run(start)?;
        let log = Arc::default();
        if let Some(stdout) = child.stdout.take() {
            collect(stdout, &log);
        }
        if let Some(stderr) = child.stderr.take() {
            collect(stderr, &log);
        }
        Ok(Self {
            child,
            host: host.handle(),
            log,
        })
    }

    /// Waits until it is ready to work.
    pub(super) fn await_ready(
        &mut self,
        is_ready: impl Fn(&Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        while !is_ready(self)? {
            if let Some(status) = self.child.try_wait().context("cannot wait for it")? {
                bail!("it ended instead of serving ({status}):\n{}", self.log());
            }
            if Instant::now() > deadline {
                bail!("it is not ready after {START:?}:\n{}", self.log());
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Runs a command beside it, which sees its files, to its end.
    pub(super) fn beside(&self, mut command: Command) -> anyhow::Result<Output> {
        let namespace = format!("/proc/{}/ns/mnt", self.child.id());
        self.host.run(move || {
            let namespace = File::open(&namespace).with_context(|| format!("cannot open {namespace}"))?;
            // A mount namespace cannot be entered by a thread that shares its working directory with others.
            unshare(CloneFlags::CLONE_FS)
                .and_then(|()| setns(namespace, CloneFlags::CLONE_NEWNS))
                .context("cannot enter a mount namespace")?;
            command.output().context("cannot run a command beside a daemon")
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // It ends its other processes with itself.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let deadline = Instant::now() + STOP;
        while self.child.try_wait().is_ok_and(|status| status.is_none()) {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}

/// Reads to the end, so that the daemon never waits for a reader.
fn collect(from: impl Read + Send + 'static, log: &Arc<Mutex<Vec<String>>>) {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
}

/// Puts directories where they are wanted, for the calling thread and what it starts.
fn show(places: &[Place]) -> anyhow::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context("cannot make a mount namespace")?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .context("cannot keep mounts to the namespace")?;
    for (from, to) in places {
        mount(Some(from), *to, none, MsFlags::MS_BIND, none)
            .with_context(|| format!("cannot show {} as {to}", from.display()))?;
    }
    Ok(())
}

/// Writes `/etc/passwd` and `/etc/group` of users whose group has their name and number.
pub(super) fn write_users(etc: &std::path::Path, users: &[(&str, u32)]) -> anyhow::Result<()> {
    let users = std::iter::once(&("root", 0)).chain(users);
    let (passwd, group): (Vec<_>, Vec<_>) = users
        .map(|(name, id)| {
            (
                format!("{name}:x:{id}:{id}::/var/mail:/usr/sbin/nologin\n"),
                format!("{name}:x:{id}:\n"),
            )
        })
        .unzip();
    fs::write(etc.join("passwd"), passwd.concat())?;
    Ok(fs::write(etc.join("group"), group.concat())?)
}
