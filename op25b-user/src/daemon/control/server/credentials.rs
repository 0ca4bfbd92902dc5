//! The credentials of a connection's other end, and what they permit.
//!
//! They are the kernel's (`SO_PEERCRED`, `SO_PEERGROUPS`), as of when the connection was made: nothing that a client sends
//! changes them.

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _},
};

use nix::unistd::{Gid, Uid};
use tokio::net::UnixStream;

/// The kernel's limit of a process's groups (`NGROUPS_MAX`).
const MOST_GROUPS: usize = 65_536;

/// The credentials of a connection's other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Credentials {
    /// The user's number.
    pub(in super::super) uid: u32,
    /// Whether more than reading is permitted.
    pub(in super::super) may_change: bool,
}

impl Credentials {
    /// Reads them from the kernel. Members of `group` may change things.
    pub(super) fn of(stream: &UnixStream, group: Option<Gid>) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        let uid = Uid::from_raw(credentials.uid());
        let mut groups = groups(stream)?;
        groups.push(credentials.gid());
        let is_member = group.is_some_and(|group| groups.contains(&group.as_raw()));
        Ok(Self {
            uid: uid.as_raw(),
            may_change: uid.is_root() || uid == Uid::effective() || is_member,
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
    use nix::unistd::{getgid, getgroups};

    use super::*;

    #[tokio::test]
    async fn the_kernel_reports_the_credentials_of_the_other_end() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut expected: Vec<_> = getgroups().unwrap().into_iter().map(Gid::as_raw).collect();
        let mut found = groups(&ours).unwrap();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
        // The daemon's own user may change things, whatever their groups.
        let own = Credentials::of(&ours, Some(Gid::from_raw(54_321))).unwrap();
        assert_eq!(
            own,
            Credentials {
                uid: Uid::current().as_raw(),
                may_change: true
            }
        );
        assert!(Credentials::of(&ours, Some(getgid())).unwrap().may_change);
    }
}
