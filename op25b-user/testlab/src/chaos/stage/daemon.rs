//! The daemon under test: starting it as a service manager does, ending it, and its log.

use std::{
    ffi::OsString,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{chaos::moment::Moment, interrupt, lab::NetNs};

/// How often a wait looks.
const POLL: Duration = Duration::from_millis(10);

/// What a daemon is started with.
pub struct Service {
    /// The program.
    pub op25b: PathBuf,
    /// Where it runs.
    pub router: NetNs,
    /// Its policy.
    pub policy: PathBuf,
    /// Variables.
    pub variables: Vec<(OsString, OsString)>,
    /// The log of every process that was started, with the time of each line.
    pub log: Arc<Mutex<Vec<String>>>,
}

/// A running daemon; dropping it kills it. Its filter is left to itself.
pub struct Daemon {
    child: Child,
    /// Whether SIGSTOP was sent to it.
    pub is_stopped: bool,
}

impl Service {
    /// Starts a daemon.
    pub fn start(&self) -> anyhow::Result<Daemon> {
        let mut command = Command::new(&self.op25b);
        command
            .args(["--log-format", "json", "run", "--policy"])
            .arg(&self.policy);
        command
            .envs(self.router.places())
            .envs(self.variables.iter().cloned())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = self
            .router
            .run(move || command.spawn().context("cannot start op25b"))?;
        if let Some(stderr) = child.stderr.take() {
            let log = Arc::clone(&self.log);
            // Reads to the end, so that the daemon never waits for a reader.
            thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    log.push(format!("{} {line}", Moment::now()));
                }
            });
        }
        Ok(Daemon {
            child,
            is_stopped: false,
        })
    }

    /// The last lines of the log.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log[log.len().saturating_sub(lines)..].join("\n")
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        let [_, (_, runtime), _] = self.router.places();
        runtime.join("control.sock")
    }

    /// The state directory of the daemon, which the commands have to name as well.
    fn state_dir(&self) -> impl Iterator<Item = (OsString, OsString)> {
        let variables = self.variables.iter();
        variables.filter(|(name, _)| name == "OP25B_STATE_DIR").cloned()
    }

    /// Runs a command of op25b's to its end; none if that does not come in time.
    pub fn ask(&self, patience: Duration, arguments: &[&str]) -> anyhow::Result<Option<Answer>> {
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after", "1", &patience.as_secs_f64().to_string()])
            .arg(&self.op25b)
            .args(arguments)
            .envs(self.router.places())
            .envs(self.state_dir())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        let output = self
            .router
            .run(move || command.output().context("cannot run op25b"))?;
        // 124 and 137 are `timeout`'s own.
        let is_late = matches!(output.status.code(), Some(124 | 137) | None);
        Ok((!is_late).then(|| Answer {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }))
    }
}

/// A command's output.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its exit code.
    pub code: Option<i32>,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
}

impl Daemon {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child.try_wait().context("cannot wait for op25b")
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).context("not a process id")?;
        kill(Pid::from_raw(pid), signal).with_context(|| format!("cannot send {signal} to op25b"))?;
        match signal {
            Signal::SIGSTOP => self.is_stopped = true,
            Signal::SIGCONT => self.is_stopped = false,
            _ => {}
        }
        Ok(())
    }

    /// Waits for its end; false if it does not come in time.
    pub fn await_end(&mut self, patience: Duration) -> anyhow::Result<bool> {
        let deadline = Instant::now() + patience;
        while self.ended()?.is_none() {
            if Instant::now() > deadline {
                return Ok(false);
            }
            interrupt::check()?;
            thread::sleep(POLL);
        }
        Ok(true)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself. A process that waits for a frozen disk ends when that is thawed, before which waiting
        // for it would be endless; see `Scene`.
        let _ = self.child.kill();
        let _ = self.await_end(Duration::from_secs(5));
    }
}
