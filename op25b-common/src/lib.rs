//! The contract between op25b's XDP program and its user space.
//!
//! Everything that crosses the kernel boundary is defined here once: the reasons of the verdict table ([`Reason`]), the
//! kinds of tunnels ([`Tunnel`]) and of actions ([`Action`]), the prefix tables ([`TableRoot`]) and their layout ([`lpm`]),
//! the keys and values of the policy maps ([`keys`], [`values`]), framing that a policy adds ([`framing`]), what is counted of
//! packets ([`counters`]) and of frames that are not IP ([`not_ip`]), the event of a packet ([`event`]), the names under which user space finds maps and
//! load-time globals ([`names`]), and what a second, small program shares with it ([`refusal`]). Layouts are asserted at
//! compile time, because the two sides are built by different compilers.
#![no_std]

mod action;
pub mod counters;
pub mod event;
pub mod framing;
pub mod keys;
pub mod lpm;
pub mod names;
pub mod not_ip;
mod reason;
pub mod refusal;
mod table_root;
mod tunnel;
pub mod values;

pub use action::Action;
pub use reason::{Reason, Verdict};
pub use table_root::TableRoot;
pub use tunnel::Tunnel;

/// The version of what stays in the kernel between two programs: the maps that the next one goes on with, and how they are
/// described. It changes when a slot or a key comes to mean something else, also where no shape does.
pub const LAYOUT_VERSION: u32 = if cfg!(feature = "other-layout") { 2 } else { 1 };

/// The version of a subscriber's record. It changes when a field of [`values::Subscriber`], or a bit of its sketch, comes to
/// mean something else, or a record is found in another way: apart from [`LAYOUT_VERSION`], as another way to count by reason is no cause
/// to forget subscribers.
pub const RECORD_VERSION: u32 = 4;

/// How many ports a policy can block.
///
/// The program compares against each in turn, on every TCP packet, so the number is small on purpose.
pub const MAX_BLOCKED_PORTS: usize = 8;
