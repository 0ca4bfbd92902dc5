//! One heap for all threads.

/// Makes all threads allocate from one heap. Otherwise each thread that has read a large policy keeps that memory, and reloads,
/// which different threads do, take several times as much.
pub(crate) fn share_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a parameter of the allocator, before there are other threads.
    let is_set = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) } == 1;
    #[cfg(target_env = "gnu")]
    if !is_set {
        tracing::warn!("cannot limit malloc to one arena: reloads may take more memory");
    }
}
