//! The control socket in the file system: its path, its owner and its mode.

use std::{
    fs, io,
    os::unix::{
        fs::{DirBuilderExt as _, chown},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use nix::{
    sys::stat::{Mode, umask},
    unistd::{Gid, Group},
};
use tokio::net::UnixListener;
use tracing::{info, warn};

/// The group whose members may use the socket besides root.
pub(super) const GROUP: &str = "op25b";

/// The path of the socket.
pub(crate) fn socket(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("control.sock")
}

/// Fails if another daemon listens there.
pub(super) fn refuse_another(path: &Path) -> anyhow::Result<()> {
    if UnixStream::connect(path).is_ok() {
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

/// Binds the socket. At no moment can it be opened by a user who may not use it.
pub(super) fn bind(runtime_dir: &Path, path: &Path, group: Option<Gid>) -> anyhow::Result<UnixListener> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(runtime_dir)
        .with_context(|| format!("cannot make {}", runtime_dir.display()))?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", path.display()));
        }
        _ => {}
    }
    let before = umask(Mode::from_bits_truncate(0o117));
    let listener = UnixListener::bind(path);
    umask(before);
    let listener = listener.with_context(|| format!("cannot listen at {}", path.display()))?;
    if let Some(group) = group
        && let Err(error) = chown(path, None, Some(group.as_raw()))
    {
        warn!(%error, "cannot let the group {GROUP} use the control socket");
    }
    Ok(listener)
}
