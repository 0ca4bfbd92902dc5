//! Puts this process into namespaces of its own, which end with it, and ahead of other processes of this machine.

use std::{fs, io};

use anyhow::Context as _;
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

/// Where iproute2 keeps namespaces by name.
const NAMED_NAMESPACES: &str = "/run/netns";
/// Where filters pin their maps.
pub const BPF_FILES: &str = "/sys/fs/bpf";

/// Moves this process, while it has one thread, into a network namespace of its own, and gives it its own view of the
/// folders in which tools leave names behind.
pub fn enter() -> anyhow::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).context("cannot make namespaces")?;
    let none: Option<&str> = None;
    // From here on no mount is seen outside.
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .context("cannot keep mounts to this process")?;
    for (folder, kind) in [(NAMED_NAMESPACES, "tmpfs"), (BPF_FILES, "bpf")] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {folder}"))?;
        mount(Some(kind), folder, Some(kind), MsFlags::empty(), none)
            .with_context(|| format!("cannot mount a {kind} of its own at {folder}"))?;
    }
    Ok(())
}

/// Has this process, and what it starts, run before others: a machine is seldom idle.
pub fn take_precedence() {
    const MOST: libc::c_int = -20;
    const THIS_PROCESS: libc::id_t = 0;
    // SAFETY: the call takes numbers only.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, THIS_PROCESS, MOST) } != 0 {
        let error = io::Error::last_os_error();
        eprintln!("measuring at ordinary priority, which scatters more: {error}");
    }
}
