//! What op25b's XDP program and its user space both say.
//!
//! Everything that crosses the kernel boundary is defined here once: the reasons of the verdict table
//! ([`Reason`]), the keys and values of the policy maps ([`keys`], [`values`]) and the names under which user
//! space finds maps and load-time globals ([`names`]). Layouts are asserted at compile time, because both
//! sides are built by different compilers.
#![no_std]

pub mod keys;
pub mod names;
mod reason;
pub mod values;

pub use reason::{Reason, Verdict};

/// How many ports a policy can block.
///
/// The program compares against each in turn, on every TCP packet, so the number is small on purpose.
pub const MAX_BLOCKED_PORTS: usize = 8;
