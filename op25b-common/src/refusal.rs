//! What the program that keeps the kernel's message about a refused XDP link shares with user space.

/// The tracepoint that it is attached to (Linux 6.6).
pub const TRACEPOINT: &str = "bpf_xdp_link_attach_failed";
/// The program.
pub const PROGRAM: &str = "op25b_refusal";
/// An array of one [`Message`].
pub const MESSAGE: &str = "MESSAGE";
/// Global u64: the device of the listening process's pid namespace.
pub const PIDNS_DEVICE: &str = "PIDNS_DEVICE";
/// Global u64: the inode of that namespace.
pub const PIDNS_INODE: &str = "PIDNS_INODE";
/// Global u32: the id of the listening thread there.
pub const THREAD: &str = "THREAD";

/// The text, up to the first zero byte.
pub type Message = [u8; 256];
