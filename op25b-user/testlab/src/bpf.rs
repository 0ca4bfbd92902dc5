//! The `bpf` system call, for what the lab and the tests do without op25b's code.

use std::io;

/// Makes the call; `attributes` begins as `union bpf_attr` does for the command, and what it points to lives as long.
///
/// # Errors
///
/// The kernel's answer.
pub fn call<T>(command: libc::c_int, attributes: &T) -> io::Result<libc::c_long> {
    // SAFETY: the kernel reads as many bytes as the size that is passed.
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
