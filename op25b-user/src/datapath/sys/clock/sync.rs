//! Asks whether the kernel's clock is held in step with another one (`adjtimex(2)`), and whether the machine keeps time while it
//! is off.

use std::{fs, io, mem::MaybeUninit, path::Path};

/// Whether a program such as chronyd holds the clock in step: the kernel says so until it has heard nothing for hours.
pub(crate) fn is_synchronized() -> io::Result<bool> {
    let mut state = MaybeUninit::<libc::timex>::zeroed();
    // SAFETY: all of it is integers, and modes of 0 change nothing: the kernel only writes to it.
    let result = unsafe { libc::adjtimex(state.as_mut_ptr()) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroed, and written by the kernel.
    let state = unsafe { state.assume_init() };
    Ok(state.status & libc::STA_UNSYNC == 0)
}

/// Whether there is a clock that goes on while the machine is off; none if this process sees no devices.
pub(crate) fn has_hardware_clock() -> Option<bool> {
    hardware_clock_below(Path::new("/sys/class"))
}

fn hardware_clock_below(classes: &Path) -> Option<bool> {
    fs::read_dir(classes).ok()?.next()?.ok()?;
    let clocks = fs::read_dir(classes.join("rtc"));
    Some(clocks.is_ok_and(|mut clocks| clocks.next().is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hardware_clock_is_one_that_sysfs_lists() {
        let folder = tempfile::TempDir::new().unwrap();
        assert_eq!(hardware_clock_below(&folder.path().join("hidden")), None);
        fs::create_dir(folder.path().join("net")).unwrap();
        assert_eq!(hardware_clock_below(folder.path()), Some(false));
        fs::create_dir(folder.path().join("rtc")).unwrap();
        assert_eq!(hardware_clock_below(folder.path()), Some(false));
        fs::create_dir(folder.path().join("rtc/rtc0")).unwrap();
        assert_eq!(hardware_clock_below(folder.path()), Some(true));
    }

    #[test]
    fn the_kernel_tells_whether_its_clock_is_held_in_step() {
        is_synchronized().unwrap();
    }
}
