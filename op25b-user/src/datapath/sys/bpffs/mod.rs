//! The BPF file system: creates the pin directory in it, and mounts one if there is none.

pub(crate) mod detached;
pub(crate) mod lifetime;
mod mounts;

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
    sys::{
        statfs::{BPF_FS_MAGIC, statfs},
        statvfs::{FsFlags, statvfs},
    },
    unistd::geteuid,
};
use thiserror::Error;

/// The conventional mount point of the BPF file system (systemd mounts it there).
const USUAL: &str = "/sys/fs/bpf";
/// The name of a mount that op25b made, by which a later process recognizes it.
const SOURCE: &str = "op25b";

/// Why there is no such directory.
#[derive(Debug, Error)]
pub enum BpffsError {
    /// There is no BPF file system, and this process may not mount one.
    #[error(
        "there is no BPF file system at {path}, and this process may not mount one: `mount -t bpf bpf {path}` as root does; a \
         container takes the machine's (`-v /sys/fs/bpf:/sys/fs/bpf`)",
        path = path.display()
    )]
    NotMounted {
        /// Where it is to be mounted.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
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

fn refused(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BpffsError {
    let path = path.to_owned();
    move |source| BpffsError::Refused {
        operation,
        path,
        source,
    }
}

/// Creates `directory` on a BPF file system: on the one that it lies on, on one mounted at `/sys/fs/bpf` if it lies below
/// that, or else on one mounted at `directory` itself. Returns where one was mounted.
///
/// The directory is searchable for its owner alone: whoever opens it may take the lock on it.
pub(crate) fn make(directory: &Path) -> Result<Option<PathBuf>, BpffsError> {
    let existing = nearest(directory);
    let mounted = if is_bpffs(existing).map_err(refused("examine", existing))? {
        None
    } else {
        let usual = Path::new(USUAL);
        let mount_point = if directory.starts_with(usual) && usual.exists() {
            usual
        } else {
            fs::create_dir_all(directory).map_err(refused("create", directory))?;
            directory
        };
        mount(
            Some(SOURCE),
            mount_point,
            Some("bpf"),
            MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC,
            // As systemd mounts it.
            Some("mode=0700"),
        )
        .map_err(|error| match error {
            Errno::EPERM => BpffsError::NotMounted {
                path: mount_point.to_owned(),
                source: error.into(),
            },
            _ => refused("mount a BPF file system at", mount_point)(error.into()),
        })?;
        Some(mount_point.to_owned())
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(refused("create", directory))?;
    keep_private(directory).map_err(refused("limit the permissions of", directory))?;
    Ok(mounted)
}

/// Takes away the permissions of others in a directory that is this user's, such as the root of a file system that an earlier
/// version of op25b mounted.
pub(crate) fn keep_private(directory: &Path) -> io::Result<()> {
    let found = fs::metadata(directory)?;
    let is_ours = found.uid() == geteuid().as_raw();
    // The root of the usual one is everybody's way to other directories.
    if is_ours && found.mode() & 0o077 != 0 && directory != Path::new(USUAL) {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// What is at a directory for pins, before anything is made there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PinPlace {
    /// The nearest directory that exists.
    pub(crate) existing: PathBuf,
    /// Whether that is on a BPF file system. Otherwise [`make`] mounts one.
    pub(crate) is_bpffs: bool,
    /// Whether the file system may only be read.
    pub(crate) is_read_only: bool,
    /// Its owner.
    pub(crate) owner: u32,
    /// Its permissions.
    pub(crate) mode: u32,
}

/// Looks at a directory for pins.
pub(crate) fn pin_place(directory: &Path) -> io::Result<PinPlace> {
    let existing = nearest(directory);
    let found = fs::metadata(existing)?;
    Ok(PinPlace {
        is_bpffs: is_bpffs(existing)?,
        is_read_only: statvfs(existing)?.flags().contains(FsFlags::ST_RDONLY),
        owner: found.uid(),
        mode: found.mode() & 0o7777,
        existing: existing.to_owned(),
    })
}

/// The nearest directory above a path that exists, or itself.
fn nearest(directory: &Path) -> &Path {
    let mut ancestors = directory.ancestors();
    ancestors
        .find(|ancestor| ancestor.exists())
        .unwrap_or(Path::new("/"))
}

/// Unmounts what [`make`] has mounted.
pub(crate) fn unmount(mount_point: &Path) {
    // Lazily: a descriptor in it may still be open. It is of no use, and in the way of nobody if it stays.
    let _ = umount2(mount_point, MntFlags::MNT_DETACH);
}

/// Whether a path lies on a BPF file system.
pub(crate) fn is_bpffs(path: &Path) -> io::Result<bool> {
    Ok(statfs(path)?.filesystem_type() == BPF_FS_MAGIC)
}
