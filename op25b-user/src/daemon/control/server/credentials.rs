//! The credentials of a connection's other end, and the role that they give.
//!
//! They are the kernel's (`SO_PEERCRED`, `SO_PEERGROUPS`), as of when the connection was made: nothing that a client sends
//! changes them.

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _},
};

use nix::unistd::Uid;
use tokio::net::UnixStream;

use super::super::roles::{Groups, Role};

/// The kernel's limit of a process's groups (`NGROUPS_MAX`).
const MOST_GROUPS: usize = 65_536;

/// The credentials of a connection's other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Credentials {
    /// The user's number.
    pub(in super::super) uid: u32,
    /// What they may do.
    pub(in super::super) role: Role,
}

impl Credentials {
    /// Reads them from the kernel.
    pub(super) fn of(stream: &UnixStream, roles: &Groups) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        let uid = Uid::from_raw(credentials.uid());
        let role = if uid.is_root() || uid == Uid::effective() {
            Role::Everything
        } else {
            let mut groups = groups(stream)?;
            groups.push(credentials.gid());
            roles.role_of(&groups)
        };
        Ok(Self {
            uid: uid.as_raw(),
            role,
        })
    }
}

/// Reads the supplementary groups of the process at the other end.
fn groups(stream: &impl AsFd) -> io::Result<Vec<libc::gid_t>> {
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let mut size = libc::socklen_t::try_from(size_of_val(&groups[..])).map_err(io::Error::other)?;
        // SAFETY: the kernel writes at most `size` bytes to where the vector has that many, and the size to `size`. It
        // keeps neither pointer.
        let result = unsafe {
            libc::getsockopt(
                stream.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut size,
            )
        };
        let found = size as usize / size_of::<libc::gid_t>();
        if result == 0 {
            groups.truncate(found);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        // On ERANGE the kernel returns the size that is needed.
        if error.raw_os_error() != Some(libc::ERANGE) || found <= groups.len() || found > MOST_GROUPS {
            return Err(error);
        }
        groups.resize(found, 0);
    }
}

#[cfg(test)]
mod tests {
    use nix::unistd::{Gid, getgroups};

    use super::*;

    #[tokio::test]
    async fn the_kernel_reports_the_credentials_of_the_other_end() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut expected: Vec<_> = getgroups().unwrap().into_iter().map(Gid::as_raw).collect();
        let mut found = groups(&ours).unwrap();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
        // The daemon's own user may do everything, whatever their groups.
        let own = Credentials::of(&ours, &Groups::default()).unwrap();
        assert_eq!(
            own,
            Credentials {
                uid: Uid::current().as_raw(),
                role: Role::Everything
            }
        );
    }
}
