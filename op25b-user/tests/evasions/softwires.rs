//! A SYN in tunnels to an outside host: filtered where the policy has `tunnels:`, else not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use op25b_common::Reason::{self, Blocked, Uninspectable};
use op25b_testlab::lab::{
    Family::{V4, V6},
    Host,
};

use crate::support::{
    bot::{Bot, Outcome},
    concentrator::end_tunnel,
    line::{Line, Tunnel},
    packet::{cut, fragments},
    segment::{Flow, TCP},
    stage::{Evasion, Stage, counters, plain},
};

/// DS-Lite's own, the same for every customer (RFC 6333 section 5.7): in no pool.
const B4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 0, 2));
/// Addresses of customers whose packets come in tunnels, in the pool.
const INNER4: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 66));
const INNER6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x100, 6, 0, 0, 0, 0x66));

/// An exempt customer's addresses.
const EXEMPT4: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 200));
const EXEMPT6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x101, 6, 0, 0, 0, 0x66));
/// Addresses in no pool.
const UNLISTED4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 66));
const UNLISTED6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 2, 6, 0, 0, 0, 0x66));

/// A stage whose bot is at one end of tunnels in one another.
fn stage(tunnels: &'static [Tunnel], addresses: [IpAddr; 2]) -> Stage {
    let mut stage = Stage::new();
    stage.bot = Bot::new(&stage.lab, Host::Subscriber, Line::tunnels(tunnels), addresses);
    for (index, tunnel) in tunnels.iter().enumerate() {
        match tunnels.get(index + 1) {
            Some(inside) => end_tunnel(&stage.lab, *tunnel, &[inside.here()]),
            None => end_tunnel(&stage.lab, *tunnel, &addresses),
        }
    }
    stage
}

/// Proves that evasions work in tunnels without the filter, with one that does not filter inside them, and not with one that
/// does.
fn play(tunnels: &'static [Tunnel], addresses: [IpAddr; 2], evasions: &[Evasion]) {
    play_in_fragments(tunnels, addresses, None, Outcome::Connected, evasions);
}

fn play_in_fragments(
    tunnels: &'static [Tunnel],
    addresses: [IpAddr; 2],
    fragment_size: Option<usize>,
    without_looking: Outcome,
    evasions: &[Evasion],
) {
    let mut stage = stage(tunnels, addresses);
    stage.bot.fragment_size = fragment_size;
    let filter = stage.filter(&plain());
    for evasion in evasions {
        assert_eq!(stage.attempt(evasion), without_looking, "{tunnels:?}");
    }
    let is_unseen = counters(&filter).values().all(|count| *count == 0);
    assert_eq!(is_unseen, without_looking == Outcome::Connected, "{tunnels:?}");
    assert_eq!(filter.stop().unwrap().code(), Some(0));
    stage.play(&looking_into(tunnels), evasions);
}

/// A policy that filters inside these tunnels.
fn looking_into(tunnels: &[Tunnel]) -> String {
    let role = "sub0, role: subscriber";
    let names: Vec<_> = tunnels.iter().map(|tunnel| tunnel.name).collect();
    plain().replace(role, &format!("{role}, tunnels: [{}]", names.join(", ")))
}

fn syn(flow: Flow) -> Vec<Vec<u8>> {
    vec![flow.syn().packet()]
}

type Counted = &'static [(Reason, u64)];
const ONCE: [(Reason, u64); 1] = [(Blocked, 1)];

#[test]
fn a_syn_in_dual_stack_lite_is_blocked_by_its_outer_source_where_4in6_is_enabled() {
    let tiny = |flow: Flow| {
        let pieces = cut(&flow.syn().bytes(), 8);
        fragments(flow.source.ip(), flow.destination.ip(), TCP, &pieces)
    };
    let evasions = [
        Evasion::new(V4, &ONCE, syn),
        Evasion::new(V4, &[(Blocked, 1), (Uninspectable, 1)], tiny),
    ];
    play(&[Tunnel::V4_IN_V6], [B4, INNER6], &evasions);
}

#[test]
fn a_syn_in_6in4_is_blocked_by_its_inner_source_where_6in4_is_enabled() {
    let evasion = Evasion::new(V6, &ONCE, syn);
    play(&[Tunnel::V6_IN_V4], [INNER4, INNER6], &[evasion]);
}

#[test]
fn a_syn_in_4in4_is_blocked_where_4in4_is_enabled() {
    let evasion = Evasion::new(V4, &ONCE, syn);
    play(&[Tunnel::V4_IN_V4], [INNER4, INNER6], &[evasion]);
}

