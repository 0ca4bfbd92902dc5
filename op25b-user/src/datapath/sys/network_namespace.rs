//! The identity of a network namespace.

use std::{
    fs, io,
    os::{
        fd::{AsFd as _, AsRawFd as _, BorrowedFd},
        unix::{fs::MetadataExt as _, net::UnixDatagram},
    },
    path::Path,
    ptr,
};

use serde::{Deserialize, Serialize};

/// Where `ip netns` keeps the namespaces that it named.
const NAMED: &str = "/run/netns";

/// A network namespace. Its numbers hold until the machine is restarted, as what is pinned in a BPF file system does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkNamespace {
    /// The kernel's cookie, which no other namespace of this boot gets.
    pub cookie: u64,
    /// The inode of its file, such as `net:[4026531840]` in `/proc/PID/ns/net`, for people: another namespace may get it later.
    pub inode: Option<u64>,
}

impl NetworkNamespace {
    /// The namespace of the calling thread.
    pub fn current() -> io::Result<Self> {
        // A socket belongs to the namespace that it is made in.
        let socket = UnixDatagram::unbound()?;
        Ok(Self {
            cookie: cookie(socket.as_fd())?,
            inode: inode(Path::new("/proc/thread-self/ns/net")),
        })
    }

    /// Whether it is the one that the machine starts with, in which a host's processes and containers with the host's network
    /// run.
    pub(crate) fn is_initial(&self) -> bool {
        // The first that the kernel hands out.
        self.cookie == 1
    }

    /// Its name as people know it: that of `ip netns`, or the process's link in `/proc`.
    #[must_use]
    pub fn name(&self) -> String {
        match self.inode {
            Some(inode) => named(inode),
            None => format!("with cookie {}", self.cookie),
        }
    }

    /// The name of the namespace that a process is in, if this process may know it.
    #[must_use]
    pub fn name_of(pid: u32) -> Option<String> {
        inode(Path::new(&format!("/proc/{pid}/ns/net"))).map(named)
    }
}

fn inode(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|file| file.ino())
}

fn named(inode: u64) -> String {
    let link = format!("net:[{inode}]");
    let name = fs::read_dir(NAMED).ok().and_then(|entries| {
        let mut entries = entries.filter_map(Result::ok);
        // Not the entry's own inode: that is the one below the mount.
        let found = entries.find(|entry| self::inode(&entry.path()) == Some(inode))?;
        found.file_name().into_string().ok()
    });
    match name {
        Some(name) => format!("{name} ({link})"),
        None => link,
    }
}

fn cookie(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut cookie = 0_u64;
    let mut size = libc::socklen_t::try_from(size_of_val(&cookie)).map_err(io::Error::other)?;
    // SAFETY: the kernel writes at most `size` bytes to `cookie`, any bytes are a value of it, and both live until this returns.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            ptr::from_mut(&mut cookie).cast(),
            &raw mut size,
        )
    };
    if result == 0 {
        Ok(cookie)
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_in_one_namespace_and_its_process_is_too() {
        let here = NetworkNamespace::current().unwrap();
        assert_ne!(here.cookie, 0);
        assert_eq!(NetworkNamespace::current().unwrap(), here);
        assert_eq!(NetworkNamespace::name_of(std::process::id()), Some(here.name()));
        assert!(here.name().contains("net:["), "{}", here.name());
    }
}
