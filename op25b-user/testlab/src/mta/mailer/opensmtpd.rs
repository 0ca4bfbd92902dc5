//! `OpenSMTPD`, as a server that only sends.

use std::{
    fs::{self, Permissions},
    net::IpAddr,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::Command,
};

use anyhow::Context as _;

use super::{Outcome, Patience, between, command, places};
use crate::{
    lab::NetNs,
    mta::daemon::{Daemon, write_users},
};

/// Users that exist in its own /etc/passwd only, with a group each.
const QUEUE: (&str, u32) = ("opensmtpq", 64_901);
const USERS: [(&str, u32); 2] = [("opensmtpd", 64_900), QUEUE];

const CONFIGURATION: &str = "\
listen on lo port 10025
action \"out\" relay
match from local for any action \"out\"
";

pub(super) fn start(host: &NetNs, files: &Path, patience: Patience) -> anyhow::Result<Daemon> {
    if patience == Patience::Short {
        // It waits as long as the kernel does.
        host.run(|| {
            fs::write("/proc/sys/net/ipv4/tcp_syn_retries", "1")
                .context("cannot shorten the kernel's patience")
        })?;
    }
    let etc = files.join("etc");
    for name in ["spool/smtpd", "run"] {
        fs::create_dir_all(files.join(name))?;
    }
    fs::set_permissions(files.join("spool/smtpd"), Permissions::from_mode(0o711))?;
    write_users(&etc, &USERS)?;
    fs::write(etc.join("mailname"), "customer.lab.example\n")?;
    fs::write(etc.join("smtpd.conf"), CONFIGURATION)?;

    let package = [
        ("usr/sbin", "/mnt"),
        ("usr/libexec", "/usr/libexec"),
        ("var/lib", "/var/lib"),
    ];
    let places = places(&package, "opensmtpd", files)?;
    // In the foreground, logging to stderr. It runs itself again, by this path.
    let mut smtpd = command("/mnt/smtpd");
    smtpd.args(["-d", "-v"]);
    let mut daemon = Daemon::start(host, places, None, smtpd)?;
    daemon.await_ready(|daemon| Ok(daemon.log().contains("offline scanning done")))?;
    Ok(daemon)
}

pub(super) fn sendmail() -> Command {
    let mut command = Command::new("/mnt/sendmail");
    // As an installed one is set.
    command.gid(QUEUE.1);
    command
}

pub(super) fn queue() -> Command {
    let mut command = command("/mnt/smtpctl");
    command.gid(QUEUE.1).args(["show", "queue"]);
    command
}

/// `SESSION mta connecting address=smtp://ADDRESS:25 …`, and later `SESSION mta error reason=REASON`.
pub(super) fn refusals(log: &str, by: IpAddr) -> Vec<String> {
    let address = match by {
        IpAddr::V4(by) => format!("address=smtp://{by}:25 "),
        IpAddr::V6(by) => format!("address=smtp://[{by}]:25 "),
    };
    let sessions = log.lines().filter(|line| line.contains(&address));
    sessions
        .filter_map(|line| line.split_once(" mta connecting "))
        .filter_map(|(session, _)| {
            let error = format!("{session} mta error reason=");
            log.lines().find_map(|line| line.strip_prefix(&error))
        })
        .map(str::to_owned)
        .collect()
}

/// `… mta delivery … relay="ADDRESS (HOST)" … result="Ok" stat="…"`.
pub(super) fn outcome(line: &str) -> Option<Outcome> {
    match between(line, "result=\"", "\"")? {
        "Ok" => between(line, "relay=\"", "\"").map(|relay| Outcome::Sent(relay.to_owned())),
        _ => between(line, "stat=\"", "\"").map(|reason| Outcome::Deferred(reason.to_owned())),
    }
}
