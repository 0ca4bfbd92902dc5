//! Runs `OpenSMTPD` in a host of the lab, with a root directory of its own.

use std::{
    fmt::Write as _,
    fs,
    net::{IpAddr, SocketAddr, TcpStream},
    os::unix::fs::{PermissionsExt as _, chown},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tempfile::TempDir;

use super::daemon::{Daemon, write_users};
use crate::{
    lab::{HOST_END, NetNs},
    paths,
};

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Who reads the mail: a user, as all of these, that exists in the server's own /etc/passwd only.
const READER: (&str, u32) = ("somebody", 64_902);
const USERS: [(&str, u32); 3] = [("opensmtpd", 64_900), ("opensmtpq", 64_901), READER];

/// Who gets the mail.
pub const RECIPIENT: &str = "somebody@lab.example";

/// In the clear on both: Debian 12's build cannot do TLS with the OpenSSL beside it ("missing private key"). TLS and
/// passwords are what the lab's other mail server is for.
const PORTS: [u16; 2] = [25, 587];

/// A mail server with an empty mailbox; dropping it ends it.
#[derive(Debug)]
pub struct Mta {
    daemon: Daemon,
    /// Its files, which it sees at their usual places.
    files: TempDir,
}

impl Mta {
    /// Starts one in a host and waits until it listens on the host's `address`.
    pub fn start(host: &NetNs, address: IpAddr) -> anyhow::Result<Self> {
        let files = write_files().context("cannot write the mail server's files")?;
        let own = files.path();
        let package = paths::unpacked("opensmtpd")?;
        // The package first: its directory may be below one that is covered then.
        let places = vec![
            (package.join("usr/sbin"), "/mnt"),
            (package.join("usr/libexec"), "/usr/libexec"),
            (package.join("var/lib"), "/var/lib"),
            (own.join("spool"), "/var/spool"),
            (own.join("mail"), "/var/mail"),
            (own.join("etc"), "/etc"),
            (own.join("run"), "/run"),
        ];
        // In the foreground, logging to stderr. It runs itself again, by this path.
        let mut command = Command::new("/mnt/smtpd");
        command.args(["-d", "-v"]);
        let mut daemon =
            Daemon::start(host, places, None, command).context("cannot start the mail server")?;
        for port in PORTS {
            let address = SocketAddr::new(address, port);
            let connects = move || Ok(TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok());
            daemon
                .await_ready(|_| host.run(connects))
                .with_context(|| format!("the mail server does not listen on {address}"))?;
        }
        Ok(Self { daemon, files })
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// The delivered message that holds this text, such as a Message-ID, if there is one.
    pub fn message(&self, text: &str) -> anyhow::Result<Option<String>> {
        // The first delivery makes the directory.
        let Ok(messages) = fs::read_dir(self.files.path().join("mail/inbox/new")) else {
            return Ok(None);
        };
        for message in messages {
            let path = message.context("cannot read the mailbox")?.path();
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let message = String::from_utf8_lossy(&bytes);
            if message.contains(text) {
                return Ok(Some(message.into_owned()));
            }
        }
        Ok(None)
    }

    /// The same, waiting for it: a server acknowledges a message before it files it.
    pub fn await_message(&self, text: &str, patience: Duration) -> anyhow::Result<Option<String>> {
        let deadline = Instant::now() + patience;
        loop {
            let message = self.message(text)?;
            if message.is_some() || Instant::now() > deadline {
                return Ok(message);
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}

/// Everything that the server looks for outside its package.
fn write_files() -> anyhow::Result<TempDir> {
    let files = tempfile::tempdir()?;
    let path = |name: &str| files.path().join(name);
    for name in ["etc", "spool/smtpd", "mail", "run"] {
        fs::create_dir_all(path(name))?;
    }
    // The server's unprivileged processes have to get at them.
    for (name, mode) in [("", 0o755), ("spool/smtpd", 0o711)] {
        fs::set_permissions(path(name), fs::Permissions::from_mode(mode))?;
    }
    let (_, reader) = READER;
    chown(path("mail"), Some(reader), Some(reader))?;

    write_users(&path("etc"), &USERS)?;
    let mut configuration = String::new();
    for port in PORTS {
        writeln!(configuration, "listen on {HOST_END} port {port}")?;
    }
    configuration.push_str("action \"file\" maildir \"/var/mail/inbox\"\n");
    configuration.push_str("match from any for domain \"lab.example\" action \"file\"\n");
    for (name, text) in [
        ("etc/mailname", "mx.lab.example\n"),
        ("etc/smtpd.conf", configuration.as_str()),
    ] {
        fs::write(path(name), text)?;
    }
    Ok(files)
}
