//! Waits until every program run that has begun has ended.

use std::{io, thread, time::Duration};

/// Waits until no processor runs an XDP program that began before the call: an RCU grace period, within which every
/// program run ends.
pub(crate) fn wait_for_running_programs() {
    if membarrier().is_err() {
        // Some kernels do not offer it. A program run takes microseconds.
        thread::sleep(Duration::from_millis(50));
    }
}

fn membarrier() -> io::Result<()> {
    const MEMBARRIER_CMD_GLOBAL: libc::c_int = 1;
    // SAFETY: takes no pointers.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
