//! A BPF file system that is mounted nowhere: maps that have no pin get a path there, for a loader that opens maps by paths.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    path::PathBuf,
};

use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use super::super::bpf;

/// A file system of this process alone, which ends with this value.
#[derive(Debug)]
pub(crate) struct DetachedBpffs {
    mount: OwnedFd,
}

impl DetachedBpffs {
    /// Creates one (Linux 5.2; this needs `CAP_SYS_ADMIN`).
    pub(crate) fn new() -> io::Result<Self> {
        let context = fsopen("bpf", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_create(context.as_fd())?;
        let flags = MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let mount = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, flags)?;
        Ok(Self { mount })
    }

    /// Gives an object a path in it.
    pub(crate) fn pin(&self, object: BorrowedFd<'_>, name: &str) -> io::Result<PathBuf> {
        let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", self.mount.as_raw_fd()));
        bpf::pin(object, &path)?;
        Ok(path)
    }
}
