//! The control socket in the file system: its path, its owner, its mode and its access list.

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
    unistd::Gid,
};
use rustix::fs::{XattrFlags, setxattr};
use tokio::net::UnixListener;
use tracing::warn;

use super::roles::{Groups, Role};

/// Its owner and its group may connect, which takes the right to write.
const MODE: u32 = 0o660;
/// The extended attribute of a file's access list.
const ACCESS_LIST: &str = "system.posix_acl_access";

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

/// Binds the socket. At no moment can it be opened by a user who may not use it, and a socket of this name is replaced in one step.
pub(super) fn bind(runtime_dir: &Path, path: &Path, groups: &Groups) -> anyhow::Result<UnixListener> {
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
    open_to(&draft, groups);
    fs::rename(&draft, path).with_context(context)?;
    Ok(listener)
}

/// Lets the members of the groups connect. A file has one group; the others are in its access list.
fn open_to(socket: &Path, groups: &Groups) {
    let failed = |role: Role, error: &io::Error| {
        warn!(%error, "cannot let the group {} use the control socket", role.group());
    };
    if let Some(group) = groups.of(Role::Everything)
        && let Err(error) = chown(socket, None, Some(group.as_raw()))
    {
        failed(Role::Everything, &error);
    }
    let others: Vec<_> = [Role::Desk, Role::View]
        .into_iter()
        .filter_map(|role| Some((role, groups.of(role)?)))
        .collect();
    if others.is_empty() {
        return;
    }
    let list = access_list(others.iter().map(|(_, group)| *group));
    if let Err(error) = setxattr(socket, ACCESS_LIST, &list, XattrFlags::empty()) {
        for (role, _) in others {
            failed(role, &error.into());
        }
    }
}

/// The access list of a socket of mode 0660 that these groups may use as well, in the form of the extended attribute
/// (`linux/posix_acl_xattr.h`): a version, then entries of a tag, rights and an id, in the order of the tags and ids.
fn access_list(groups: impl Iterator<Item = Gid>) -> Vec<u8> {
    const VERSION: u32 = 2;
    const USER_OBJ: u16 = 0x01;
    const GROUP_OBJ: u16 = 0x04;
    const GROUP: u16 = 0x08;
    const MASK: u16 = 0x10;
    const OTHER: u16 = 0x20;
    const READ_AND_WRITE: u16 = 6;
    const NO_ID: u32 = u32::MAX;
    let mut groups: Vec<_> = groups.map(Gid::as_raw).collect();
    groups.sort_unstable();
    groups.dedup();
    let entries = [
        (USER_OBJ, READ_AND_WRITE, NO_ID),
        (GROUP_OBJ, READ_AND_WRITE, NO_ID),
    ]
    .into_iter()
    .chain(groups.into_iter().map(|id| (GROUP, READ_AND_WRITE, id)))
    .chain([(MASK, READ_AND_WRITE, NO_ID), (OTHER, 0, NO_ID)]);
    let mut list = VERSION.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_groups_of_the_roles_are_in_the_sockets_access_list() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        let own = nix::unistd::getgid();
        let groups = Groups::fake(own.as_raw(), 54_321, 54_320);
        let _listener = bind(directory.path(), &path, &groups).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, MODE);
        let mut list = [0; 128];
        let length = rustix::fs::getxattr(&path, ACCESS_LIST, &mut list).unwrap();
        let expected = access_list([Gid::from_raw(54_320), Gid::from_raw(54_321)].into_iter());
        // The kernel has read it, and writes what it understood.
        assert_eq!(list[..length], expected);
    }
}
