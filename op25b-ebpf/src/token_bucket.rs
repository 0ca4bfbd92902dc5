//! A token bucket of one CPU, kept as the time at which it would be full again.

/// Takes one token, if there is one.
///
/// `interval` is what a token takes of the bucket, `depth` how deep it is, and `now` the time of the boot-time clock, all in
/// nanoseconds.
///
/// # Safety
///
/// `full_at` points to a slot of this CPU's in a map.
#[inline(always)]
pub unsafe fn take(full_at: *mut u64, now: u64, interval: u64, depth: u64) -> bool {
    // SAFETY: the slot belongs to this CPU and XDP does not interrupt itself.
    unsafe {
        let next = (*full_at).max(now) + interval;
        let may = next - now <= depth;
        if may {
            *full_at = next;
        }
        may
    }
}
