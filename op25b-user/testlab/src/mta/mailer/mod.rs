//! A mail server as a customer runs one: it takes messages from its own host, looks up who they are for, and delivers them.

mod opensmtpd;
mod postfix;

use std::{
    fs::{self, Permissions},
    io::{Seek as _, Write as _},
    net::IpAddr,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use super::daemon::{Daemon, Place};
use crate::lab::NetNs;

/// Who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    /// Wietse Venema's.
    Postfix,
    /// The `OpenBSD` project's.
    OpenSmtpd,
}

/// How long a connection may take to come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as the software waits if it is not told otherwise: half a minute and more.
    Usual,
    /// A few seconds.
    Short,
}

/// What became of a message, in the software's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This server has it.
    Sent(String),
    /// It is to be tried again, for this reason.
    Deferred(String),
}

/// A mail server with an empty queue; dropping it ends it.
#[derive(Debug)]
pub struct Mailer {
    software: Software,
    daemon: Daemon,
    /// Its files, which it sees at their usual places.
    _files: TempDir,
}

impl Mailer {
    /// Starts one that asks the name server at `resolver`.
    pub fn start(
        software: Software,
        host: &NetNs,
        resolver: IpAddr,
        patience: Patience,
    ) -> anyhow::Result<Self> {
        let files = tempfile::tempdir().context("cannot make a temporary directory")?;
        // The software's unprivileged processes have to get at them.
        fs::set_permissions(files.path(), Permissions::from_mode(0o755))?;
        let etc = files.path().join("etc");
        fs::create_dir(&etc)?;
        fs::write(etc.join("resolv.conf"), format!("nameserver {resolver}\n"))?;
        let start = match software {
            Software::Postfix => postfix::start,
            Software::OpenSmtpd => opensmtpd::start,
        };
        let daemon =
            start(host, files.path(), patience).with_context(|| format!("cannot start {software:?}"))?;
        Ok(Self {
            software,
            daemon,
            _files: files,
        })
    }

    /// Gives it a message, whose id is made of the recipient's address.
    pub fn send(&self, recipient: &str) -> anyhow::Result<()> {
        let mut message = tempfile::tempfile().context("cannot make a temporary file")?;
        write!(
            message,
            "From: customer@customer.lab.example\nTo: {recipient}\nMessage-Id: {}\n\nA message.\n",
            message_id(recipient)
        )?;
        message.rewind()?;
        let mut command = match self.software {
            Software::Postfix => postfix::sendmail(),
            Software::OpenSmtpd => opensmtpd::sendmail(),
        };
        command
            .args(["-f", "customer@customer.lab.example", recipient])
            .stdin(message);
        let output = self.daemon.beside(command)?;
        ensure!(
            output.status.success(),
            "sendmail fails: {output:?}\n{}",
            self.log()
        );
        Ok(())
    }

    /// Why connections to this address did not come about, of those that have ended.
    #[must_use]
    pub fn refusals(&self, by: IpAddr) -> Vec<String> {
        match self.software {
            Software::Postfix => postfix::refusals(&self.log(), by),
            Software::OpenSmtpd => opensmtpd::refusals(&self.log(), by),
        }
    }

    /// What became of the message to this recipient, once that is known.
    #[must_use]
    pub fn outcome(&self, recipient: &str) -> Option<Outcome> {
        let log = self.log();
        let to = format!("to=<{recipient}>");
        let mut lines = log.lines().filter(|line| line.contains(&to));
        lines.find_map(match self.software {
            Software::Postfix => postfix::outcome,
            Software::OpenSmtpd => opensmtpd::outcome,
        })
    }

    /// The software's own list of the messages that it still has.
    pub fn queue(&self) -> anyhow::Result<String> {
        let output = self.daemon.beside(match self.software {
            Software::Postfix => postfix::queue(),
            Software::OpenSmtpd => opensmtpd::queue(),
        })?;
        ensure!(output.status.success(), "the queue cannot be listed: {output:?}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log()
    }
}

/// The id of the message to a recipient.
#[must_use]
pub fn message_id(recipient: &str) -> String {
    format!("<{recipient}>")
}

/// The text between two others.
fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}

/// What a daemon sees where: the package first, as its directory may be below one that is covered then.
fn places(package: &[(&str, &'static str)], name: &str, files: &Path) -> anyhow::Result<Vec<Place>> {
    let directory = crate::paths::unpacked(name)?;
    let package = package.iter().map(|(from, to)| (directory.join(from), *to));
    let own = ["etc", "spool", "run"].map(|name| {
        let to = match name {
            "etc" => "/etc",
            "spool" => "/var/spool",
            _ => "/run",
        };
        (files.join(name), to)
    });
    Ok(package.chain(own).collect())
}

/// A command that gets nothing to read.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}
