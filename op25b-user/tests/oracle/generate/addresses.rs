//! Addresses and ports at the boundaries.
//!
//! Policies draw from a few dozen prefixes, frames from the edges of what the policy at hand has drawn.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;

use crate::policy::{Policy, Tunnel, nat64};

/// Bases of prefixes: few different bits, at both ends, so that prefixes nest and collide.
fn v4_base() -> impl Strategy<Value = Ipv4Addr> {
    (0u8..4, 0u8..4).prop_map(|(high, low)| Ipv4Addr::new(8 + high, 0, 0, low))
}

/// Likewise: `2000::`, `2100::`, `2200::` and `2300::` are one `/6`.
fn v6_base() -> impl Strategy<Value = Ipv6Addr> {
    (0u16..4, 0u16..4).prop_map(|(high, low)| Ipv6Addr::new(0x2000 + (high << 8), 0, 0, 0, 0, 0, 0, low))
}

/// A prefix of either family, of any length that matters.
pub fn prefix() -> impl Strategy<Value = IpNet> {
    let v4 = (
        v4_base(),
        prop::sample::select(vec![0u8, 1, 6, 7, 8, 9, 16, 24, 30, 31, 32]),
    );
    let v6 = (
        v6_base(),
        prop::sample::select(vec![0u8, 1, 6, 7, 8, 9, 64, 65, 96, 126, 127, 128]),
    );
    prop_oneof![
        v4.prop_map(|(base, length)| IpNet::from(Ipv4Net::new(base, length).expect("at most 32").trunc())),
        v6.prop_map(|(base, length)| IpNet::from(Ipv6Net::new(base, length).expect("at most 128").trunc())),
    ]
}

/// A port that a policy may block.
pub fn blockable_port() -> impl Strategy<Value = u16> {
    prop_oneof![
        4 => Just(25u16),
        4 => prop::sample::select(vec![1u16, 24, 26, 464, 466, 586, 588, 1701, 2525, 6400, 65534, 65535]),
        1 => (1u16..).prop_filter("submission ports are refused", |port| ![465, 587].contains(port)),
    ]
}

/// What frames for one policy are made of.
#[derive(Clone, Debug)]
pub struct Universe {
    v4: Vec<Ipv4Addr>,
    v6: Vec<Ipv6Addr>,
    ports: Vec<u16>,
    other_ports: Vec<u16>,
    /// The kinds of tunnel that the policy enables.
    pub tunnels: Vec<Tunnel>,
    /// The policy's own VLAN tags.
    pub tpids: Vec<u16>,
    /// Whether it skips labels.
    pub mpls: bool,
}

impl Universe {
    /// The edges of everything that the policy names.
    pub fn of(policy: &Policy) -> Self {
        let mut v4 = vec![Ipv4Addr::new(192, 0, 2, 77)];
        let mut v6 = vec![Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x77)];
        // Twice, since most rows are about an address in a pool.
        let pools = policy
            .pools
            .iter()
            .chain(&policy.pools)
            .flat_map(|pool| &pool.prefixes);
        let relays = policy.relays.iter().flat_map(|relay| &relay.prefixes);
        let exemptions = policy.exemptions.iter();
        let exempt =
            exemptions.flat_map(|exemption| exemption.prefixes.iter().chain(&exemption.destinations));
        for prefix in pools.chain(relays).chain(exempt) {
            match prefix {
                IpNet::V4(net) => v4.extend(edges_v4(*net)),
                IpNet::V6(net) => v6.extend(edges_v6(*net)),
            }
        }
        let remotes = policy.relays.iter().map(|relay| &relay.prefixes);
        let remotes = remotes.chain(policy.exemptions.iter().map(|exemption| &exemption.destinations));
        for prefix in remotes.flatten() {
            if let IpNet::V4(net) = prefix {
                let translated = policy
                    .nat64
                    .iter()
                    .flat_map(|prefix| nat64::neighbours(*prefix, *net));
                v6.extend(translated);
            }
        }
        let ports = policy.block.ports.clone();
        let neighbours = ports.iter().flat_map(|port| {
            // The bytes swapped: what a program compares that forgets the byte order.
            [port.wrapping_sub(1), port.wrapping_add(1), port.swap_bytes()]
        });
        let other_ports = neighbours.chain([587, 465, 0, 80, 1701, 40_000]).collect();
        Self {
            v4,
            v6,
            ports,
            other_ports,
            tunnels: Tunnel::ALL
                .into_iter()
                .filter(|tunnel| policy.looks_into(*tunnel))
                .collect(),
            tpids: policy.block.vlan_tpids.clone(),
            mpls: policy.skips_labels(),
        }
    }

    /// Mostly from the policy, sometimes one outside it, seldom any.
    pub fn v4(&self) -> impl Strategy<Value = Ipv4Addr> + use<> {
        let special = [
            Ipv4Addr::UNSPECIFIED,
            Ipv4Addr::new(0, 255, 255, 255),
            Ipv4Addr::new(1, 0, 0, 0),
            Ipv4Addr::new(126, 255, 255, 255),
            Ipv4Addr::LOCALHOST,
            Ipv4Addr::new(127, 255, 255, 255),
            Ipv4Addr::new(128, 0, 0, 0),
            Ipv4Addr::new(223, 255, 255, 255),
            Ipv4Addr::new(224, 0, 0, 0),
            Ipv4Addr::new(240, 0, 0, 1),
            Ipv4Addr::BROADCAST,
        ];
        prop_oneof![
            16 => prop::sample::select(self.v4.clone()),
            2 => prop::sample::select(special.to_vec()),
            1 => any::<u32>().prop_map(Ipv4Addr::from),
        ]
    }

    /// Likewise.
    pub fn v6(&self) -> impl Strategy<Value = Ipv6Addr> + use<> {
        let special = [
            Ipv6Addr::UNSPECIFIED,
            Ipv6Addr::LOCALHOST,
            Ipv6Addr::from(2u128),
            Ipv6Addr::from((0xff << 120) - 1),
            Ipv6Addr::from(0xff << 120),
            Ipv6Addr::from(u128::MAX),
            Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x0800, 1),
        ];
        prop_oneof![
            16 => prop::sample::select(self.v6.clone()),
            2 => prop::sample::select(special.to_vec()),
            1 => any::<u128>().prop_map(Ipv6Addr::from),
        ]
    }

    /// Mostly a blocked port.
    pub fn port(&self) -> impl Strategy<Value = u16> + use<> {
        prop_oneof![
            6 => prop::sample::select(self.ports.clone()),
            3 => prop::sample::select(self.other_ports.clone()),
            1 => any::<u16>(),
        ]
    }
}

/// The first and the last address, one inside, and those just outside.
fn edges_v4(net: Ipv4Net) -> [Ipv4Addr; 5] {
    let (first, last) = (u32::from(net.network()), u32::from(net.broadcast()));
    [
        first,
        last,
        first + (last - first) / 2,
        first.wrapping_sub(1),
        last.wrapping_add(1),
    ]
    .map(Ipv4Addr::from)
}

fn edges_v6(net: Ipv6Net) -> [Ipv6Addr; 5] {
    let (first, last) = (u128::from(net.network()), u128::from(net.broadcast()));
    [
        first,
        last,
        first + (last - first) / 2,
        first.wrapping_sub(1),
        last.wrapping_add(1),
    ]
    .map(Ipv6Addr::from)
}