#[test]
fn a_syn_in_6in6_is_blocked_where_6in6_is_enabled() {
    let evasion = Evasion::new(V6, &ONCE, syn);
    play(&[Tunnel::V6_IN_V6], [INNER4, INNER6], &[evasion]);
}

#[test]
fn a_syn_in_ethernet_in_gre_is_blocked_where_eogre_is_enabled() {
    let evasions = [V4, V6].map(|family| Evasion::new(family, &ONCE, syn));
    play(&[Tunnel::ETHERNET_IN_GRE], [INNER4, INNER6], &evasions);
}

#[test]
fn a_syn_in_a_tunnel_in_a_tunnel_is_blocked_where_both_are_enabled() {
    const GRE_IN_IP: [Tunnel; 2] = [Tunnel::V4_IN_V4, Tunnel::GRE.inside()];
    const V6_IN_DS_LITE: [Tunnel; 2] = [Tunnel::V4_IN_V6, Tunnel::V6_IN_V4.inside()];
    let evasion = Evasion::new(V4, &ONCE, syn);
    play(&GRE_IN_IP, [UNLISTED4, UNLISTED6], &[evasion]);
    let evasion = Evasion::new(V6, &ONCE, syn);
    play(&V6_IN_DS_LITE, [UNLISTED4, UNLISTED6], &[evasion]);
}

#[test]
fn a_forged_inner_source_is_blocked_by_its_outer_source() {
    let exempt = "exemptions: [{ customer: Example KK, prefixes: [198.51.100.200, 2001:db8:101:6::/64] }]\n";
    let cases: [(&'static [Tunnel], _); 6] = [
        (&[Tunnel::V6_IN_V4], V6),
        (&[Tunnel::V4_IN_V4], V4),
        (&[Tunnel::V6_IN_V6], V6),
        (&[Tunnel::GRE], V4),
        (&[Tunnel::ETHERNET_IN_GRE], V4),
        (&[Tunnel::L2TP], V4),
    ];
    for (tunnels, family) in cases {
        let policy = format!("{}{exempt}", looking_into(tunnels));
        let evasion = Evasion::new(family, &ONCE, syn);
        stage(tunnels, [EXEMPT4, EXEMPT6]).play(&policy, &[evasion]);
    }
    let evasion = Evasion::new(V4, &ONCE, syn);
    let tunnels = &[Tunnel::GRE];
    stage(tunnels, [UNLISTED4, UNLISTED6]).play(&looking_into(tunnels), &[evasion]);
}

#[test]
fn a_syn_in_gre_is_blocked_where_gre_is_enabled() {
    let evasions = [V4, V6].map(|family| Evasion::new(family, &ONCE, syn));
    play(&[Tunnel::GRE], [INNER4, INNER6], &evasions);
}

#[test]
fn a_syn_in_l2tp_is_blocked_where_l2tp_is_enabled() {
    let evasions = [V4, V6].map(|family| Evasion::new(family, &ONCE, syn));
    play(&[Tunnel::L2TP], [INNER4, INNER6], &evasions);
}

#[test]
fn outer_fragments_are_blocked_if_the_first_shows_the_ports_and_else_uninspectable() {
    // 40 bytes of IPv6 and 24 of TCP: with 48 in the first fragment the ports are in it.
    let cases: [(usize, Counted); 4] = [
        (8, &[(Uninspectable, 8)]),
        (40, &[(Uninspectable, 2)]),
        (48, &[(Blocked, 1), (Uninspectable, 1)]),
        (64, &[(Blocked, 1)]),
    ];
    for (size, counted) in cases {
        let evasion = Evasion::new(V6, counted, syn);
        let addresses = [INNER4, INNER6];
        play_in_fragments(
            &[Tunnel::V6_IN_V4],
            addresses,
            Some(size),
            Outcome::Connected,
            &[evasion],
        );
    }
    // 20 bytes of IPv4 and 24 of TCP.
    // An early IPv6 fragment is uninspectable without `tunnels:` too: its next header proves nothing.
    let cases: [(usize, Counted, Outcome); 3] = [
        (8, &[(Uninspectable, 6)], Outcome::Nothing),
        (24, &[(Blocked, 1), (Uninspectable, 1)], Outcome::Nothing),
        (48, &[(Blocked, 1)], Outcome::Connected),
    ];
    for (size, counted, without_looking) in cases {
        let evasion = Evasion::new(V4, counted, syn);
        play_in_fragments(
            &[Tunnel::V4_IN_V6],
            [B4, INNER6],
            Some(size),
            without_looking,
            &[evasion],
        );
    }
}
