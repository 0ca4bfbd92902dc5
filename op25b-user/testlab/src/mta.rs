//! Runs `OpenSMTPD` in a host of the lab, with a root directory of its own.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    net::{IpAddr, SocketAddr, TcpStream},
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::{
    lab::{HOST_END, NetNs},
    paths,
};

/// Starting is forking a few processes; a busy machine may need a while for it.
const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(5);
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
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// Its files, which it sees at their usual places.
    files: TempDir,
}

impl Mta {
    /// Starts one in a host and waits until it listens on the host's `address`.
    pub fn start(host: &NetNs, address: IpAddr) -> anyhow::Result<Self> {
        let files = write_files().context("cannot write the mail server's files")?;
        let (package, own) = (paths::mail_server()?, files.path().to_owned());
        let mut child = host
            .run(move || spawn(&package, &own))
            .context("cannot start the mail server")?;
        let log = Arc::new(Mutex::new(Vec::new()));
        if let Some(stderr) = child.stderr.take() {
            let log = Arc::clone(&log);
            // Reads to the end, so that the server never waits for a reader.
            thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            });
        }
        let mut mta = Self { child, log, files };
        for port in PORTS {
            mta.await_port(host, SocketAddr::new(address, port))?;
        }
        Ok(mta)
    }

    fn await_port(&mut self, host: &NetNs, address: SocketAddr) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        loop {
            let connect = move || Ok(TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok());
            if host.run(connect)? {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().context("cannot wait for the mail server")? {
                bail!(
                    "the mail server ended instead of serving ({status}):\n{}",
                    self.log()
                );
            }
            if Instant::now() > deadline {
                bail!(
                    "the mail server does not listen on {address} after {START:?}:\n{}",
                    self.log()
                );
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
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

impl Drop for Mta {
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

    let mut passwd = "root:x:0:0:root:/:/bin/sh\n".to_owned();
    let mut group = "root:x:0:\n".to_owned();
    for (name, id) in USERS {
        writeln!(passwd, "{name}:x:{id}:{id}::/var/mail:/usr/sbin/nologin")?;
        writeln!(group, "{name}:x:{id}:")?;
    }
    let mut configuration = String::new();
    for port in PORTS {
        writeln!(configuration, "listen on {HOST_END} port {port}")?;
    }
    configuration.push_str("action \"file\" maildir \"/var/mail/inbox\"\n");
    configuration.push_str("match from any for domain \"lab.example\" action \"file\"\n");
    for (name, text) in [
        ("etc/passwd", passwd.as_str()),
        ("etc/group", &group),
        ("etc/mailname", "mx.lab.example\n"),
        ("etc/smtpd.conf", &configuration),
    ] {
        fs::write(path(name), text)?;
    }
    Ok(files)
}

/// Starts the server with its files where it wants them, in a mount namespace that ends with it.
fn spawn(package: &Path, own: &Path) -> anyhow::Result<Child> {
    unshare(CloneFlags::CLONE_NEWNS).context("cannot make a mount namespace")?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .context("cannot keep mounts to the namespace")?;
    // The package first: its directory may be below one that is covered then.
    let places = [
        (package.join("usr/sbin"), "/mnt"),
        (package.join("usr/libexec"), "/usr/libexec"),
        (package.join("var/lib"), "/var/lib"),
        (own.join("spool"), "/var/spool"),
        (own.join("mail"), "/var/mail"),
        (own.join("etc"), "/etc"),
        (own.join("run"), "/run"),
    ];
    for (from, to) in &places {
        mount(Some(from), *to, none, MsFlags::MS_BIND, none)
            .with_context(|| format!("cannot show {} as {to}", from.display()))?;
    }
    // In the foreground, logging to stderr. It runs itself again, by this path.
    Command::new("/mnt/smtpd")
        .args(["-d", "-v"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run smtpd")
}
