//! A TCP segment as the verdict table sees it: addresses, ports and flags.

use super::address::{Address, AddressBits};

/// A TCP segment, without its place in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Flow {
    /// Its source address.
    pub source: AddressBits,
    /// Its destination address.
    pub destination: AddressBits,
    /// TCP's source port.
    pub source_port: u32,
    /// TCP's destination port.
    pub destination_port: u32,
    /// Facts about it, see the constants.
    pub flags: u32,
    /// The tunnels that it came through, the outermost in the lowest byte: each a set of bits of [`op25b_common::Tunnel`],
    /// with several bits if the headers do not show which of these kinds it is.
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
    /// Both addresses are IPv6.
    pub const V6: u32 = Self::SOURCE_V6 | Self::DESTINATION_V6;
    /// The ports cannot be read.
    pub const HIDDEN: u32 = 1 << 2;
    /// The source that counts cannot be read.
    pub const UNADDRESSED: u32 = 1 << 3;
    /// No reply can go in the frame's link header.
    pub const NO_REPLY: u32 = 1 << 4;

    /// A flow of which nothing is known but these facts.
    #[must_use]
    #[inline(always)]
    pub fn new(flags: u32) -> Self {
        Self {
            source: AddressBits::default(),
            destination: AddressBits::default(),
            source_port: 0,
            destination_port: 0,
            flags,
            tunnels: 0,
            tcp_flags: UNKNOWN_FLAGS,
            unused: 0,
        }
    }

    /// Whether one of these facts holds.
    #[must_use]
    #[inline(always)]
    pub fn has(&self, flags: u32) -> bool {
        self.flags & flags != 0
    }

    /// Its source address.
    #[must_use]
    #[inline(always)]
    pub fn source(&self) -> Address {
        Address::new(self.source, self.has(Self::SOURCE_V6))
    }

    /// Its destination address.
    #[must_use]
    #[inline(always)]
    pub fn destination(&self) -> Address {
        Address::new(self.destination, self.has(Self::DESTINATION_V6))
    }
}
