//! Why pins cannot be used, and what to do about it.

use std::{
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use nix::unistd::geteuid;
use thiserror::Error;

use super::directory::{GENERATIONS, LINKS};
use crate::datapath::sys::{bpf::possible_cpus::CpusError, bpffs::BpffsError, requirements::denial, users};

/// Why the pins cannot be used.
#[derive(Debug, Error)]
pub enum PinsError {
    /// There is no BPF file system for them.
    #[error(transparent)]
    Bpffs(BpffsError),
    /// Another op25b uses them.
    #[error(
        "{} already enforces from {}{}",
        match .holder { Some(pid) => format!("process {pid}"), None => "another process".into() },
        directory.display(),
        match .namespace {
            Some(namespace) => format!(
                " in another network namespace, {namespace}: give the filter of this one directories of its own with \
                 `--bpffs`, `--runtime-dir` and `--state-dir`"
            ),
            None => "; `op25b reload` gives it a new policy, `op25b stop` ends it".into(),
        }
    )]
    Held {
        /// The directory.
        directory: PathBuf,
        /// The process, if the system reports it.
        holder: Option<u32>,
        /// Its network namespace, if that is another one than this process's.
        namespace: Option<String>,
    },
    /// They are those of a filter in another network namespace.
    #[error(
        "{} holds the pins of a filter in another network namespace, {namespace}, where it runs on {}: give the filter of this \
         one directories of its own with `--bpffs`, `--runtime-dir` and `--state-dir`, or remove the other one with \
         `op25b stop --detach`",
        directory.display(),
        interfaces.join(", ")
    )]
    OtherNamespace {
        /// The directory.
        directory: PathBuf,
        /// The other network namespace.
        namespace: String,
        /// The interfaces that the filter runs on there.
        interfaces: Vec<String>,
    },
    /// The BPF file system is gone when this process has ended.
    #[error(
        "the BPF file system of {} is mounted in a mount namespace of its own, which ends with op25b or its container, and the \
         filter with it: start op25b by `nsenter --net=/run/netns/NAME` instead of `ip netns exec NAME`, or mount the machine's \
         BPF file system into the container or namespace; with `--no-persist` the filter is enforced as long as the daemon runs",
        .0.display()
    )]
    NotPersistent(PathBuf),
    /// Something belongs to another user.
    #[error(
        "cannot {operation} {}: {} belongs to {}, and this process runs as {}: {}",
        path.display(),
        if obstacle == path { "it".into() } else { obstacle.display().to_string() },
        users::name(*owner),
        users::name(*user),
        remedy(path, obstacle, *user)
    )]
    NotPermitted {
        /// What was tried.
        operation: &'static str,
        /// On which path.
        path: PathBuf,
        /// What belongs to another user: the path itself, or a directory on the way to it.
        obstacle: PathBuf,
        /// That user.
        owner: u32,
        /// The user of this process.
        user: u32,
        /// The system's answer.
        source: io::Error,
    },
    /// The number of CPUs cannot be read.
    #[error(transparent)]
    Cpus(#[from] CpusError),
    /// The system refused an operation.
    #[error("cannot {operation} {}{}", path.display(), denial::remark(source))]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl From<BpffsError> for PinsError {
    fn from(error: BpffsError) -> Self {
        let BpffsError::Refused {
            operation,
            path,
            source,
        } = error
        else {
            return Self::Bpffs(error);
        };
        match Self::refused(operation, &path)(source) {
            Self::Refused {
                operation,
                path,
                source,
            } => Self::Bpffs(BpffsError::Refused {
                operation,
                path,
                source,
            }),
            error => error,
        }
    }
}

impl PinsError {
    pub(crate) fn refused(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match obstacle(&path, &source) {
            Some((obstacle, owner)) => Self::NotPermitted {
                operation,
                path,
                obstacle,
                owner,
                user: geteuid().as_raw(),
                source,
            },
            None => Self::Refused {
                operation,
                path,
                source,
            },
        }
    }
}

/// What of another user's was in the way, if that is why the system refused.
fn obstacle(path: &Path, error: &io::Error) -> Option<(PathBuf, u32)> {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return None;
    }
    // What cannot be examined lies below the obstacle.
    let found = path
        .ancestors()
        .find_map(|ancestor| Some((ancestor, ancestor.symlink_metadata().ok()?.uid())));
    let (obstacle, owner) = found?;
    (owner != geteuid().as_raw()).then(|| (obstacle.to_owned(), owner))
}

/// What to do about an obstacle on the way to a path in the pin directory.
fn remedy(path: &Path, obstacle: &Path, user: u32) -> String {
    let part = |ancestor: &&Path| {
        let name = ancestor.file_name();
        name.is_some_and(|name| name == LINKS || name == GENERATIONS)
    };
    let directory = path.ancestors().find(part).and_then(Path::parent).unwrap_or(path);
    let (user, shown) = (users::for_chown(user), directory.display());
    if obstacle.starts_with(directory) {
        format!("`chown -R {user}: {shown}` gives it to this user, or run op25b as root")
    } else {
        format!(
            "`chmod o+x {}; install -d -m 0700 -o {user} {shown}` as root makes a directory for this user, or run op25b as root",
            obstacle.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remedy_is_about_the_pin_directory_or_about_the_way_to_it() {
        let directory = Path::new("/sys/fs/bpf/op25b");
        let chown = "`chown -R 3999999999: /sys/fs/bpf/op25b` gives it to this user, or run op25b as root";
        let below = ["links", "links/sub0", "generations/7/COUNTERS"].map(|path| directory.join(path));
        for path in below.into_iter().chain([directory.to_owned()]) {
            assert_eq!(remedy(&path, &path, 3_999_999_999), chown, "{}", path.display());
        }
        let above = remedy(directory, Path::new("/sys/fs/bpf"), 3_999_999_999);
        assert!(
            above.starts_with("`chmod o+x /sys/fs/bpf; install -d -m 0700 -o 3999999999 /sys/fs/bpf/op25b`"),
            "{above}"
        );
    }

    #[test]
    fn only_another_users_directory_is_an_obstacle() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(obstacle(folder.path(), &denied()), None);
        assert_eq!(
            obstacle(folder.path(), &io::Error::from(io::ErrorKind::NotFound)),
            None
        );
        if geteuid().is_root() {
            std::os::unix::fs::chown(folder.path(), Some(65534), None).unwrap();
            assert_eq!(
                obstacle(&folder.path().join("links"), &denied()),
                Some((folder.path().to_owned(), 65534))
            );
        }
    }
}
