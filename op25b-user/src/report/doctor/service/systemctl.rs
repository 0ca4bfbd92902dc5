//! Asks systemd for the properties of units, as they are in force with all drop-ins.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    process::{Command, Stdio},
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
    let started = Command::new("systemctl")
        .args(["show", "--no-pager", PROPERTIES])
        .args(units)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SystemctlError::NotRunning),
        started => started?,
    };
    // What it prints fits into the pipes.
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
    let (mut text, mut said) = (String::new(), String::new());
    if let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) {
        stdout.read_to_string(&mut text)?;
        stderr.read_to_string(&mut said)?;
    }
    if status.success() {
        // Each unit's properties end in an empty line.
        Ok(text.split("\n\n").map(Unit::parse).collect())
    } else if said.contains("not been booted with systemd") {
        Err(SystemctlError::NotRunning)
    } else {
        Err(SystemctlError::Failed(
            said.lines().next().unwrap_or_default().to_owned(),
        ))
    }
}
