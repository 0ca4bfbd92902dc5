//! Whether a BPF file system, and what is pinned in it, outlives the process that pins there.
//!
//! The kernel keeps a file system for as long as it is mounted in some mount namespace, and a mount namespace for as long as a
//! process is in it. `ip netns exec`, `unshare --mount` and containers run a program in a mount namespace of its own: a BPF file
//! system that is mounted only there is gone when the program has ended.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use nix::sys::stat::{major, minor};

use super::{
    super::network_namespace::NetworkNamespace,
    SOURCE,
    mounts::{self, Mount},
};

/// The inode of the PID namespace that the machine starts with: `PROC_PID_INIT_INO` of the kernel.
const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// What is known about the mount namespace.
#[derive(Debug)]
struct Evidence {
    /// The device of the file system.
    device: (u64, u64),
    /// The mounts that this process sees.
    own: Vec<Mount>,
    /// Those that process 1 sees; none if that is this process, or if its mounts cannot be read.
    first: Option<Vec<Mount>>,
    /// Whether process 1 is the machine's, and not that of a container.
    is_first_of_machine: bool,
    /// Whether the network namespace is the machine's, which outlives any container.
    is_network_of_machine: bool,
}

/// Whether what is pinned in this directory of a BPF file system outlives this process and, in a container, the container.
/// Where that cannot be known it is taken to.
pub(crate) fn outlives_process(directory: &Path) -> io::Result<bool> {
    let device = fs::metadata(directory)?.dev();
    let first = if std::process::id() == 1 {
        None
    } else {
        mounts::of("1").ok()
    };
    let evidence = Evidence {
        device: (major(device), minor(device)),
        own: mounts::of("self")?,
        first,
        is_first_of_machine: fs::metadata("/proc/self/ns/pid")?.ino() == INITIAL_PID_NAMESPACE,
        is_network_of_machine: NetworkNamespace::current()?.is_initial(),
    };
    Ok(evidence.outlives_process())
}

impl Evidence {
    fn outlives_process(&self) -> bool {
        let ours: Vec<_> = self.own.iter().filter(|mount| self.is_it(mount)).collect();
        // A copy of a mount elsewhere, as in the units of systemd: that one is there without this process. And what is not
        // listed, as in a `chroot`, was mounted by somebody else.
        if ours.is_empty() || ours.iter().any(|mount| mount.is_slave) {
            return true;
        }
        let is_made_by_op25b = ours.iter().any(|mount| mount.source == SOURCE);
        let Some(first) = &self.first else {
            return if self.is_first_of_machine {
                // systemd and `ip netns exec` make every mount of the machine a slave in the namespaces that they make.
                let is_in_namespace = root(&self.own).is_some_and(|root| root.is_slave);
                // Another process may have mounted it on the machine without sharing it.
                !(is_in_namespace && is_made_by_op25b)
            } else {
                !is_made_by_op25b
            };
        };
        if first.iter().any(|mount| self.is_it(mount)) {
            // In a container it is mounted for as long as the container runs, which is long enough for the container's own
            // network, but not for the machine's.
            let ends_with_container =
                is_made_by_op25b && !self.is_first_of_machine && self.is_network_of_machine;
            return !ends_with_container;
        }
        // Of two containers that share a PID namespace neither sees what is mounted into the other.
        let is_copy = root(first).map(|root| root.device) == root(&self.own).map(|root| root.device);
        if self.is_first_of_machine || is_copy {
            false
        } else {
            !is_made_by_op25b
        }
    }

    fn is_it(&self, mount: &Mount) -> bool {
        mount.kind == "bpf" && mount.device == self.device
    }
}

