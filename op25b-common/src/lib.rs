//! What op25b's XDP program and its user space both say.
//!
//! Everything that crosses the kernel boundary is defined here once: the reasons of the verdict table
//! ([`Reason`]), the keys and values of the policy maps ([`keys`], [`values`]), the tables by which addresses are
//! classified ([`classifier`]) and the names under which user
//! space finds maps and load-time globals ([`names`]). Layouts are asserted at compile time, because both
//! sides are built by different compilers.
#![no_std]

pub mod classifier;
pub mod keys;
pub mod names;
mod reason;
pub mod values;

pub use reason::{Reason, Verdict};

/// What happens to a blocked segment: values of the global [`names::ACTION`].
pub mod action {
    /// It is discarded.
    pub const DROP: u8 = 0;
    /// Its sender gets a TCP reset.
    pub const RESET: u8 = 1;
    /// Its sender gets an ICMP error, "administratively prohibited".
    pub const PROHIBIT: u8 = 2;
}

/// The tunnels whose inner packets are judged: bits of the global [`names::TUNNELS`].
pub mod tunnel {
    /// IPv4 in IPv6 (RFC 2473; DS-Lite, RFC 6333).
    pub const V4_IN_V6: u8 = 1;
    /// IPv6 in IPv4 (RFC 4213; 6rd, RFC 5969).
    pub const V6_IN_V4: u8 = 2;
    /// IPv4 in IPv4 (RFC 2003).
    pub const V4_IN_V4: u8 = 4;
    /// IP in GRE (RFC 2784, RFC 2890).
    pub const GRE: u8 = 8;
    /// IP in PPP in `L2TPv2` in UDP (RFC 2661).
    pub const L2TP: u8 = 16;
}

/// The tables: indices into [`names::ROOTS`].
pub mod root {
    /// IPv4 sources; the answer is the number of a [`crate::values::Class`].
    pub const SOURCES_V4: u32 = 0;
    /// IPv6 sources; the answer is the number of a [`crate::values::Class`].
    pub const SOURCES_V6: u32 = 1;
    /// IPv4 destinations; the answer is 0, or the index of a relay plus 1.
    pub const RELAYS_V4: u32 = 2;
    /// IPv6 destinations; the answer is 0, or the index of a relay plus 1.
    pub const RELAYS_V6: u32 = 3;
    /// How many there are.
    pub const COUNT: u32 = 4;
}

/// The version of what stays in the kernel between two programs: the maps that the next one goes on with, and how they are
/// described. It changes when a slot or a key comes to mean something else, also where no shape does.
pub const LAYOUT_VERSION: u32 = if cfg!(feature = "other-layout") { 2 } else { 1 };

/// The version of a subscriber's record. It changes when a field of [`values::Subscriber`], or a bit of its sketch, comes to
/// mean something else: apart from [`LAYOUT_VERSION`], as another way to count by reason is no cause to forget subscribers.
pub const RECORD_VERSION: u32 = 2;

/// How many ports a policy can block.
///
/// The program compares against each in turn, on every TCP packet, so the number is small on purpose.
pub const MAX_BLOCKED_PORTS: usize = 8;
