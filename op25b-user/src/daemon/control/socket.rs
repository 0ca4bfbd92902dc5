//! The control socket in the file system: its path, its owner and its mode.

use std::{
    fs, io,
    os::{
        fd::AsRawFd as _,
        unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown},
    },
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use nix::{
    errno::Errno,
    sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr},
    unistd::{Gid, Group},
};
use tokio::net::UnixListener;
use tracing::{info, warn};

/// The group whose members may use the socket besides root.
pub(crate) const GROUP: &str = "op25b";

/// Its owner and the group may connect, which takes the right to write.
const MODE: u32 = 0o660;

/// The path of the socket.
pub(crate) fn socket(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("control.sock")
}

/// A file as the kernel identifies it, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// The identity of the file that has this name now.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

/// Whether a process listens at a socket. Does not wait for one that accepts no connections.
pub(crate) fn is_served(path: &Path) -> bool {
    let connect = || {
        let socket = socket::socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            None,
        )?;
        socket::connect(socket.as_raw_fd(), &UnixAddr::new(path)?)
    };
    // EAGAIN: its queue of connections is full (unix(7)).
    matches!(connect(), Ok(()) | Err(Errno::EAGAIN))
}

/// Fails if another daemon listens there.
pub(super) fn refuse_another(path: &Path) -> anyhow::Result<()> {
    if is_served(path) {
        bail!(
            "another op25b listens at {}; use another `--runtime-dir` for this one",
            path.display()
        );
    }
    Ok(())
}

/// The number of the group whose members may use the socket, if it exists.
pub(super) fn group() -> Option<Gid> {
    let group = Group::from_name(GROUP).ok().flatten().map(|group| group.gid);
    if group.is_none() {
        info!("there is no group {GROUP}: only this user may use the control socket");
    }
    group
}

/// Binds the socket. At no moment can it be opened by a user who may not use it, and a socket of this name is replaced in one step.
pub(super) fn bind(runtime_dir: &Path, path: &Path, group: Option<Gid>) -> anyhow::Result<UnixListener> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(runtime_dir)
        .with_context(|| format!("cannot make {}", runtime_dir.display()))?;
    let context = || format!("cannot listen at {}", path.display());
    // A directory that only this user may enter. Its name is short, as the path of a socket is limited to 107 bytes.
    let private = tempfile::Builder::new()
        .prefix(".")
        .tempdir_in(runtime_dir)
        .with_context(context)?;
    let draft = private.path().join("s");
    let listener = UnixListener::bind(&draft).with_context(context)?;
    fs::set_permissions(&draft, fs::Permissions::from_mode(MODE)).with_context(context)?;
    if let Some(group) = group
        && let Err(error) = chown(&draft, None, Some(group.as_raw()))
    {
        warn!(%error, "cannot let the group {GROUP} use the control socket");
    }
    fs::rename(&draft, path).with_context(context)?;
    Ok(listener)
}
