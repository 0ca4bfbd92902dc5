//! The `bpf` system call, for what the lab and the tests do without op25b's code.

use std::{
    collections::BTreeSet,
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

/// Makes the call; `attributes` begins as `union bpf_attr` does for the command, and what it points to lives as long. The
/// kernel writes results of some commands into it.
///
/// # Errors
///
/// The kernel's answer.
pub fn call<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads and writes at most as many bytes as the size that is passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attributes),
            size_of::<T>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The instructions of a loaded program as the verifier left them, 8 bytes each.
///
/// # Errors
///
/// The kernel's answer, or that it does not show them.
pub fn translated(program: BorrowedFd<'_>) -> io::Result<Vec<[u8; 8]>> {
    // The first call says how long they are.
    let length = info(program, &mut [])?;
    let mut instructions = vec![[0; 8]; length as usize / 8];
    let shown = info(program, &mut instructions)?;
    if instructions.is_empty() || shown != length {
        return Err(io::Error::other(
            "the kernel does not show the program's instructions",
        ));
    }
    Ok(instructions)
}

/// The indexes of a program's instructions that its first one leads to, through calls, too. Before Linux 6.8 the verifier keeps more: global
/// functions that nothing calls.
#[must_use]
pub fn reached(instructions: &[[u8; 8]]) -> BTreeSet<usize> {
    let (mut reached, mut ahead) = (BTreeSet::new(), vec![0]);
    while let Some(index) = ahead.pop() {
        let Some([code, registers, low, high, immediate @ ..]) = instructions.get(index).copied() else {
            continue;
        };
        if !reached.insert(index) {
            continue;
        }
        let near = isize::from(i16::from_ne_bytes([low, high]));
        let (falls_through, distance) = match (code, registers >> 4) {
            // The end, and jumps: with a distance of 16 bits and of 32.
            (0x95, _) => (false, None),
            (0x05, _) => (false, Some(near)),
            (0x06, _) => (false, isize::try_from(i32::from_ne_bytes(immediate)).ok()),
            // A call of a function of the program's own (`BPF_PSEUDO_CALL`), and one of the kernel's.
            (0x85, 1) => (true, Some(near)),
            (0x85, _) => (true, None),
            // The classes of conditional jumps; all else.
            _ if matches!(code & 0x07, 0x05 | 0x06) => (true, Some(near)),
            _ => (true, None),
        };
        ahead.extend(falls_through.then_some(index + 1));
        ahead.extend(distance.and_then(|distance| (index + 1).checked_add_signed(distance)));
    }
    reached
}

/// Has the kernel write instructions, and returns the length of all of them in bytes (`struct bpf_prog_info`).
fn info(program: BorrowedFd<'_>, instructions: &mut [[u8; 8]]) -> io::Result<u32> {
    /// The first fields; the kernel takes a shorter structure than its own.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        kind: u32,
        id: u32,
        tag: [u8; 8],
        jited_length: u32,
        translated_length: u32,
        jited: u64,
        translated: u64,
    }
    /// What `BPF_OBJ_GET_INFO_BY_FD` takes.
    #[repr(C)]
    struct InfoByFd {
        fd: u32,
        length: u32,
        info: u64,
    }
    const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
    let length = |bytes: usize| u32::try_from(bytes).map_err(io::Error::other);
    let mut info = Info {
        translated_length: length(size_of_val(instructions))?,
        translated: instructions.as_mut_ptr() as u64,
        ..Info::default()
    };
    let mut by_fd = InfoByFd {
        fd: program.as_raw_fd().cast_unsigned(),
        length: length(size_of::<Info>())?,
        info: (&raw mut info) as u64,
    };
    call(BPF_OBJ_GET_INFO_BY_FD, &mut by_fd)?;
    Ok(info.translated_length)
}
