//! Keeps the kernel's message when it refuses to attach an XDP program by a link: bpf(2) returns a number, and the text that
//! netlink would return goes to the tracepoint `xdp:bpf_xdp_link_attach_failed` alone (Linux 6.6).
//!
//! Loaded when a program is attached for the first time, or before that, and kept.
#![no_std]
#![no_main]
#![allow(
    missing_docs,
    clippy::needless_pass_by_value,
    reason = "the raw_tracepoint macro makes a public function with a context of its own, without the documentation above it"
)]

use core::mem::MaybeUninit;

use aya_ebpf::{
    Global,
    bindings::bpf_pidns_info,
    btf_maps::Array,
    helpers::{bpf_get_ns_current_pid_tgid, bpf_probe_read_kernel_str_bytes},
    macros::{btf_map, raw_tracepoint},
    programs::RawTracePointContext,
};
use op25b_common::refusal::Message;

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier proves that this is never reached.
    loop {}
}

#[btf_map]
static MESSAGE: Array<Message, 1> = Array::new();

#[unsafe(no_mangle)]
static PIDNS_DEVICE: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static PIDNS_INODE: Global<u64> = Global::new(0);
#[unsafe(no_mangle)]
static THREAD: Global<u32> = Global::new(0);

/// Keeps the message of a refusal that the listening thread meets; another process may attach something at the same time.
#[raw_tracepoint(tracepoint = "bpf_xdp_link_attach_failed")]
pub fn op25b_refusal(ctx: RawTracePointContext) -> i32 {
    if is_listening_thread()
        && let Some(message) = MESSAGE.get_ptr_mut(0)
    {
        // SAFETY: the map has one value, and only the listening thread gets here.
        let message = unsafe { &mut *message };
        // Without a message the pointer is null, and the helper fails.
        // SAFETY: the helper reads any address, and at most as many bytes as the buffer has.
        let _ = unsafe { bpf_probe_read_kernel_str_bytes(ctx.arg(0), message) };
    }
    0
}

/// Whether the thread that runs is the one that attaches, by its id in its own pid namespace.
fn is_listening_thread() -> bool {
    /// The length of `bpf_pidns_info`.
    const LENGTH: u32 = 8;
    const _: () = assert!(size_of::<bpf_pidns_info>() == LENGTH as usize);
    let mut ids = MaybeUninit::<bpf_pidns_info>::uninit();
    // SAFETY: the buffer is as long as its type.
    let result = unsafe {
        bpf_get_ns_current_pid_tgid(PIDNS_DEVICE.load(), PIDNS_INODE.load(), ids.as_mut_ptr(), LENGTH)
    };
    // SAFETY: the kernel has written all of it. What it calls a pid is a thread's id.
    result == 0 && unsafe { ids.assume_init() }.pid == THREAD.load()
}
