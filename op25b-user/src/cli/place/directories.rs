//! Whether the directories that a command was given are those of the filter here and its daemon, as the filter's description in the
//! kernel names them.
//!
//! A command with another directory would say that no daemon runs, or read a store that nobody uses.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::bail;
use tokio::time::timeout;

use crate::{
    cli::{
        daemon::block_on,
        paths::{Paths, STATE_DIR},
        stderr,
    },
    daemon::{
        client::Client,
        control::{self, PROMPT},
    },
    datapath::{
        Directories, Holder,
        discover::{self, FoundFilter},
        holder, pinned_policy,
    },
    state_dir::is_same_directory,
};

/// Fails with what is wrong with a directory, see [`wrong`].
pub(in crate::cli) fn check(paths: &Paths) -> anyhow::Result<()> {
    match wrong(paths) {
        Some(wrong) => bail!(wrong),
        None => Ok(()),
    }
}

/// What is wrong with `--state-dir` or `--runtime-dir`: another one is that of the pinned filter.
pub(in crate::cli) fn wrong(paths: &Paths) -> Option<String> {
    let Some(used) = recorded(paths) else {
        return wrong_for_daemon(paths);
    };
    let daemon = daemon(&paths.bpffs);
    let whose = match daemon {
        Some(pid) => daemon_uses(pid),
        None => format!(
            "the daemon of the filter that is pinned in {} used",
            paths.bpffs.display()
        ),
    };
    if differ(&used.state, &paths.state_dir) {
        return Some(told(&whose, &used.state, &paths.state_dir, "--state-dir"));
    }
    // Without a daemon there is no socket, wherever it is looked for.
    (daemon.is_some() && differ(&used.runtime, &paths.runtime_dir))
        .then(|| told(&whose, &used.runtime, &paths.runtime_dir, "--runtime-dir"))
}

/// The state directory of the pinned filter; without one, or if an earlier version loaded it, the one that was given.
pub(in crate::cli) fn state(paths: &Paths) -> PathBuf {
    recorded(paths).map_or_else(|| paths.state_dir.clone(), |used| used.state)
}

/// The directories of the pinned filter; none if there is no filter, one of an earlier version, or one that this user may not read.
fn recorded(paths: &Paths) -> Option<Directories> {
    pinned_policy(&paths.bpffs).ok()??.description.directories
}

/// The daemon that holds a pin directory.
fn daemon(bpffs: &Path) -> Option<u32> {
    Some(Holder::find(bpffs).ok()??.pid())
}

/// What is wrong with `--state-dir`, as the daemon says, for a filter that does not name it. Nothing is asked if the directory is the
/// usual one.
fn wrong_for_daemon(paths: &Paths) -> Option<String> {
    if paths.state_dir == Path::new(STATE_DIR) {
        return None;
    }
    let pid = daemon(&paths.bpffs)?;
    let client = Client::new(&paths.runtime_dir);
    let report = block_on(async { timeout(PROMPT, client.status()).await });
    let report = report.ok()?.ok()?.ok()?;
    let used = report.state_dir.filter(|_| report.pid == Some(pid))?;
    differ(&used, &paths.state_dir).then(|| told(&daemon_uses(pid), &used, &paths.state_dir, "--state-dir"))
}

/// What is wrong with `--runtime-dir`, if a daemon holds the pins and its control socket is in another directory.
pub(in crate::cli) fn wrong_runtime_dir(paths: &Paths) -> Option<String> {
    let pid = daemon(&paths.bpffs)?;
    let used = runtime_dir(pid)?;
    differ(&used, &paths.runtime_dir)
        .then(|| told(&daemon_uses(pid), &used, &paths.runtime_dir, "--runtime-dir"))
}

fn daemon_uses(pid: u32) -> String {
    format!("the daemon, process {pid}, uses")
}

/// Which directory is used, by whom, and which one was given instead.
fn told(whose: &str, used: &Path, given: &Path, option: &str) -> String {
    format!(
        "{whose} {}; you gave {} ({option})",
        used.display(),
        given.display()
    )
}

/// A filter on interfaces of this network namespace that is pinned elsewhere than where a command looks.
struct Elsewhere {
    interfaces: Vec<String>,
    directories: Directories,
}

impl Elsewhere {
    /// The filter and what is to be given to find it.
    fn told(&self) -> String {
        let Directories {
            pins, runtime, state, ..
        } = &self.directories;
        let daemon = match holder(pins) {
            Some(pid) => format!("process {pid}"),
            None => "none runs".to_owned(),
        };
        format!(
            "the filter on {} has --bpffs {} --runtime-dir {} --state-dir {} (daemon: {daemon})",
            self.interfaces.join(", "),
            pins.display(),
            runtime.display(),
            state.display()
        )
    }
}

/// The filters of this network namespace, if nothing is pinned where a command looks for one.
fn elsewhere(paths: &Paths) -> Vec<Elsewhere> {
    let is_here = !matches!(pinned_policy(&paths.bpffs), Ok(None)) || holder(&paths.bpffs).is_some();
    if is_here {
        return Vec::new();
    }
    let Ok(found) = discover::find() else {
        return Vec::new();
    };
    let of = |filter: FoundFilter| {
        let interfaces = filter.interfaces.into_iter();
        let mut interfaces: Vec<_> = interfaces.map(|interface| interface.name).collect();
        interfaces.sort();
        let directories = filter.description.directories?;
        // Its pins may have been removed, or are out of sight in another mount namespace.
        differ(&directories.pins, &paths.bpffs).then_some(Elsewhere {
            interfaces,
            directories,
        })
    };
    found.filters.into_iter().filter_map(of).collect()
}

/// That nothing is pinned where a command looks, and which filters run here; none if there are none.
pub(in crate::cli) fn told_elsewhere(paths: &Paths) -> Option<String> {
    let found: Vec<_> = elsewhere(paths).iter().map(Elsewhere::told).collect();
    (!found.is_empty()).then(|| nothing_pinned(paths, &found.join("; ")))
}

fn nothing_pinned(paths: &Paths, found: &str) -> String {
    format!(
        "nothing is pinned in {} (--bpffs); {found}",
        paths.bpffs.display()
    )
}

/// The directories for a command that reports what is enforced in this network namespace: if nothing is pinned where it was told to
/// look, and one filter runs here, those of that filter, which is said.
pub(in crate::cli) fn of_the_filter_here(paths: &Paths) -> anyhow::Result<Paths> {
    check(paths)?;
    let found = elsewhere(paths);
    for filter in &found {
        stderr::line(format_args!("op25b: {}", nothing_pinned(paths, &filter.told())));
    }
    Ok(match <[Elsewhere; 1]>::try_from(found) {
        Ok([Elsewhere { directories, .. }]) => Paths {
            bpffs: directories.pins,
            runtime_dir: directories.runtime,
            state_dir: directories.state,
        },
        Err(_) => paths.clone(),
    })
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
