//! The system calls on pins and XDP links for which aya has no public call.
//!
//! aya's own links know neither their interface nor which program an update is meant to replace, and cannot be detached
//! while they are pinned.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

// Numbers of `linux/bpf.h`.
const BPF_OBJ_PIN: libc::c_int = 6;
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_LINK_UPDATE: libc::c_int = 29;
const BPF_LINK_DETACH: libc::c_int = 34;
const BPF_F_REPLACE: u32 = 1 << 2;
const BPF_XDP: u32 = 37;
const BPF_LINK_TYPE_XDP: u32 = 6;

/// The parts of `union bpf_attr` for `BPF_OBJ_PIN` and `BPF_OBJ_GET`.
#[repr(C)]
struct Object {
    path: u64,
    fd: u32,
    flags: u32,
}

/// For `BPF_LINK_CREATE`.
#[repr(C)]
struct LinkCreate {
    program: u32,
    interface: u32,
    attach_type: u32,
    flags: u32,
}

/// For `BPF_LINK_UPDATE`.
#[repr(C)]
struct LinkUpdate {
    link: u32,
    new_program: u32,
    flags: u32,
    old_program: u32,
}

/// For `BPF_LINK_DETACH`.
#[repr(C)]
struct LinkDetach {
    link: u32,
}

/// For `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct GetInfo {
    fd: u32,
    length: u32,
    info: u64,
}

/// The head of `struct bpf_link_info`, up to what it says of an XDP link.
#[repr(C)]
#[derive(Default)]
struct LinkInfo {
    kind: u32,
    id: u32,
    program: u32,
    _padding: u32,
    interface: u32,
    _end: u32,
}

/// The head of `struct bpf_prog_info`.
#[repr(C)]
#[derive(Default)]
struct ProgramInfo {
    kind: u32,
    id: u32,
}

/// What the kernel says of an XDP link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct XdpLinkInfo {
    /// The program that runs.
    pub(crate) program_id: u32,
    /// The interface's index; none once it is gone or the link was detached.
    pub(crate) interface: Option<u32>,
}

/// Opens what is pinned at `path`.
pub(crate) fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let object = Object {
        path: path.as_ptr() as u64,
        fd: 0,
        flags: 0,
    };
    descriptor(call(BPF_OBJ_GET, &object)?)
}

/// Pins an object at `path`.
pub(crate) fn pin(fd: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let object = Object {
        path: path.as_ptr() as u64,
        fd: number(fd),
        flags: 0,
    };
    call(BPF_OBJ_PIN, &object).map(drop)
}

/// Attaches a program to the interface of this index.
pub(crate) fn create_xdp_link(program: BorrowedFd<'_>, interface: u32, flags: u32) -> io::Result<OwnedFd> {
    let create = LinkCreate {
        program: number(program),
        interface,
        attach_type: BPF_XDP,
        flags,
    };
    descriptor(call(BPF_LINK_CREATE, &create)?)
}

/// Puts a program in the place of another, between one packet and the next. If `old` is given and is not what runs there,
/// nothing happens.
pub(crate) fn update_link(
    link: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    old: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let update = LinkUpdate {
        link: number(link),
        new_program: number(program),
        flags: if old.is_some() { BPF_F_REPLACE } else { 0 },
        old_program: old.map_or(0, number),
    };
    call(BPF_LINK_UPDATE, &update).map(drop)
}

/// Ends a link, whoever else has it open or pinned.
pub(crate) fn detach_link(link: BorrowedFd<'_>) -> io::Result<()> {
    call(BPF_LINK_DETACH, &LinkDetach { link: number(link) }).map(drop)
}

/// What the kernel says of a link; `None` if it is not one of XDP.
pub(crate) fn xdp_link_info(link: BorrowedFd<'_>) -> io::Result<Option<XdpLinkInfo>> {
    let info: LinkInfo = info(link)?;
    Ok((info.kind == BPF_LINK_TYPE_XDP).then_some(XdpLinkInfo {
        program_id: info.program,
        interface: (info.interface != 0).then_some(info.interface),
    }))
}

/// A program's id.
pub(crate) fn program_id(program: BorrowedFd<'_>) -> io::Result<u32> {
    info::<ProgramInfo>(program).map(|info| info.id)
}

fn info<T: Default>(fd: BorrowedFd<'_>) -> io::Result<T> {
    let mut info = T::default();
    let get = GetInfo {
        fd: number(fd),
        length: u32::try_from(size_of::<T>()).map_err(io::Error::other)?,
        info: (&raw mut info) as u64,
    };
    // The kernel writes to `info` behind the compiler's back, through the pointer made above.
    call(BPF_OBJ_GET_INFO_BY_FD, &get)?;
    Ok(info)
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

fn call<T>(command: libc::c_int, attributes: &T) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads as many bytes as it is told the structure has; what the structure points to, its maker
    // keeps alive and, where the kernel writes there, leaves alone until this returns.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            size_of::<T>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn descriptor(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = i32::try_from(result).map_err(io::Error::other)?;
    // SAFETY: the kernel has just handed out this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
