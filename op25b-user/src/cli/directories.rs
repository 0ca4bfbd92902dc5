//! Whether the daemon that holds the pins uses the directories that a command was given.
//!
//! A command with another directory would say that no daemon runs, or read a store that nobody uses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tokio::time::timeout;

use super::{
    daemon::block_on,
    paths::{Paths, STATE_DIR},
};
use crate::{
    daemon::{
        client::Client,
        control::{self, PROMPT},
    },
    datapath::Holder,
    state_dir::is_same_directory,
};

/// What is wrong with `--state-dir`, if a daemon answers that uses another. Nothing is asked if the directory is the usual one.
pub(super) fn wrong_state_dir(paths: &Paths) -> Option<String> {
    if paths.state_dir == Path::new(STATE_DIR) {
        return None;
    }
    let pid = Holder::find(&paths.bpffs).ok()??.pid();
    let client = Client::new(&paths.runtime_dir);
    let report = block_on(async { timeout(PROMPT, client.status()).await });
    let report = report.ok()?.ok()?.ok()?;
    let used = report.state_dir.filter(|_| report.pid == Some(pid))?;
    differ(&used, &paths.state_dir).then(|| told(pid, &used, &paths.state_dir, "--state-dir"))
}

/// What is wrong with `--runtime-dir`, if a daemon holds the pins and its control socket is in another directory.
pub(super) fn wrong_runtime_dir(paths: &Paths) -> Option<String> {
    let pid = Holder::find(&paths.bpffs).ok()??.pid();
    let used = runtime_dir(pid)?;
    differ(&used, &paths.runtime_dir).then(|| told(pid, &used, &paths.runtime_dir, "--runtime-dir"))
}

fn told(pid: u32, used: &Path, given: &Path, option: &str) -> String {
    format!(
        "the daemon, process {pid}, uses {}; you gave {} ({option})",
        used.display(),
        given.display()
    )
}

/// Whether two paths are of different directories. If the disk does not answer in time, they are taken for the same: the command goes
/// on.
fn differ(one: &Path, other: &Path) -> bool {
    is_same_directory(one, other, PROMPT, || ()) == Some(false)
}

/// The directory of the control socket on which a process listens.
fn runtime_dir(pid: u32) -> Option<PathBuf> {
    let sockets = fs::read_to_string(format!("/proc/{pid}/net/unix")).ok()?;
    let open: Vec<PathBuf> = fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .collect();
    listening(&sockets)
        .filter(|(inode, _)| open.contains(&PathBuf::from(format!("socket:[{inode}]"))))
        // It was bound in a directory below, and renamed.
        .filter_map(|(_, bound)| bound.parent()?.parent())
        .find(|directory| control::socket(directory).exists())
        .map(Path::to_owned)
}

/// The inodes of sockets that listen, and the paths at which they were bound, in a table of `proc_pid_net(5)`.
fn listening(table: &str) -> impl Iterator<Item = (&str, &Path)> {
    // The flag SO_ACCEPTCON.
    const LISTENS: &str = "00010000";
    table.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (flags, inode, path) = (words.nth(3)?, words.nth(2)?, words.next()?);
        (flags == LISTENS).then_some((inode, Path::new(path)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_listen_are_found_among_others() {
        let table = "\
Num       RefCount Protocol Flags    Type St Inode Path
ffff88: 00000002 00000000 00010000 0001 01 4711 /run/op25b/.x1/s
ffff89: 00000003 00000000 00000000 0001 03 4712 /run/op25b/.x1/s
ffff8b: 00000002 00000000 00000000 0002 01 4714
";
        let found: Vec<_> = listening(table).collect();
        assert_eq!(found, [("4711", Path::new("/run/op25b/.x1/s"))]);
    }
}
