//! A running `op25b` in a router of the lab.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::Deserialize;

use crate::{interrupt, lab::NetNs};

/// Loading and attaching takes a moment; a busy machine may make it several, and a large policy more.
const START: Duration = Duration::from_mins(1);
/// So may stopping.
const STOP: Duration = Duration::from_secs(10);
/// How long a command may take: each of its waits is shorter, but for a change that the daemon says it is making.
const ANSWER: Duration = Duration::from_mins(2);

/// A filter and its daemon; dropping it ends both.
#[derive(Debug)]
pub struct Filter {
    program: PathBuf,
    router: NetNs,
    /// Where op25b finds its places, as variables.
    places: Vec<(OsString, OsString)>,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// Whether the filter is left to itself.
    is_left: bool,
}

/// The output of `op25b status --json`, as far as the lab reads it.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    /// The filters in this namespace.
    pub filters: Vec<FilterStatus>,
}

/// One filter's part of it.
#[derive(Clone, Debug, Deserialize)]
pub struct FilterStatus {
    /// Where it is attached.
    pub interfaces: Vec<Interface>,
    /// Packets from subscribers by reason.
    pub counters: BTreeMap<String, u64>,
    /// Packets from the Internet by reason; nothing without an uplink interface.
    pub uplink_counters: Option<BTreeMap<String, u64>>,
}

/// One attachment.
#[derive(Clone, Debug, Deserialize)]
pub struct Interface {
    /// The interface.
    pub name: String,
    /// `native` or `generic`.
    pub xdp: String,
    /// The program's id.
    pub program_id: u32,
}

/// A line of `op25b run --log-format json`.
#[derive(Deserialize)]
struct LogLine {
    fields: LogFields,
}

#[derive(Deserialize)]
struct LogFields {
    message: String,
}

impl Filter {
    /// Starts `program run --policy policy` in a router and waits until it enforces.
    pub fn start(program: &Path, router: &NetNs, policy: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(["--log-format", "json", "run", "--policy"])
            .arg(policy);
        Self::start_as(program, router, command)
    }

    /// Starts any `program run` in a router, as in `command`, and waits until it enforces.
    pub fn start_as(program: &Path, router: &NetNs, mut command: Command) -> anyhow::Result<Self> {
        for (name, place) in router.places() {
            // Unless the caller has others in mind.
            if command.get_envs().all(|(set, _)| set != name) {
                command.env(name, place);
            }
        }
        let places = command
            .get_envs()
            .filter(|(name, _)| name.to_string_lossy().starts_with("OP25B_"))
            .filter_map(|(name, place)| Some((name.to_owned(), place?.to_owned())))
            .collect();
        command
            // Enough is logged to show when it enforces, whatever the caller's own level.
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = router
            .run(move || command.spawn().context("cannot start"))
            .with_context(|| format!("cannot run {}", program.display()))?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let (enforcing, ready) = mpsc::channel();
        if let Some(stderr) = child.stderr.take() {
            let log = Arc::clone(&log);
            // Reads to the end, so that the filter never waits for a reader.
            thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    if says_enforcing(&line) {
                        // One message is enough; later the receiver is gone.
                        let _ = enforcing.send(());
                    }
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            });
        }
        let mut filter = Self {
            program: program.to_owned(),
            router: router.handle(),
            places,
            child,
            log,
            is_left: false,
        };
        if interrupt::receive(&ready, START)?.is_some() {
            return Ok(filter);
        }
        match filter.wait(Duration::from_secs(1))? {
            Some(status) => bail!("op25b ended instead of enforcing ({status}):\n{}", filter.log()),
            None => bail!("op25b does not enforce after {START:?}:\n{}", filter.log()),
        }
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// The output of `op25b status` about it.
    pub fn status(&self) -> anyhow::Result<FilterStatus> {
        // Where the policy is enforced in part, the code is not 0.
        let output = self.output(&["status", "--json"])?;
        let text = String::from_utf8(output.stdout).context("not UTF-8")?;
        let status: Status =
            serde_json::from_str(&text).context("cannot read the output of op25b status --json")?;
        status
            .filters
            .into_iter()
            .next()
            .context("op25b status knows of no filter")
    }

    /// How many packets were counted for a reason.
    pub fn count(&self, reason: &str) -> anyhow::Result<u64> {
        let status = self.status()?;
        status
            .counters
            .get(reason)
            .copied()
            .with_context(|| format!("op25b status has no counter {reason}"))
    }

    /// The output of another op25b, on the same router for the same paths.
    pub fn ask(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.output(arguments)?;
        ensure!(
            output.status.success(),
            "`op25b {}` failed ({}): {}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs another op25b. One that does not end is killed, and an error with the daemon's log: who waits for it would not know where it
    /// stands still.
    fn output(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .envs(self.places.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = self
            .router
            .run(move || command.spawn().context("cannot run op25b"))?;
        let pid = i32::try_from(child.id()).context("not a process id")?;
        let (sender, ended) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = ended.recv_timeout(ANSWER) else {
            // The thread has not seen its end: the id is no other process's.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            bail!(
                "`op25b {}` has not ended after {ANSWER:?}:\n{}",
                arguments.join(" "),
                self.log()
            );
        };
        output.context("cannot wait for op25b")
    }

    /// Has the daemon enforce its policy as the file is now; what it says of it: which policy is in force, and what that changes.
    pub fn reload(&self) -> anyhow::Result<String> {
        self.ask(&["reload"])
    }

    /// Ends the daemon and the filter, and waits until both are gone.
    pub fn stop(mut self) -> anyhow::Result<ExitStatus> {
        let status = self.end(Signal::SIGTERM)?;
        self.ask(&["stop", "--detach"])?;
        self.is_left = true;
        Ok(status)
    }

    /// Ends the daemon with a signal of choice and leaves the filter to itself.
    pub fn leave_by(mut self, signal: Signal) -> anyhow::Result<ExitStatus> {
        self.is_left = true;
        self.end(signal)
    }

    fn end(&mut self, signal: Signal) -> anyhow::Result<ExitStatus> {
        self.signal(signal)?;
        match self.wait(STOP)? {
            Some(status) => Ok(status),
            None => bail!("op25b does not stop after {STOP:?}:\n{}", self.log()),
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).context("not a process id")?;
        kill(Pid::from_raw(pid), signal).with_context(|| format!("cannot send {signal} to op25b"))
    }

    fn wait(&mut self, patience: Duration) -> anyhow::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().context("cannot wait for op25b")? {
                return Ok(Some(status));
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Whether a line of the log, in any of its formats, is the one after attaching: where it was possible.
fn says_enforcing(line: &str) -> bool {
    match serde_json::from_str::<LogLine>(line) {
        Ok(LogLine { fields }) => {
            let message = fields.message;
            message == "enforcing" || message.starts_with("DEGRADED: ") || message.starts_with("OPEN: ")
        }
        Err(_) => ["enforcing policy=", "DEGRADED: ", "OPEN: "]
            .iter()
            .any(|says| line.contains(says)),
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        if !self.child.try_wait().is_ok_and(|status| status.is_some()) {
            self.end_somehow();
        }
        if !self.is_left {
            // Nothing may be pinned, if it never came to enforce.
            let _ = self.ask(&["stop", "--detach"]);
        }
    }
}

impl Filter {
    fn end_somehow(&mut self) {
        // A stopped process would not see the next signal; whether it is one does not matter.
        let _ = self.signal(Signal::SIGCONT);
        // It may end between the question and the signal: then there is nothing left to do.
        let _ = self.signal(Signal::SIGTERM);
        if !self.wait(STOP).is_ok_and(|status| status.is_some()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
