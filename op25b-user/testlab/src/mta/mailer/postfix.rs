//! Postfix, with a configuration and a queue of its own.

use std::{
    fs::{self, Permissions},
    net::IpAddr,
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
    process::Command,
};

use super::{Outcome, Patience, between, command, places};
use crate::{
    lab::NetNs,
    mta::daemon::{Daemon, write_users},
};

/// Users that exist in its own /etc/passwd only, with a group each.
const OWNER: (&str, u32) = ("postfix", 64_900);
const POSTDROP: (&str, u32) = ("postdrop", 64_901);
const NOBODY: (&str, u32) = ("nobody", 65_534);

/// The directories of the queue that are its owner's alone.
const PRIVATE: [&str; 11] = [
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved",
    "trace",
];

/// The services of Debian's master.cf that a host needs which only sends.
const MASTER: &str = "\
postlog   unix-dgram n - n - 1 postlogd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
smtp      unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
showq     unix n - n - - showq
";

pub(super) fn start(host: &NetNs, files: &Path, patience: Patience) -> anyhow::Result<Daemon> {
    write_files(files, patience)?;
    let places = places(&[("", "/mnt")], "postfix", files)?;
    // Its libraries are not where the dynamic linker looks. A variable does not do: postdrop, which is usually privileged,
    // ignores it.
    let first = Command::new("/sbin/ldconfig");
    // In the foreground, with its output.
    let mut master = command("/mnt/usr/lib/postfix/sbin/master");
    master.args(["-d", "-c", "/etc/postfix"]);
    let mut daemon = Daemon::start(host, places, Some(first), master)?;
    daemon.await_ready(|daemon| Ok(daemon.log().contains("daemon started")))?;
    Ok(daemon)
}

pub(super) fn sendmail() -> Command {
    Command::new("/mnt/usr/sbin/sendmail")
}

pub(super) fn queue() -> Command {
    let mut command = command("/mnt/usr/sbin/postqueue");
    // A JSON object for each message.
    command.arg("-j");
    command
}

/// `connect to HOST[ADDRESS]:25: REASON`.
pub(super) fn refusals(log: &str, by: IpAddr) -> Vec<String> {
    let to = format!("[{by}]:25: ");
    let lines = log.lines().filter(|line| line.contains(": connect to "));
    let reasons = lines.filter_map(|line| line.split_once(&to));
    reasons.map(|(_, reason)| reason.to_owned()).collect()
}

/// `to=<…>, relay=HOST[ADDRESS]:25, …, status=sent (…)`.
pub(super) fn outcome(line: &str) -> Option<Outcome> {
    if line.contains("status=sent ") {
        between(line, "relay=", ",").map(|relay| Outcome::Sent(relay.to_owned()))
    } else {
        between(line, "status=deferred (", ")").map(|reason| Outcome::Deferred(reason.to_owned()))
    }
}

/// Everything that it looks for outside its package.
fn write_files(files: &Path, patience: Patience) -> anyhow::Result<()> {
    let etc = files.join("etc");
    let queue = files.join("spool/postfix");
    for directory in [
        etc.join("postfix"),
        queue.clone(),
        files.join("spool/data"),
        files.join("run"),
    ] {
        fs::create_dir_all(directory)?;
    }
    write_users(&etc, &[OWNER, POSTDROP, NOBODY])?;
    fs::write(etc.join("ld.so.conf"), "/mnt/usr/lib/postfix\n")?;
    fs::write(etc.join("services"), "smtp 25/tcp\n")?;
    fs::write(etc.join("postfix/master.cf"), MASTER)?;
    fs::write(etc.join("postfix/main.cf"), configuration(patience))?;

    let (owner, postdrop) = (Some(OWNER.1), Some(POSTDROP.1));
    chown(files.join("spool/data"), owner, None)?;
    fs::create_dir(queue.join("pid"))?;
    for (name, mode) in PRIVATE
        .map(|name| (name, 0o700))
        .into_iter()
        .chain([("maildrop", 0o730), ("public", 0o710)])
    {
        let path = queue.join(name);
        fs::create_dir(&path)?;
        chown(&path, owner, postdrop)?;
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
    }
    Ok(())
}

fn configuration(patience: Patience) -> String {
    let (group, _) = POSTDROP;
    let mut text = format!(
        "\
compatibility_level = 3.6
command_directory = /mnt/usr/sbin
daemon_directory = /mnt/usr/lib/postfix/sbin
shlib_directory = /mnt/usr/lib/postfix
queue_directory = /var/spool/postfix
data_directory = /var/spool/data
setgid_group = {group}
maillog_file = /dev/stdout
myhostname = customer.lab.example
mydestination =
inet_interfaces = loopback-only
inet_protocols = all
smtp_tls_security_level = none
smtp_connection_cache_on_demand = no
alias_maps =
alias_database =
"
    );
    if patience == Patience::Short {
        text += "smtp_connect_timeout = 3s\n";
    }
    text
}
