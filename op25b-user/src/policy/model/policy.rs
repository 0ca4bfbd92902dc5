//! A policy whose every part has been checked.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    ops::RangeInclusive,
};

use jiff::Timestamp;
use op25b_common::values::{ALWAYS_PAST, NEVER, UnixSeconds};

use super::{
    exemption::Exemption,
    limits::ExemptionLimits,
    position::{Position, Prefix},
    word::{Action, Handling, Inbound, Match, PoolMode, Role, Tunnel, Wait, XdpMode},
};

/// A whole policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Where subscribers and the Internet come in.
    pub interfaces: Vec<Interface>,
    /// What is blocked, and how.
    pub block: Block,
    /// What a subscriber is, where that is remembered.
    pub subscribers: Subscribers,
    /// Whose addresses are dynamic.
    pub pools: Vec<Pool>,
    /// Mail servers that everyone may reach.
    pub relays: Vec<Relay>,
    /// Who may use the blocked ports: the file's in its order, then those of the store.
    pub exemptions: Vec<Exemption>,
    /// What exemptions may be added at run time.
    pub exemption_limits: ExemptionLimits,
}

impl Policy {
    /// The exemptions of the policy file: those of the store come after them.
    #[must_use]
    pub fn exemptions_in_file(&self) -> &[Exemption] {
        let in_file = self.exemptions.partition_point(Exemption::is_in_file);
        &self.exemptions[..in_file]
    }
}

/// A network interface to attach to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's name for it.
    pub name: String,
    /// What comes in there.
    pub role: Role,
    /// How the program is attached.
    pub xdp: XdpMode,
    /// The tunnels that are looked into there; none on an uplink interface.
    pub tunnels: Vec<Tunnel>,
    /// Whether the policy is enforced elsewhere before there is such an interface.
    pub wait: Wait,
    /// Where the file says so.
    pub at: Position,
}

/// What is blocked, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// TCP destination ports, at most [`op25b_common::MAX_BLOCKED_PORTS`].
    pub ports: Vec<u16>,
    /// Which segments are blocked.
    pub match_: Match,
    /// How they are blocked.
    pub action: Action,
    /// How the sender is told, with [`Action::Prohibit`].
    pub prohibit: Option<Prohibit>,
    /// What happens to TCP from a pool whose ports cannot be read.
    pub uninspectable: Handling,
    /// What happens to blocked ports from a source in no pool.
    pub unlisted: Handling,
    /// What happens to connections from the Internet to subscribers' blocked ports.
    pub inbound: Inbound,
}

impl Default for Block {
    fn default() -> Self {
        Self {
            ports: vec![25],
            match_: Match::All,
            action: Action::Drop,
            prohibit: None,
            uninspectable: Handling::Drop,
            unlisted: Handling::Pass,
            inbound: Inbound::Allow,
        }
    }
}

/// What a subscriber is, where it is remembered who was blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribers {
    /// How many bits of an IPv6 address are its subscriber's: the length of the prefixes that are delegated.
    pub ipv6_prefix: u8,
}

impl Subscribers {
    /// What can be told apart: shorter prefixes are whole providers', and the program looks at no more than 64 bits.
    pub const IPV6_PREFIXES: RangeInclusive<u8> = 32..=64;
}

impl Default for Subscribers {
    fn default() -> Self {
        Self { ipv6_prefix: 64 }
    }
}

/// How senders are told by ICMP that they are blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prohibit {
    /// The router's address that IPv4 errors come from.
    pub router_v4: Option<Ipv4Addr>,
    /// The router's address that IPv6 errors come from.
    pub router_v6: Option<Ipv6Addr>,
    /// How many errors each CPU sends a second at most, in the long run.
    pub rate: u32,
    /// Where the file asks for it.
    pub at: Position,
}

impl Prohibit {
    /// The rate if the policy does not say: what Linux itself allows (`icmp_msgs_per_sec`).
    pub const DEFAULT_RATE: u32 = 1000;
}

/// Prefixes whose addresses are dynamic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name, unique among pools.
    pub name: String,
    /// The prefixes; no other pool has one of them.
    pub prefixes: Vec<Prefix>,
    /// Whether it is enforced or only watched.
    pub mode: PoolMode,
    /// From when on it is enforced.
    pub enforce_from: Option<Timestamp>,
    /// Where the file says so.
    pub at: Position,
}

/// One of the ISP's own mail servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// Its name, unique among relays.
    pub name: String,
    /// Its addresses; no other relay has one of these prefixes.
    pub prefixes: Vec<Prefix>,
    /// Where the file says so.
    pub at: Position,
}

impl Pool {
    /// From when on it is enforced, as the kernel counts: [`ALWAYS_PAST`] for a pool that is, [`NEVER`] for one that is
    /// only watched.
    #[must_use]
    pub fn enforced_from(&self) -> UnixSeconds {
        match self.mode {
            PoolMode::Monitor => NEVER,
            // Validation refuses what is too late for 32 bits; what is too early for them has passed anyway.
            PoolMode::Enforce => self.enforce_from.map_or(ALWAYS_PAST, |from| {
                u32::try_from(from.as_second().max(0)).unwrap_or(NEVER)
            }),
        }
    }
}