/// The mount of the root directory: the last one there, which covers others.
fn root(mounts: &[Mount]) -> Option<&Mount> {
    let root = PathBuf::from("/");
    mounts.iter().rev().find(|mount| mount.point == root)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The root of a machine or container, with or without propagation from elsewhere.
    fn root_mount(device: u64, propagation: &str) -> String {
        format!("20 1 254:{device} / / rw,relatime {propagation}- ext4 /dev/vda rw\n")
    }

    /// A BPF file system.
    fn bpf(device: u64, propagation: &str, source: &str) -> String {
        format!("50 20 0:{device} / /sys/fs/bpf rw,relatime {propagation}- bpf {source} rw,mode=700\n")
    }

    /// Whether the file system of device 0:29 outlives a process that sees these mounts, on the machine or in a container.
    fn outlives(
        own: &[String],
        first: Option<&[String]>,
        is_container: bool,
        network_of_machine: bool,
    ) -> bool {
        let evidence = Evidence {
            device: (0, 29),
            own: mounts::parse(&own.concat()),
            first: first.map(|first| mounts::parse(&first.concat())),
            is_first_of_machine: !is_container,
            is_network_of_machine: network_of_machine,
        };
        evidence.outlives_process()
    }

    #[test]
    fn on_the_machine_it_does_whoever_mounted_it() {
        for source in ["bpf", "op25b"] {
            for propagation in ["", "shared:9 "] {
                let own = [root_mount(0, propagation), bpf(29, propagation, source)];
                assert!(outlives(&own, Some(&own), false, true));
                // With process 1 hidden.
                assert!(outlives(&own, None, false, true));
            }
        }
    }

    #[test]
    fn in_a_unit_of_systemd_the_machines_does_and_one_of_the_units_own_does_not() {
        let machine = [root_mount(0, "shared:1 "), bpf(29, "shared:9 ", "bpf")];
        let unit = |own: String| [root_mount(0, "shared:40 master:1 "), own];
        let from_machine = unit(bpf(29, "shared:41 master:9 ", "bpf"));
        let of_its_own = unit(bpf(29, "shared:41 ", "op25b"));
        let bare_machine = [root_mount(0, "shared:1 ")];
        for first in [Some(&machine[..]), None] {
            assert!(outlives(&from_machine, first, false, true));
        }
        for first in [Some(&bare_machine[..]), None] {
            assert!(!outlives(&of_its_own, first, false, true));
        }
        // The machine's, mounted so that it has no peers.
        let machine = [root_mount(0, "shared:1 "), bpf(29, "", "bpf")];
        for first in [Some(&machine[..]), None] {
            assert!(outlives(&unit(bpf(29, "", "bpf")), first, false, true));
        }
    }

    #[test]
    fn under_ip_netns_exec_it_does_not_whoever_mounted_it() {
        // The machine's own is not the one: that is hidden by the new /sys.
        let machine = [root_mount(0, "shared:1 "), bpf(28, "shared:9 ", "bpf")];
        for source in ["bpf", "op25b"] {
            let own = [root_mount(0, "master:1 "), bpf(29, "", source)];
            assert!(!outlives(&own, Some(&machine), false, false));
            // Where nothing is shared, without systemd.
            let own = [root_mount(0, ""), bpf(29, "", source)];
            assert!(!outlives(&own, Some(&machine), false, false));
            // The same inside a container that runs an init of its own.
            assert!(!outlives(&own, Some(&machine), true, false));
        }
        // One elsewhere than below /sys is the machine's.
        let machine = [root_mount(0, ""), bpf(29, "", "op25b")];
        assert!(outlives(&machine, Some(&machine), false, false));
    }

    #[test]
    fn in_a_container_the_machines_does_and_one_that_op25b_mounted_there_does_not() {
        let container = |source: &str| [root_mount(7, "master:50 "), bpf(29, "", source)];
        // op25b is process 1; or that is of another container, as in a pod with a shared PID namespace.
        let pause = [root_mount(8, "master:51 ")];
        for first in [None, Some(&pause[..])] {
            for network_of_machine in [true, false] {
                assert!(outlives(&container("bpf"), first, true, network_of_machine));
                assert!(!outlives(&container("op25b"), first, true, network_of_machine));
            }
        }
        // With the machine's PID namespace process 1 knows.
        let machine = [root_mount(0, "shared:1 "), bpf(29, "shared:9 ", "bpf")];
        assert!(outlives(&container("bpf"), Some(&machine), false, true));
        let machine = [root_mount(0, "shared:1 ")];
        assert!(!outlives(&container("bpf"), Some(&machine), false, true));
    }

    #[test]
    fn in_a_container_with_an_init_it_does_as_long_as_the_interfaces_are_the_containers() {
        let own = [root_mount(7, ""), bpf(29, "", "op25b")];
        assert!(outlives(&own, Some(&own), true, false));
        assert!(!outlives(&own, Some(&own), true, true));
        let own = [root_mount(7, ""), bpf(29, "", "bpf")];
        assert!(outlives(&own, Some(&own), true, true));
    }
}
