//! BPF maps, and the bpf(2) commands on pins and XDP links for which aya has no public call.
//!
//! aya's own links neither report their interface nor take the program that an update is meant to replace, and cannot
//! be detached while they are pinned. The layouts are those of `linux/bpf.h`, as aya-obj generates them.

pub(crate) mod map;
pub(crate) mod mapping;
pub(crate) mod membarrier;
pub(crate) mod possible_cpus;

use std::{
    ffi::CString,
    fs, io, mem,
    os::{
        fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
    ptr,
};

use aya::Pod;
use aya_obj::generated::{
    BPF_ALU64, BPF_EXIT, BPF_F_REPLACE, BPF_JMP, BPF_K, BPF_MOV, bpf_attach_type::BPF_XDP, bpf_attr, bpf_cmd,
    bpf_insn, bpf_link_info, bpf_link_type::BPF_LINK_TYPE_XDP, bpf_map_type,
    bpf_map_type::BPF_MAP_TYPE_ARRAY, bpf_prog_info, bpf_prog_type::BPF_PROG_TYPE_XDP,
};

/// The state of an XDP link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct XdpLinkInfo {
    /// The link's own id, by which two pins of one link are recognized.
    pub(crate) id: u32,
    /// The program that runs.
    pub(crate) program_id: u32,
    /// The interface's index in its own network namespace, which may be another one than this process's; none once the
    /// interface is gone or the link was detached.
    pub(crate) interface: Option<u32>,
}

/// Whether this kernel has bpf(2).
pub(crate) fn is_available() -> bool {
    // An impossible command: EINVAL or EPERM from a kernel that has the system call, ENOSYS from one that does not.
    // SAFETY: a null attribute of size 0 is never read.
    let result = unsafe { libc::syscall(libc::SYS_bpf, u32::MAX, ptr::null::<u8>(), 0) };
    result != -1 || io::Error::last_os_error().raw_os_error() != Some(libc::ENOSYS)
}

/// Loads an XDP program that passes everything, with these flags, which older kernels may not know (EINVAL).
pub(crate) fn load_trivial_xdp(flags: u32) -> io::Result<OwnedFd> {
    const XDP_PASS: i32 = 2;
    let mut instructions = [zeroed::<bpf_insn>(); 2];
    instructions[0].code = instruction(BPF_ALU64 | BPF_MOV | BPF_K)?;
    instructions[0].imm = XDP_PASS;
    instructions[1].code = instruction(BPF_JMP | BPF_EXIT)?;
    let mut attributes = zeroed::<bpf_attr>();
    // Not one that is assigned as a whole, which may leave other bytes than zeros between its members.
    attributes.__bindgen_anon_3.prog_type = BPF_PROG_TYPE_XDP as u32;
    attributes.__bindgen_anon_3.insns = instructions.as_ptr() as u64;
    attributes.__bindgen_anon_3.insn_cnt = u32::try_from(instructions.len()).map_err(io::Error::other)?;
    attributes.__bindgen_anon_3.license = c"Dual MIT/GPL".as_ptr() as u64;
    attributes.__bindgen_anon_3.prog_flags = flags;
    descriptor(call(bpf_cmd::BPF_PROG_LOAD, &attributes)?)
}

fn instruction(code: u32) -> io::Result<u8> {
    u8::try_from(code).map_err(io::Error::other)
}

/// Creates a small map with these flags, which older kernels may not know (EINVAL).
pub(crate) fn create_trivial_map(kind: bpf_map_type, flags: u32) -> io::Result<OwnedFd> {
    let mut attributes = zeroed::<bpf_attr>();
    attributes.__bindgen_anon_1.map_type = kind as u32;
    attributes.__bindgen_anon_1.key_size = 4;
    attributes.__bindgen_anon_1.value_size = 4;
    attributes.__bindgen_anon_1.max_entries = 1;
    attributes.__bindgen_anon_1.map_flags = flags;
    descriptor(call(bpf_cmd::BPF_MAP_CREATE, &attributes)?)
}

/// Whether this kernel detaches links, as it does since it has links of XDP (Linux 5.9).
pub(crate) fn has_link_detach() -> io::Result<bool> {
    let mut attributes = zeroed::<bpf_attr>();
    // No descriptor has this number.
    attributes.link_detach.link_fd = u32::MAX;
    match call(bpf_cmd::BPF_LINK_DETACH, &attributes) {
        Err(error) => match error.raw_os_error() {
            Some(libc::EBADF) => Ok(true),
            Some(libc::EINVAL) => Ok(false),
            _ => Err(error),
        },
        Ok(_) => Err(io::Error::other("the kernel detached a link that there is not")),
    }
}

