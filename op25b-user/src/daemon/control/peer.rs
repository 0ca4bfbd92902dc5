//! Who is at the other end of a connection, and what may they do?
//!
//! The kernel says so (`SO_PEERCRED`, `SO_PEERGROUPS`), as of when the connection was made: nothing that a client sends
//! changes it.

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _},
};

use nix::unistd::{Gid, Uid};
use tokio::net::UnixStream;

/// The most groups that the kernel lets a process have (`NGROUPS_MAX`).
const MOST_GROUPS: usize = 65_536;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    /// The user.
    pub(super) uid: u32,
    /// Whether they may do more than read.
    pub(super) may_change: bool,
}

impl Peer {
    /// Who it is; `group` is whose members may change things.
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

/// The supplementary groups of the process at the other end.
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
        // Then the size says how much room it takes.
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
    async fn the_kernel_says_who_is_at_the_other_end() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let mut expected: Vec<_> = getgroups().unwrap().into_iter().map(Gid::as_raw).collect();
        let mut found = groups(&ours).unwrap();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
        // Whoever runs the daemon may change things, whatever their groups.
        let peer = Peer::of(&ours, Some(Gid::from_raw(54_321))).unwrap();
        assert_eq!(
            peer,
            Peer {
                uid: Uid::current().as_raw(),
                may_change: true
            }
        );
        assert!(Peer::of(&ours, Some(getgid())).unwrap().may_change);
    }
}
