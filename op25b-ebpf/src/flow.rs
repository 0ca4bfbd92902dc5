//! What there is to judge of a TCP segment: who sends to whom, and what its header says.

use crate::address::{Address, Halves};

/// A TCP segment, without its place in the frame.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Flow {
    /// Its addresses.
    pub source: Halves,
    pub destination: Halves,
    /// TCP's ports.
    pub source_port: u32,
    pub destination_port: u32,
    /// Facts about it, see the constants.
    pub flags: u32,
    /// The tunnels that it came through, as bits of [`op25b_common::Tunnel`].
    pub tunnels: u32,
    /// TCP's flags, or [`UNKNOWN_FLAGS`].
    pub tcp_flags: u32,
    /// Fills it up.
    pub unused: u32,
}

/// TCP flags that cannot be read.
pub const UNKNOWN_FLAGS: u32 = 1 << 8;

impl Flow {
    /// The source address is IPv6.
    pub const SOURCE_V6: u32 = 1;
    /// The destination address is IPv6.
    pub const DESTINATION_V6: u32 = 1 << 1;
    /// Of both.
    pub const V6: u32 = Self::SOURCE_V6 | Self::DESTINATION_V6;
    /// The ports cannot be read.
    pub const HIDDEN: u32 = 1 << 2;
    /// The source that counts is in another fragment.
    pub const UNADDRESSED: u32 = 1 << 3;

    /// One of which nothing is known but the facts.
    #[inline(always)]
    pub fn new(flags: u32) -> Self {
        Self {
            source: Halves::default(),
            destination: Halves::default(),
            source_port: 0,
            destination_port: 0,
            flags,
            tunnels: 0,
            tcp_flags: UNKNOWN_FLAGS,
            unused: 0,
        }
    }

    #[inline(always)]
    pub fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Its source address.
    #[inline(always)]
    pub fn source(&self) -> Address {
        Address::new(self.source, self.has(Self::SOURCE_V6))
    }

    /// Its destination address.
    #[inline(always)]
    pub fn destination(&self) -> Address {
        Address::new(self.destination, self.has(Self::DESTINATION_V6))
    }
}
