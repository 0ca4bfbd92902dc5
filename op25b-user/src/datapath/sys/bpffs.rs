//! Creates the pin directory in a BPF file system, which is mounted if there is none.

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

/// The conventional mount point of the BPF file system (systemd mounts it there).
const USUAL: &str = "/sys/fs/bpf";

/// Why there is no such directory.
#[derive(Debug, Error)]
pub enum BpffsError {
    /// The system refused an operation.
    #[error("cannot {operation} {}", path.display())]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

/// Creates `directory` on a BPF file system: on the one that it lies on, on one mounted at `/sys/fs/bpf` if it lies below
/// that, or else on one mounted at `directory` itself.
pub(crate) fn make(directory: &Path) -> Result<(), BpffsError> {
    let refused = |operation, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| BpffsError::Refused {
            operation,
            path,
            source,
        }
    };
    let existing = directory
        .ancestors()
        .find(|ancestor| ancestor.exists())
        .unwrap_or(Path::new("/"));
    if !is_bpffs(existing).map_err(refused("examine", existing))? {
        let usual = Path::new(USUAL);
        let mount_point = if directory.starts_with(usual) && usual.exists() {
            usual
        } else {
            fs::create_dir_all(directory).map_err(refused("create", directory))?;
            directory
        };
        // Readable and searchable for everyone, as other file systems are: pins have permissions of their own.
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
        .map_err(refused("create", directory))
}

/// Whether a path lies on a BPF file system.
pub(crate) fn is_bpffs(path: &Path) -> io::Result<bool> {
    Ok(statfs(path)?.filesystem_type() == BPF_FS_MAGIC)
}
