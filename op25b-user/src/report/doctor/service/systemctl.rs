//! Asks systemd for the properties of units, as they are in force with all drop-ins.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    process::{Command, Stdio},
    thread::{self, JoinHandle},
    time::Duration,
};

use thiserror::Error;

use crate::datapath::host::Process;

/// What is asked for.
const PROPERTIES: &str = "--property=LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts,NeedDaemonReload,DropInPaths,FragmentPath,\
    Before,After,DefaultDependencies,User,AmbientCapabilities,CapabilityBoundingSet,SystemCallFilter,RestrictAddressFamilies,IPAddressDeny,IPAddressAllow,ProtectKernelTunables,\
    PrivateNetwork,LogNamespace,PrivateUsers,NetworkNamespacePath,ReadOnlyPaths,InaccessiblePaths,MemoryMax,LimitNOFILE,ExecStart,Restart,StatusText";

/// How long systemd may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why it did not answer.
#[derive(Debug, Error)]
pub(super) enum SystemctlError {
    /// This machine was not booted with it, or it is not installed.
    #[error("systemd does not run here")]
    NotRunning,
    /// It failed.
    #[error("systemd cannot be asked for its units: {0}")]
    Failed(String),
    /// It could not be started.
    #[error("systemctl cannot be run: {0}")]
    Io(#[from] io::Error),
}

/// The properties of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unit(BTreeMap<String, String>);

impl Unit {
    /// Parses lines such as `Restart=on-failure`.
    pub(super) fn parse(text: &str) -> Self {
        let properties = text.lines().filter_map(|line| line.split_once('='));
        Self(
            properties
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// A property; empty if it has none.
    pub(super) fn of(&self, property: &str) -> &str {
        self.0.get(property).map(String::as_str).unwrap_or_default()
    }

    /// Whether systemd shows the property, be it empty.
    pub(super) fn shows(&self, property: &str) -> bool {
        self.0.contains_key(property)
    }

    /// Whether a list has a word.
    pub(super) fn has(&self, property: &str, word: &str) -> bool {
        self.of(property).split_whitespace().any(|found| found == word)
    }

    /// The policy file that it is started with.
    pub(super) fn policy(&self) -> Option<&str> {
        let mut words = self
            .of("ExecStart")
            .split_whitespace()
            .skip_while(|word| *word != "--policy");
        words.nth(1)
    }

    /// What is wanted, and where to change it.
    pub(super) fn remedy(&self, wanted: &str) -> String {
        match self.of("DropInPaths") {
            "" => format!(
                "{wanted} in the unit ({}): deploy/op25b.service has it",
                self.of("FragmentPath")
            ),
            drop_ins => format!(
                "{wanted}: op25b's own unit has it, and a drop-in changes it ({drop_ins}); then `systemctl daemon-reload`"
            ),
        }
    }
}

/// The units of these names.
pub(super) fn show(units: &[&str]) -> Result<Vec<Unit>, SystemctlError> {
    let mut command = Command::new("systemctl");
    command
        .args(["show", "--no-pager", PROPERTIES])
        .args(units)
        .env("LC_ALL", "C");
    let text = output(&mut command)?;
    // Each unit's properties end in an empty line.
    Ok(text.split("\n\n").map(Unit::parse).collect())
}

/// What a command prints, unless it fails.
fn output(command: &mut Command) -> Result<String, SystemctlError> {
    let started = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SystemctlError::NotRunning),
        started => started?,
    };
    let (printed, said) = (reader(child.stdout.take()), reader(child.stderr.take()));
    if let Some(process) = Process::open(child.id())?
        && !process.wait(PATIENCE)?
    {
        child.kill()?;
        child.wait()?;
        return Err(SystemctlError::Failed(format!(
            "no answer within {} s",
            PATIENCE.as_secs()
        )));
    }
    let status = child.wait()?;
    let (text, said) = (read_by(printed)?, read_by(said)?);
    if status.success() {
        Ok(text)
    } else if said.contains("not been booted with systemd") {
        Err(SystemctlError::NotRunning)
    } else {
        Err(SystemctlError::Failed(
            said.lines().next().unwrap_or_default().to_owned(),
        ))
    }
}

/// Reads a pipe to its end while the process runs: it takes 64 KiB, which is about ten units.
fn reader(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<io::Result<String>> {
    thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_string(&mut text)?;
        }
        Ok(text)
    })
}

/// What was read.
fn read_by(reader: JoinHandle<io::Result<String>>) -> io::Result<String> {
    let read = reader.join();
    read.unwrap_or_else(|_| Err(io::Error::other("what systemctl printed was not read")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output_of(script: &str) -> Result<String, SystemctlError> {
        output(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn more_units_are_read_than_fit_into_a_pipe() {
        let text = output_of("head -c 300000 /dev/zero | tr '\\0' x").unwrap();
        assert_eq!(text.len(), 300_000);
    }

    #[test]
    fn a_command_that_fails_is_an_error_with_its_first_line() {
        let error = output_of("echo no bus >&2; echo again >&2; exit 1").unwrap_err();
        assert_eq!(error.to_string(), "systemd cannot be asked for its units: no bus");
    }
}