/// Creates a map of numbered entries that no program uses. The name has at most 15 bytes.
pub(crate) fn create_array(name: &str, value_size: u32, entries: u32) -> io::Result<OwnedFd> {
    let mut attributes = zeroed::<bpf_attr>();
    attributes.__bindgen_anon_1.map_type = BPF_MAP_TYPE_ARRAY as u32;
    attributes.__bindgen_anon_1.key_size = 4;
    attributes.__bindgen_anon_1.value_size = value_size;
    attributes.__bindgen_anon_1.max_entries = entries;
    let mut buffer = [0; 16];
    for (to, from) in buffer.iter_mut().zip(name.bytes()).take(15) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    attributes.__bindgen_anon_1.map_name = buffer;
    descriptor(call(bpf_cmd::BPF_MAP_CREATE, &attributes)?)
}

/// The value of the only entry of an array map, such as those that a program's constants are in.
pub(crate) fn only_value(map: BorrowedFd<'_>, size: u32) -> io::Result<Vec<u8>> {
    let key = 0_u32;
    let mut value = vec![0_u8; size as usize];
    let mut attributes = zeroed::<bpf_attr>();
    attributes.__bindgen_anon_2.map_fd = number(map);
    attributes.__bindgen_anon_2.key = ptr::from_ref(&key) as u64;
    // The kernel writes to `value` during the call, through this pointer: as many bytes as the map's values have.
    attributes.__bindgen_anon_2.__bindgen_anon_1.value = value.as_mut_ptr() as u64;
    call(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &attributes)?;
    Ok(value)
}

/// Reads as many entries of a hash map as there is room for, from a place in it that an earlier call has returned, or from its
/// beginning. Returns how many there were, and where the next ones begin; `None` at the end.
pub(crate) fn lookup_batch<K: Pod, V: Pod>(
    map: BorrowedFd<'_>,
    from: Option<u32>,
    keys: &mut [K],
    values: &mut [V],
) -> io::Result<(usize, Option<u32>)> {
    let (from, mut next) = (from.map(Box::new), Box::new(0_u32));
    let mut attributes = zeroed::<bpf_attr>();
    attributes.batch.map_fd = number(map);
    attributes.batch.in_batch = from.as_deref().map_or(0, |from| ptr::from_ref(from) as u64);
    // The kernel writes to these during the call, through these pointers.
    attributes.batch.out_batch = ptr::from_mut(&mut *next) as u64;
    attributes.batch.keys = keys.as_mut_ptr() as u64;
    attributes.batch.values = values.as_mut_ptr() as u64;
    attributes.batch.count = u32::try_from(keys.len().min(values.len())).map_err(io::Error::other)?;
    let is_end = match call_and_note(bpf_cmd::BPF_MAP_LOOKUP_BATCH, &mut attributes) {
        Ok(_) => false,
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
        Err(error) => return Err(error),
    };
    // SAFETY: the member that the kernel has written.
    let count = unsafe { attributes.batch.count };
    Ok((count as usize, (!is_end).then_some(*next)))
}

/// Opens what is pinned at `path`.
pub(crate) fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = zeroed::<bpf_attr>();
    attributes.__bindgen_anon_4.pathname = path.as_ptr() as u64;
    descriptor(call(bpf_cmd::BPF_OBJ_GET, &attributes)?)
}

/// Pins an object at `path`.
pub(crate) fn pin(fd: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = zeroed::<bpf_attr>();
    attributes.__bindgen_anon_4.pathname = path.as_ptr() as u64;
    attributes.__bindgen_anon_4.bpf_fd = number(fd);
    call(bpf_cmd::BPF_OBJ_PIN, &attributes).map(drop)
}

/// Attaches a program to the interface of this index.
pub(crate) fn create_xdp_link(program: BorrowedFd<'_>, interface: u32, flags: u32) -> io::Result<OwnedFd> {
    let mut attributes = zeroed::<bpf_attr>();
    attributes.link_create.__bindgen_anon_1.prog_fd = number(program);
    attributes.link_create.__bindgen_anon_2.target_ifindex = interface;
    attributes.link_create.attach_type = BPF_XDP as u32;
    attributes.link_create.flags = flags;
    descriptor(call(bpf_cmd::BPF_LINK_CREATE, &attributes)?)
}

