//! A policy and its parts.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, Ipv6Addr},
    ops::RangeInclusive,
};

use op25b_common::values::{ALWAYS_PAST, NEVER, UnixSeconds};

use super::{
    alerts::Alerts,
    events::Events,
    exemption::Exemption,
    history::History,
    limits::ExemptionLimits,
    metrics::MetricsServer,
    nat64::Nat64,
    pause::PauseEnd,
    phase::Phase,
    position::{List, Position, Prefix},
    privacy::Privacy,
    reached::ReachedDates,
    word::{Action, Handling, Inbound, Match, Mpls, PoolMode, Role, Tunnel, Wait, XdpMode},
};

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The interfaces towards subscribers and the Internet.
    pub interfaces: Vec<Interface>,
    /// What is blocked and how.
    pub block: Block,
    /// What counts as one subscriber, and what is remembered of them.
    pub subscribers: Subscribers,
    /// How the history of what they do is kept; `None` if there is none.
    pub history: Option<History>,
    /// Which packets are shown as events; `None` for none.
    pub events: Option<Events>,
    /// From what on there is an alert about a subscriber; `None` if there are no alerts.
    pub alerts: Option<Alerts>,
    /// The prefixes whose addresses are dynamic.
    pub pools: Vec<Pool>,
    /// The mail servers that everyone may reach.
    pub relays: Vec<Relay>,
    /// Under which prefixes subscribers reach IPv4 relays and destinations through a translator.
    pub nat64: Nat64,
    /// How long is kept what is recorded of subscribers, and who has to say why it is read.
    pub privacy: Privacy,
    /// The exemptions: those of the file in its order, those of its lists, then those of the store.
    pub exemptions: Vec<Exemption>,
    /// The limits of exemptions that are added at run time.
    pub exemption_limits: ExemptionLimits,
    /// Where metrics are served over TCP; `None` if they are not.
    pub metrics: Option<MetricsServer>,
    /// The lists that it names, in the order in which they are named first.
    pub lists: Vec<List>,
}

impl Policy {
    /// The exemptions of the policy file and its lists, without those of the store.
    #[must_use]
    pub fn exemptions_in_file(&self) -> &[Exemption] {
        let in_file = self.exemptions.partition_point(Exemption::is_in_file);
        &self.exemptions[..in_file]
    }
}

/// A network interface to attach to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Whose packets it receives.
    pub role: Role,
    /// How the program is attached.
    pub xdp: XdpMode,
    /// The tunnels inside which packets are filtered; none on an uplink interface.
    pub tunnels: Vec<Tunnel>,
    /// Whether MPLS labels are skipped.
    pub mpls: Mpls,
    /// Whether the interface may be missing when the filter starts.
    pub wait: Wait,
    /// Its position in the file.
    pub at: Position,
}

/// What is blocked and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// TCP destination ports, at most [`op25b_common::MAX_BLOCKED_PORTS`].
    pub ports: Vec<u16>,
    /// Which segments are blocked.
    pub match_: Match,
    /// How segments are blocked.
    pub action: Action,
    /// The highest sustained rate of resets, per second and CPU, with [`Action::Reset`]; none for no limit.
    pub reset_rate: Option<u32>,
    /// How the sender is notified, with [`Action::Prohibit`].
    pub prohibit: Option<Prohibit>,
    /// What happens to TCP from a pool whose ports cannot be read.
    pub uninspectable: Handling,
    /// What happens to blocked ports from a source in no pool.
    pub unlisted: Handling,
    /// Until when they pass, whatever the policy file says.
    pub unlisted_paused_until: Option<PauseEnd>,
    /// What happens to connections from the Internet to subscribers' blocked ports.
    pub inbound: Inbound,
    /// `EtherType`s of VLAN tags besides the usual ones, at most [`op25b_common::framing::MAX_VLAN_TPIDS`].
    pub vlan_tpids: Vec<u16>,
}

impl Default for Block {
    fn default() -> Self {
        Self {
            ports: vec![25],
            match_: Match::All,
            action: Action::Drop,
            reset_rate: None,
            prohibit: None,
            uninspectable: Handling::Drop,
            unlisted: Handling::Pass,
            unlisted_paused_until: None,
            inbound: Inbound::Allow,
            vlan_tpids: Vec::new(),
        }
    }
}

