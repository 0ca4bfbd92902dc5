//! The oracle's own model of a policy: lists, searched from the front.

pub mod nat64;
mod yaml;

use std::{
    cmp::Reverse,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv6Net};
use jiff::Timestamp;
use serde::Deserialize;

use crate::verdict::Role;

/// A policy, in the order of its file. Names are left out: no verdict depends on them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Policy {
    pub interfaces: Vec<Interface>,
    #[serde(default)]
    pub block: Block,
    #[serde(default)]
    pub subscribers: Subscribers,
    pub pools: Vec<Pool>,
    #[serde(default)]
    pub relays: Vec<Relay>,
    /// Where IPv4 relays and destinations are in IPv6.
    #[serde(default)]
    pub nat64: Vec<Ipv6Net>,
    #[serde(default)]
    pub exemptions: Vec<Exemption>,
}

/// Of which pools there are records. No verdict depends on it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Subscribers {
    pub remember: Option<Remember>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Remember {
    All(bool),
    Pools(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Interface {
    pub role: Role,
    #[serde(default)]
    pub tunnels: Vec<Tunnel>,
    #[serde(default)]
    pub mpls: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Tunnel {
    #[serde(rename = "4in6")]
    V4InV6,
    #[serde(rename = "6in4")]
    V6InV4,
    #[serde(rename = "4in4")]
    V4InV4,
    #[serde(rename = "6in6")]
    V6InV6,
    #[serde(rename = "gre")]
    Gre,
    #[serde(rename = "eogre")]
    EthernetInGre,
    #[serde(rename = "l2tp")]
    L2tp,
}

impl Tunnel {
    pub const ALL: [Self; 7] = [
        Self::V4InV6,
        Self::V6InV4,
        Self::V4InV4,
        Self::V6InV6,
        Self::Gre,
        Self::EthernetInGre,
        Self::L2tp,
    ];
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct Block {
    pub ports: Vec<u16>,
    #[serde(rename = "match")]
    pub segments: Segments,
    pub action: Action,
    pub reset_rate: Option<u32>,
    pub uninspectable: Handling,
    pub unlisted: Handling,
    pub inbound: Inbound,
    pub prohibit_from: Vec<IpAddr>,
    pub prohibit_rate: Option<u32>,
    pub vlan_tpids: Vec<u16>,
}

impl Default for Block {
    fn default() -> Self {
        Self {
            ports: vec![25],
            segments: Segments::All,
            action: Action::Drop,
            reset_rate: None,
            uninspectable: Handling::Drop,
            unlisted: Handling::Pass,
            inbound: Inbound::Allow,
            prohibit_from: Vec::new(),
            prohibit_rate: None,
            vlan_tpids: Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segments {
    All,
    New,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Drop,
    Reset,
    Prohibit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handling {
    Drop,
    Pass,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inbound {
    Allow,
    Block,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Enforce,
    Monitor,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Pool {
    #[serde(deserialize_with = "yaml::prefixes")]
    pub prefixes: Vec<IpNet>,
    #[serde(default)]
    pub mode: Mode,
    pub enforce_from: Option<Timestamp>,
    #[serde(default, deserialize_with = "yaml::prefixes")]
    pub only_to: Vec<IpNet>,
    /// Instead of the two.
    #[serde(default)]
    pub phases: Vec<Phase>,
}

/// A date, and towards which destinations the pool is enforced from then on: without any, towards all.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Phase {
    pub from: Option<Timestamp>,
    #[serde(default, deserialize_with = "yaml::prefixes")]
    pub only_to: Vec<IpNet>,
}

impl Pool {
    /// Whether it is enforced towards any destination.
    pub fn enforces(&self, now: Timestamp) -> bool {
        !self.begun(now).is_empty()
    }

    /// The destinations of each phase that has begun.
    fn begun(&self, now: Timestamp) -> Vec<&[IpNet]> {
        let has_begun =
            |from: Option<Timestamp>| self.mode == Mode::Enforce && from.is_none_or(|from| from <= now);
        if self.phases.is_empty() {
            return has_begun(self.enforce_from)
                .then_some(&self.only_to[..])
                .into_iter()
                .collect();
        }
        let begun = self.phases.iter().filter(|phase| has_begun(phase.from));
        begun.map(|phase| &phase.only_to[..]).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Relay {
    #[serde(deserialize_with = "yaml::prefixes")]
    pub prefixes: Vec<IpNet>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Exemption {
    #[serde(deserialize_with = "yaml::prefixes")]
    pub prefixes: Vec<IpNet>,
    #[serde(default, deserialize_with = "yaml::prefixes")]
    pub destinations: Vec<IpNet>,
    pub expires: Option<Timestamp>,
}

impl Exemption {
    /// Whether it is about `subscriber`, and has not expired.
    fn holds_for(&self, subscriber: IpAddr, now: Timestamp) -> bool {
        self.expires.is_none_or(|end| now < end) && longest(&self.prefixes, subscriber).is_some()
    }

    /// Whether it allows `subscriber` to connect to every address now.
    pub fn allows_everywhere(&self, subscriber: IpAddr, now: Timestamp) -> bool {
        self.destinations.is_empty() && self.holds_for(subscriber, now)
    }
}

/// The length of the longest of these prefixes that contains the address.
pub fn longest(prefixes: &[IpNet], address: IpAddr) -> Option<u8> {
    prefixes
        .iter()
        .filter(|prefix| prefix.contains(&address))
        .map(IpNet::prefix_len)
        .max()
}

impl Policy {
    /// The pool that an address is in: the one with the longest prefix.
    pub fn pool_of(&self, address: IpAddr) -> Option<usize> {
        best(&self.pools, |pool| longest(&pool.prefixes, address))
    }

    /// The relay that an address is, likewise; of two with the same prefix after translation, the first.
    pub fn relay_at(&self, address: IpAddr) -> Option<usize> {
        best(&self.relays, |relay| self.reached(&relay.prefixes, address))
    }

    /// Whether an exemption allows `subscriber` to connect to `remote` now.
    pub fn allows(&self, exemption: usize, subscriber: IpAddr, remote: IpAddr, now: Timestamp) -> bool {
        let exemption = &self.exemptions[exemption];
        exemption.holds_for(subscriber, now)
            && (exemption.destinations.is_empty() || self.reached(&exemption.destinations, remote).is_some())
    }

    /// Whether a pool is enforced towards `remote`.
    pub fn enforces_towards(&self, pool: usize, remote: IpAddr, now: Timestamp) -> bool {
        let mut begun = self.pools[pool].begun(now).into_iter();
        begun.any(|only_to| only_to.is_empty() || self.reached(only_to, remote).is_some())
    }

    /// The length of the longest of these prefixes that contains an address of a remote host, itself or translated.
    fn reached(&self, prefixes: &[IpNet], address: IpAddr) -> Option<u8> {
        let translated = prefixes.iter().flat_map(|prefix| {
            let lengths = self.nat64.iter();
            lengths.filter_map(move |nat64| nat64::length(*nat64, prefix, address))
        });
        translated.chain(longest(prefixes, address)).max()
    }

    /// Whether the program for subscriber interfaces filters inside this kind of tunnel in a test run.
    pub fn looks_into(&self, tunnel: Tunnel) -> bool {
        self.interfaces
            .iter()
            .any(|interface| interface.role == Role::Subscriber && interface.tunnels.contains(&tunnel))
    }

    /// Whether labels are skipped in a test run, which comes in on an interface without settings of its own.
    pub fn skips_labels(&self) -> bool {
        self.interfaces.iter().any(|interface| interface.mpls)
    }

    /// The address that answers in this version of IP.
    pub fn router_v4(&self) -> Option<Ipv4Addr> {
        self.block.prohibit_from.iter().find_map(|address| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        })
    }

    /// The address that answers in this version of IP.
    pub fn router_v6(&self) -> Option<Ipv6Addr> {
        self.block.prohibit_from.iter().find_map(|address| match address {
            IpAddr::V6(address) => Some(*address),
            IpAddr::V4(_) => None,
        })
    }
}

/// Which item has the greatest number, and of several the first.
fn best<T>(items: &[T], number: impl Fn(&T) -> Option<u8>) -> Option<usize> {
    let numbered = items
        .iter()
        .enumerate()
        .filter_map(|(index, item)| Some((number(item)?, Reverse(index))));
    numbered.max().map(|(_, Reverse(index))| index)
}
