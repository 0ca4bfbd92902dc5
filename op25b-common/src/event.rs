//! The event of one packet: what the program writes to the ring buffer of events, and user space reads from it.

use crate::{Reason, values::RuleIndex};

/// No VLAN id: see [`PacketEvent::vlans`]. The ids themselves have 12 bits.
pub const NO_VLAN: u16 = 0xffff;

/// A packet that was blocked, or would have been, that hides its ports or that an exemption lets pass. Never its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct PacketEvent {
    /// When it came, in nanoseconds of the boot-time clock.
    pub time: u64,
    /// The source address that decided, in network byte order; IPv4 as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2). Zeros
    /// without [`Self::HAS_ADDRESSES`].
    pub source: [u8; 16],
    /// The destination address, likewise.
    pub destination: [u8; 16],
    /// The index of the interface that it came in on.
    pub interface: u32,
    /// The pool of the subscriber's address, in the policy's `pools`; [`crate::values::NO_RULE`] outside of pools.
    pub pool: RuleIndex,
    /// The rule that decided, as [`crate::values::Decision::rule`].
    pub rule: RuleIndex,
    /// The frame's length in bytes.
    pub length: u32,
    /// TCP's source port; 0 without [`Self::HAS_PORTS`].
    pub source_port: u16,
    /// TCP's destination port, likewise.
    pub destination_port: u16,
    /// The ids of the first two VLAN tags, the outer one first; [`NO_VLAN`] for none.
    pub vlans: [u16; 2],
    /// The id of the `PPPoE` session; 0, which no session has (RFC 2516 section 4), for none.
    pub pppoe_session: u16,
    /// A [`crate::Reason`].
    pub reason: u8,
    /// A [`crate::Verdict`]. A reset or an ICMP error that could not be sent is still [`crate::Verdict::Reject`].
    pub verdict: u8,
    /// TCP's flags; 0 without [`Self::HAS_FLAGS`].
    pub tcp_flags: u8,
    /// The tunnels that it came through, by [`crate::Tunnel::bit`]; several for one tunnel if the headers do not show which of
    /// these kinds it is.
    pub tunnels: u8,
    /// Facts about it, see the constants.
    pub marks: u8,
    /// Fills it up.
    pub unused: u8,
}

impl PacketEvent {
    /// It is the first packet of its subscriber that is recorded.
    pub const IS_FIRST: u8 = 1;
    /// It came in on an uplink interface, where the subscriber is the destination.
    pub const IS_FROM_UPLINK: u8 = 1 << 1;
    /// The addresses were read: not those of a frame with more tags or labels than are skipped. Of a tunnel that cannot be
    /// looked into they are the outer ones.
    pub const HAS_ADDRESSES: u8 = 1 << 2;
    /// The ports were read.
    pub const HAS_PORTS: u8 = 1 << 3;
    /// TCP's flags were read.
    pub const HAS_FLAGS: u8 = 1 << 4;

    /// Whether this fact holds.
    #[must_use]
    pub const fn has(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }
}

/// How many events of a kind of packets may be shown: each has a token bucket on each CPU, so that none of them is hidden by many
/// of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Allowance {
    /// The first packet of an IPv4 subscriber, or the first after [`QUIET_SECONDS`]: the reserve. As many come as there are
    /// addresses in the pools, and no more.
    FreshV4 = 0,
    /// The same of IPv6. Whoever forges sources has ever new ones; these take nothing from the reserve of IPv4.
    FreshV6 = 1,
    /// Another packet of a subscriber that has a record, the first in a second.
    Known = 2,
    /// A packet of a sender without a record, the first in a second.
    Unrecorded = 3,
}

impl Allowance {
    /// Every allowance, by number.
    pub const ALL: [Self; 4] = [Self::FreshV4, Self::FreshV6, Self::Known, Self::Unrecorded];

    /// How many there are; a power of two.
    pub const COUNT: usize = Self::ALL.len();
}

/// How long a subscriber has sent nothing that is recorded if its next packet has the same right to be shown as a first one.
pub const QUIET_SECONDS: u32 = 3600;

/// How many senders without a record are remembered for a second in one value of [`crate::names::EVENT_SENDERS`].
pub const SENDERS_IN_SET: usize = 4;

/// How many such values there are; a power of two.
pub const SENDER_SETS: usize = 256;

/// How many slots [`crate::names::EVENT_COUNTS`] has: the events of each [`Reason`] that are in the ring buffer, then those that
/// found it full.
pub const EVENT_COUNT_SLOTS: usize = 2 * Reason::COUNT;

/// Which packets are shown, as stored in [`crate::names::SHOW_EVENTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ShowEvents {
    /// None: the verifier removes all code for it.
    None = 0,
    /// None has an event, but some have a line in the log.
    Logged = 1,
    /// Those have events that are blocked, or would be if the pool was enforced, and those that hide their ports.
    Filtered = 2,
    /// Those of exemptions, too.
    FilteredAndExempt = 3,
}

const _: () = {
    let mut number = 0;
    while number < Allowance::COUNT {
        assert!(
            Allowance::ALL[number] as usize == number,
            "Allowance::ALL is by number"
        );
        number += 1;
    }
    assert!(Allowance::COUNT.is_power_of_two() && SENDER_SETS.is_power_of_two());
    assert!(size_of::<PacketEvent>() == 72 && align_of::<PacketEvent>() == 8);
    // The sum of its fields: no padding, which the kernel would hand on uninitialized.
    assert!(size_of::<PacketEvent>() == 8 + 2 * 16 + 4 * 4 + 2 * 2 + 2 * 2 + 2 + 6);
};

#[cfg(feature = "user")]
mod pod {
    // SAFETY: `repr(C)` of numbers only, without padding (asserted above); any bit pattern is valid.
    unsafe impl aya::Pod for super::PacketEvent {}
}