/// What counts as one subscriber, and what is remembered of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribers {
    /// The length of the IPv6 prefixes that are delegated to subscribers.
    pub ipv6_prefix: u8,
    /// Whose subscribers have records.
    pub remember: Remember,
}

/// The pools whose subscribers have records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Remember {
    /// All.
    #[default]
    All,
    /// None.
    Nothing,
    /// Those with these names, which are names of pools.
    Pools(BTreeSet<String>),
}

impl Remember {
    /// Whether the subscribers of the pool with this name have records.
    #[must_use]
    pub fn includes(&self, pool: &str) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::Pools(names) => names.contains(pool),
        }
    }
}

impl Subscribers {
    /// The valid lengths: shorter prefixes are those of whole providers, and the program distinguishes at most 64 bits.
    pub const IPV6_PREFIXES: RangeInclusive<u8> = 32..=64;
    /// The length where the policy has none: what RFC 6177 and RIPE-690 recommend for homes.
    pub const USUAL_IPV6_PREFIX: u8 = 56;
}

impl Default for Subscribers {
    fn default() -> Self {
        Self {
            ipv6_prefix: Self::USUAL_IPV6_PREFIX,
            remember: Remember::All,
        }
    }
}

/// How blocked senders are notified by ICMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prohibit {
    /// The source address of IPv4 errors.
    pub router_v4: Option<Ipv4Addr>,
    /// The source address of IPv6 errors.
    pub router_v6: Option<Ipv6Addr>,
    /// The highest sustained rate of errors, per second and CPU.
    pub rate: u32,
    /// The position of `action` in the file.
    pub at: Position,
}

impl Prohibit {
    /// The default rate, which is Linux's own (`icmp_msgs_per_sec`).
    pub const DEFAULT_RATE: u32 = 1000;
}

/// Prefixes whose addresses are dynamic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name, unique among pools.
    pub name: String,
    /// The prefixes, unique among pools.
    pub prefixes: Vec<Prefix>,
    /// Whether it is enforced or only monitored.
    pub mode: PoolMode,
    /// From when on it is enforced towards which destinations, at least one, in ascending order. Only the last one may be for
    /// every destination.
    pub phases: Vec<Phase>,
    /// Until when it is only monitored, whatever the policy file says.
    pub paused_until: Option<PauseEnd>,
    /// Its position in the file.
    pub at: Position,
}

/// A mail server of the ISP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// Its name, unique among relays.
    pub name: String,
    /// Its prefixes, unique among relays.
    pub prefixes: Vec<Prefix>,
    /// Its position in the file.
    pub at: Position,
}

impl Relay {
    /// An IPv4 prefix shorter than this is certainly more than an ISP's own mail servers.
    pub const SHORTEST_V4: u8 = 8;
    /// Likewise in IPv6.
    pub const SHORTEST_V6: u8 = 16;
}

impl Policy {
    /// Marks the pools whose dates were reached; whether one was not marked before.
    pub fn mark_reached(&mut self, reached: &ReachedDates) -> bool {
        let mut is_changed = false;
        for pool in &mut self.pools {
            for from in pool.phases.iter_mut().filter_map(|phase| phase.from.as_mut()) {
                if !from.is_reached && reached.contains(&pool.name, from.at) {
                    from.is_reached = true;
                    is_changed = true;
                }
            }
        }
        is_changed
    }
}

impl Block {
    /// When blocked ports from sources in no pool are dropped from on, as the program represents it.
    #[must_use]
    pub fn unlisted_dropped_from(&self) -> UnixSeconds {
        self.unlisted_dropped_during(self.unlisted_paused_until)
    }

    /// The same if everything is paused until then.
    #[must_use]
    pub fn unlisted_dropped_during(&self, paused_until: Option<PauseEnd>) -> UnixSeconds {
        match self.unlisted {
            Handling::Pass => NEVER,
            Handling::Drop => paused_until.map_or(ALWAYS_PAST, PauseEnd::unix_seconds),
        }
    }
}
