//! An XDP program that is not op25b's: two instructions, loaded and attached without op25b's code.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use anyhow::Context as _;
use nix::{net::if_::if_nametoindex, sys::signal::Signal};

use crate::{bpf::call, filter::Filter, lab::NetNs};

/// Its name in the kernel.
pub const NAME: &str = "someone_elses";

/// A program that passes everything, on one interface; dropping it detaches it.
#[derive(Debug)]
pub struct ForeignProgram {
    link: OwnedFd,
}

impl Drop for ForeignProgram {
    fn drop(&mut self) {
        // At once: a process that another thread is starting may hold a copy of the link for a moment. An error means that the
        // interface is gone.
        let _ = end(&self.link);
    }
}

/// The head of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
}

/// The head of `union bpf_attr` for `BPF_LINK_CREATE`.
#[repr(C)]
struct LinkCreate {
    program: u32,
    interface: u32,
    attach_type: u32,
    flags: u32,
}

/// The head of `union bpf_attr` for `BPF_OBJ_GET`.
#[repr(C)]
struct ObjectGet {
    path: u64,
    fd: u32,
    flags: u32,
}

/// The head of `union bpf_attr` for `BPF_LINK_UPDATE`.
#[repr(C)]
struct LinkUpdate {
    link: u32,
    program: u32,
    flags: u32,
    old: u32,
}

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_LINK_UPDATE: libc::c_int = 29;
const BPF_LINK_DETACH: libc::c_int = 34;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_XDP: u32 = 37;
const INSTRUCTION_COUNT: u32 = 2;
/// `r0 = XDP_PASS; exit`
const INSTRUCTIONS: [u64; INSTRUCTION_COUNT as usize] = [0x0000_0002_0000_00b7, 0x0000_0000_0000_0095];

impl ForeignProgram {
    /// Loads one and attaches it, in the driver or in the network stack. The inner result is the kernel's, which refuses it
    /// where another program runs.
    pub fn attach(namespace: &NetNs, interface: &str, native: bool) -> anyhow::Result<io::Result<Self>> {
        let interface = interface.to_owned();
        namespace.run(move || {
            let index = if_nametoindex(interface.as_str())
                .with_context(|| format!("there is no interface {interface}"))?;
            let program = load().context("cannot load a program")?;
            Ok(attach(&program, index, native).map(|link| Self { link }))
        })
    }

    /// Attaches one natively where a filter runs, quicker than its daemon could put the filter back.
    pub fn instead_of(filter: &Filter, router: &NetNs, interface: &str) -> anyhow::Result<Self> {
        let [(_, pins), ..] = router.places();
        filter.signal(Signal::SIGSTOP)?;
        detach(&pins.join("links").join(interface))?;
        let foreign = Self::attach(router, interface, true)?;
        filter.signal(Signal::SIGCONT)?;
        Ok(foreign?)
    }
}

/// Ends the link that is pinned at a path, as `bpftool link detach` does.
pub fn detach(pin: &Path) -> io::Result<()> {
    end(&open(pin)?)
}

fn end(link: &OwnedFd) -> io::Result<()> {
    let mut number = link.as_raw_fd().cast_unsigned();
    call(BPF_LINK_DETACH, &mut number).map(drop)
}

/// Puts a foreign program on the link that is pinned at a path.
pub fn replace(pin: &Path) -> io::Result<()> {
    let link = open(pin)?;
    let program = load()?;
    let mut update = LinkUpdate {
        link: link.as_raw_fd().cast_unsigned(),
        program: program.as_raw_fd().cast_unsigned(),
        flags: 0,
        old: 0,
    };
    call(BPF_LINK_UPDATE, &mut update).map(drop)
}

fn open(pin: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(pin.as_os_str().as_bytes())?;
    let mut get = ObjectGet {
        path: path.as_ptr() as u64,
        fd: 0,
        flags: 0,
    };
    bpf(BPF_OBJ_GET, &mut get)
}

fn load() -> io::Result<OwnedFd> {
    let mut load = ProgLoad {
        kind: BPF_PROG_TYPE_XDP,
        instruction_count: INSTRUCTION_COUNT,
        instructions: INSTRUCTIONS.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        attach_type: BPF_XDP,
        ..ProgLoad::default()
    };
    load.name[..NAME.len()].copy_from_slice(NAME.as_bytes());
    bpf(BPF_PROG_LOAD, &mut load)
}

fn attach(program: &OwnedFd, interface: u32, native: bool) -> io::Result<OwnedFd> {
    const XDP_FLAGS_SKB_MODE: u32 = 1 << 1;
    const XDP_FLAGS_DRV_MODE: u32 = 1 << 2;
    let mut create = LinkCreate {
        program: program.as_raw_fd().cast_unsigned(),
        interface,
        attach_type: BPF_XDP,
        flags: if native {
            XDP_FLAGS_DRV_MODE
        } else {
            XDP_FLAGS_SKB_MODE
        },
    };
    bpf(BPF_LINK_CREATE, &mut create)
}

/// A BPF system call that makes a descriptor.
fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<OwnedFd> {
    let fd = i32::try_from(call(command, attributes)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
