//! What a filter and its daemon hold open, to detect leaks.

use std::{fs, io, path::Path};

use anyhow::Context as _;

use crate::usage;

/// A program in the kernel lives as long as a descriptor, a pin or a link holds it; so does a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holders {
    /// The daemon's descriptors of programs, maps and links.
    pub(super) bpf_descriptors: usize,
    /// All its descriptors.
    pub(super) descriptors: usize,
    /// Files in the BPF file system.
    pub(super) pins: usize,
    /// The daemon's memory, in KiB.
    pub(super) memory: u64,
}

impl Holders {
    /// As it is now.
    pub(super) fn of(pid: u32, pins: &Path) -> anyhow::Result<Self> {
        let links =
            fs::read_dir(format!("/proc/{pid}/fd")).context("cannot list the daemon's descriptors")?;
        let targets: Vec<_> = links
            .filter_map(|link| fs::read_link(link.ok()?.path()).ok())
            .collect();
        let is_bpf = |target: &&std::path::PathBuf| {
            let target = target.to_string_lossy();
            // An event queue of the kernel's is no BPF object, whatever its name begins with.
            target.starts_with("anon_inode:bpf")
        };
        Ok(Self {
            bpf_descriptors: targets.iter().filter(is_bpf).count(),
            descriptors: targets.len(),
            pins: ["links", "generations"]
                .iter()
                .map(|part| files(&pins.join(part)))
                .sum::<io::Result<usize>>()
                .context("cannot count pins")?,
            memory: usage::memory_kib(pid).context("the daemon has no memory")?,
        })
    }
}

fn files(directory: &Path) -> io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        count += if path.is_dir() { files(&path)? } else { 1 };
    }
    Ok(count)
}

/// Whether a program of this id is loaded.
pub(super) fn is_loaded(id: u32) -> io::Result<bool> {
    /// The part of `union bpf_attr` for `BPF_PROG_GET_FD_BY_ID`.
    #[repr(C)]
    struct ById {
        id: u32,
        next: u32,
        flags: u32,
    }
    const BPF_PROG_GET_FD_BY_ID: libc::c_int = 13;
    let by_id = ById {
        id,
        next: 0,
        flags: 0,
    };
    // SAFETY: the kernel reads as many bytes as the size that is passed.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_GET_FD_BY_ID,
            &raw const by_id,
            size_of::<ById>(),
        )
    };
    if fd >= 0 {
        let fd = i32::try_from(fd).map_err(io::Error::other)?;
        // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
        drop(unsafe { <std::os::fd::OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(fd) });
        return Ok(true);
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        error => Err(error),
    }
}
