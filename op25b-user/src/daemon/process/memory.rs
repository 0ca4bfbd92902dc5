//! One heap for all threads.

/// Has all threads take memory from one heap. Else each would keep what a large policy took when that thread read it, and
/// reloads, which are done by one thread now and by another then, would take several times as much.
pub(crate) fn share_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a number of the allocator's; it is called before there are other threads.
    let is_set = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) } == 1;
    #[cfg(target_env = "gnu")]
    if !is_set {
        tracing::warn!("threads do not share their memory: reloads may take more of it");
    }
}
