//! What running a filter takes, beyond building it: privileges and kernel features.

use std::{fs, path::Path, thread};

use nix::sched::{CloneFlags, unshare};

use crate::toolchain;

/// The capabilities that op25b and the lab need, with their numbers (`linux/capability.h`).
const CAPABILITIES: [(&str, u32); 4] = [
    ("CAP_NET_ADMIN", 12),
    ("CAP_SYS_ADMIN", 21),
    ("CAP_PERFMON", 38),
    ("CAP_BPF", 39),
];

/// Whether this process is root's.
#[must_use]
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// What this process lacks, a line each; empty if it can run the lab.
#[must_use]
pub fn lacks() -> Vec<String> {
    let missing = missing_capabilities();
    if !missing.is_empty() {
        // The rest would fail for this reason alone.
        return vec![format!(
            "root (or {}): this process has no {}",
            all_capabilities(),
            missing.join(", ")
        )];
    }
    let mut lacks = Vec::new();
    if let Err(error) = bpf_works() {
        lacks.push(format!(
            "BPF: the bpf system call fails ({error}); is this a container without it?"
        ));
    }
    if let Err(error) = namespaces_work() {
        lacks.push(format!("network namespaces: one cannot be made ({error})"));
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        lacks.push(
            "BTF: there is no /sys/kernel/btf/vmlinux; the kernel needs CONFIG_DEBUG_INFO_BTF=y".into(),
        );
    }
    lacks
}

/// Prints what is lacking for the demo and the tests; true if nothing is.
#[must_use]
pub fn report() -> bool {
    let lacks = lacks();
    let sudo = toolchain::on_path("sudo").is_some();
    match lacks.as_slice() {
        [] => println!("kernel      BPF, BTF and network namespaces"),
        _ if sudo && !is_root() => {
            println!("kernel      to be seen as root: demo and tests use sudo for that part");
            return true;
        }
        lacks => lacks
            .iter()
            .for_each(|lack| println!("kernel      missing: {lack}")),
    }
    lacks.is_empty()
}

fn all_capabilities() -> String {
    CAPABILITIES.map(|(name, _)| name).join(", ")
}

fn missing_capabilities() -> Vec<&'static str> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default();
    CAPABILITIES
        .iter()
        .filter(|(_, bit)| effective & (1 << bit) == 0)
        .map(|(name, _)| *name)
        .collect()
}

/// Makes the smallest map there is.
fn bpf_works() -> std::io::Result<()> {
    /// The head of `union bpf_attr` for `BPF_MAP_CREATE`.
    #[repr(C)]
    struct MapCreate {
        kind: u32,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
    }
    const BPF_MAP_CREATE: libc::c_int = 0;
    const BPF_MAP_TYPE_ARRAY: u32 = 2;
    let attributes = MapCreate {
        kind: BPF_MAP_TYPE_ARRAY,
        key_size: 4,
        value_size: 4,
        max_entries: 1,
    };
    // SAFETY: the kernel reads as many bytes as the size that is passed.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_MAP_CREATE,
            &raw const attributes,
            size_of::<MapCreate>(),
        )
    };
    let Ok(fd) = i32::try_from(fd) else {
        return Err(std::io::ErrorKind::InvalidData.into());
    };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
    drop(unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
    Ok(())
}

/// Makes a namespace in a thread that ends with it.
fn namespaces_work() -> Result<(), String> {
    thread::spawn(|| unshare(CloneFlags::CLONE_NEWNET).map_err(|error| error.desc().to_owned()))
        .join()
        .unwrap_or_else(|_| Err("the thread panicked".into()))
}