/// Replaces the program of a link between two packets. If `old` is given and another program runs, nothing is changed.
pub(crate) fn update_link(
    link: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    old: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let mut attributes = zeroed::<bpf_attr>();
    attributes.link_update.link_fd = number(link);
    attributes.link_update.__bindgen_anon_1.new_prog_fd = number(program);
    if let Some(old) = old {
        attributes.link_update.flags = BPF_F_REPLACE;
        attributes.link_update.__bindgen_anon_2.old_prog_fd = number(old);
    }
    call(bpf_cmd::BPF_LINK_UPDATE, &attributes).map(drop)
}

/// Ends a link, whichever other process has it open or pinned.
pub(crate) fn detach_link(link: BorrowedFd<'_>) -> io::Result<()> {
    let mut attributes = zeroed::<bpf_attr>();
    attributes.link_detach.link_fd = number(link);
    call(bpf_cmd::BPF_LINK_DETACH, &attributes).map(drop)
}

/// Whether a BPF object is a link, as opposed to a map or a program (`bpf_link_show_fdinfo`, since Linux 5.8).
pub(crate) fn is_link(object: BorrowedFd<'_>) -> io::Result<bool> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", object.as_raw_fd()))?;
    Ok(info.lines().any(|line| line.starts_with("link_type:")))
}

/// The state of a link; `None` if it is not one of XDP.
pub(crate) fn xdp_link_info(link: BorrowedFd<'_>) -> io::Result<Option<XdpLinkInfo>> {
    let info: bpf_link_info = info(link)?;
    if info.type_ != BPF_LINK_TYPE_XDP as u32 {
        return Ok(None);
    }
    // SAFETY: by the type, this member of the union is the one that the kernel has written.
    let interface = unsafe { info.__bindgen_anon_1.xdp.ifindex };
    Ok(Some(XdpLinkInfo {
        id: info.id,
        program_id: info.prog_id,
        interface: (interface != 0).then_some(interface),
    }))
}

/// A program's id.
pub(crate) fn program_id(program: BorrowedFd<'_>) -> io::Result<u32> {
    info::<bpf_prog_info>(program).map(|info| info.id)
}

/// Whether a program was compiled to the machine's instructions, or is interpreted.
pub(crate) fn is_compiled(program: BorrowedFd<'_>) -> io::Result<bool> {
    info::<bpf_prog_info>(program).map(|info| info.jited_prog_len != 0)
}

fn info<T: Plain>(fd: BorrowedFd<'_>) -> io::Result<T> {
    let mut info = zeroed::<T>();
    let mut attributes = zeroed::<bpf_attr>();
    attributes.info.bpf_fd = number(fd);
    attributes.info.info_len = u32::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // The kernel writes to `info` during the call, through this pointer.
    attributes.info.info = (&raw mut info) as u64;
    call(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &attributes)?;
    Ok(info)
}

/// A layout of `linux/bpf.h`: integers, and unions and arrays of them.
///
/// # Safety
///
/// Any bytes are a value of it.
unsafe trait Plain {}

// SAFETY: generated from `linux/bpf.h`; all members are integers, or unions and structures of integers.
unsafe impl Plain for bpf_attr {}
// SAFETY: as above.
unsafe impl Plain for bpf_link_info {}
// SAFETY: as above.
unsafe impl Plain for bpf_prog_info {}
// SAFETY: as above.
unsafe impl Plain for bpf_insn {}

/// All bytes zero, also those between and after the members that are set: the kernel refuses others (E2BIG, EINVAL).
fn zeroed<T: Plain>() -> T {
    // SAFETY: any bytes are a value of a plain layout.
    unsafe { mem::zeroed() }
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

fn call(command: bpf_cmd, attributes: &bpf_attr) -> io::Result<libc::c_long> {
    call_and_note(command, &mut attributes.clone())
}

/// The same with attributes that the kernel writes to.
fn call_and_note(command: bpf_cmd, attributes: &mut bpf_attr) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads and writes as many bytes as the union has; what it points to, the caller keeps alive and, where
    // the kernel writes there, leaves alone until this returns.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as u32,
            ptr::from_mut(attributes),
            size_of::<bpf_attr>(),
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
    // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
