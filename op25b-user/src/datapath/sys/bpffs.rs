//! A place for pins: a directory in a BPF file system, which is mounted if there is none.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use nix::{
    mount::{MsFlags, mount},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};
use thiserror::Error;

/// Where the kernel's BPF file system belongs (systemd mounts it there).
const USUAL: &str = "/sys/fs/bpf";

/// Why there is no such place.
#[derive(Debug, Error)]
pub enum BpffsError {
    /// The system refused something.
    #[error("cannot {what} {}", path.display())]
    Refused {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Makes `directory` on a BPF file system: on the one that is there, on one mounted at `/sys/fs/bpf` if it lies below
/// that, or else on one mounted at `directory` itself.
pub(crate) fn make(directory: &Path) -> Result<(), BpffsError> {
    let refused = |what, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| BpffsError::Refused { what, path, source }
    };
    let existing = directory
        .ancestors()
        .find(|ancestor| ancestor.exists())
        .unwrap_or(Path::new("/"));
    if !is_bpffs(existing).map_err(refused("look at", existing))? {
        let usual = Path::new(USUAL);
        let mount_point = if directory.starts_with(usual) && usual.exists() {
            usual
        } else {
            fs::create_dir_all(directory).map_err(refused("make", directory))?;
            directory
        };
        // Others may pass through it, as through every other file system: pins have permissions of their own.
        mount(
            Some("bpf"),
            mount_point,
            Some("bpf"),
            MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
            Some("mode=0755"),
        )
        .map_err(|error| refused("mount a BPF file system at", mount_point)(error.into()))?;
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(refused("make", directory))
}

/// Whether a path lies on a BPF file system.
pub(crate) fn is_bpffs(path: &Path) -> io::Result<bool> {
    Ok(statfs(path)?.filesystem_type() == BPF_FS_MAGIC)
}
