//! Warnings about valid policies that are probably not what was intended.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};
use jiff::Timestamp;
use op25b_common::values::UnixSeconds;

use super::{code::Code, diagnostic::Diagnostic, reporter::Reporter};
use crate::{
    lpm::{AddressFamily, Bits, Covering},
    policy::{
        characters::printable,
        model::{
            Exemption, Handling, Inbound, Policy, PoolMode, Position, Positions, Precedence, Relay, Role,
            Tunnel,
        },
    },
};

/// Warns about exemptions that have no effect, or too much of it, and about the like.
pub(crate) fn lint(reporter: &mut Reporter<'_>, policy: &Policy, now: Timestamp) {
    warn_of_inbound_without_uplink(reporter, policy);
    warn_of_relays_that_are_translated(reporter, policy);
    warn_of_unseen_monitoring(reporter, policy, now);
    warn_of_exemptions_without_end(reporter, policy);
    warn_of_families_that_never_meet(reporter, policy);
    let precedence = Precedence::of_all(&policy.exemptions);
    for family in [AddressFamily::V4, AddressFamily::V6] {
        let mut exempt = exempt_prefixes(policy, family);
        warn_of_exemptions_beside_pools(reporter, policy, family, &precedence, &exempt);
        exempt.sort_unstable();
        warn_of_covered_exemptions(reporter, policy, now, &precedence, &exempt);
    }
}

/// An exemption's prefix, the index of the exemption and that of the prefix in it: small, as there may be a million.
type Exempt = (Bits, u32, u32);

/// The prefixes of one family, in the order of the file.
fn exempt_prefixes(policy: &Policy, family: AddressFamily) -> Vec<Exempt> {
    let mut exempt = Vec::new();
    for (index, exemption) in (0..).zip(&policy.exemptions) {
        for (number, net) in (0..).zip(&exemption.terms.prefixes) {
            exempt.extend(Bits::of(family, *net).map(|bits| (bits, index, number)));
        }
    }
    exempt
}

fn warn_of_inbound_without_uplink(reporter: &mut Reporter<'_>, policy: &Policy) {
    let has_uplink = policy
        .interfaces
        .iter()
        .any(|interface| interface.role == Role::Uplink);
    if policy.block.inbound == Inbound::Block
        && !has_uplink
        && let Some(interface) = policy.interfaces.first()
    {
        warn_at(
            reporter,
            interface.at,
            Code::InboundWithoutUplink,
            || "`inbound: block` has no effect: no interface has `role: uplink`".to_owned(),
            "add the interface towards the Internet with `role: uplink`",
        );
    }
}

fn warn_of_unseen_monitoring(reporter: &mut Reporter<'_>, policy: &Policy, now: Timestamp) {
    let remember = &policy.subscribers.remember;
    for pool in &policy.pools {
        let is_monitored = pool.mode == PoolMode::Monitor
            || !(pool.phases.iter()).any(|phase| phase.is_everywhere() && phase.has_begun(now));
        if is_monitored && !remember.includes(&pool.name) {
            warn_at(
                reporter,
                pool.at,
                Code::MonitoredUnseen,
                || {
                    format!(
                        "pool `{}` is monitored, and `remember` leaves it out: `op25b subscribers` does not show who would be blocked",
                        pool.name
                    )
                },
                "remember the pool until it is enforced",
            );
        }
    }
}

fn warn_of_exemptions_without_end(reporter: &mut Reporter<'_>, policy: &Policy) {
    if policy.exemption_limits.max_age.is_none() {
        return;
    }
    for (exemption, positions) in
        in_file(policy).filter(|(exemption, _)| exemption.terms.expires_at.is_none())
    {
        warn_at(
            reporter,
            positions.exemption(),
            Code::ExemptionWithoutEnd,
            || {
                format!(
                    "the exemption of `{}` has no end, and `exemption_max_age` is set",
                    printable(&exemption.terms.customer)
                )
            },
            "add `expires`",
        );
    }
}

/// Warns of IPv6 relays that are a large part of the IPv4 Internet, behind a translator.
fn warn_of_relays_that_are_translated(reporter: &mut Reporter<'_>, policy: &Policy) {
    let relays = policy.relays.iter().flat_map(|relay| &relay.prefixes);
    for relay in relays {
        for nat64 in policy.nat64.prefixes() {
            let IpNet::V6(net) = relay.net else { continue };
            let most = nat64.embed(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, Relay::SHORTEST_V4));
            // Shorter ones are wide in any case.
            let is_wide = net.prefix_len() >= Relay::SHORTEST_V6
                && (net.contains(&nat64.net())
                    || nat64.net().contains(&net) && net.prefix_len() < most.prefix_len());
            if is_wide {
                let message = || {
                    format!(
                        "relay prefix {net} opens the blocked ports to a large part of the Internet: {} translates it to \
                         IPv4",
                        nat64.net()
                    )
                };
                let hint = "list only the addresses of your own mail servers; those in IPv4 are translated by themselves";
                warn_at(reporter, relay.at, Code::WideRelay, message, hint);
            }
        }
    }
}

/// Warns of exemptions whose sources reach none of their destinations.
fn warn_of_families_that_never_meet(reporter: &mut Reporter<'_>, policy: &Policy) {
    // An outer source, and a destination inside the tunnel, may be of different families.
    let mut tunnels = policy.interfaces.iter().flat_map(|interface| &interface.tunnels);
    if tunnels.any(|tunnel| !matches!(tunnel, Tunnel::V4InV4 | Tunnel::V6InV6)) {
        return;
    }
    let are_translated = !policy.nat64.prefixes().is_empty();
    for (exemption, positions) in in_file(policy) {
        let destinations = &exemption.terms.destinations;
        let any_v4 = destinations.iter().any(|net| net.addr().is_ipv4());
        let any_v6 = destinations.iter().any(|net| net.addr().is_ipv6());
        // Behind a translator, IPv6 sources reach IPv4 destinations.
        if destinations.is_empty() || any_v4 && (any_v6 || are_translated) {
            continue;
        }
        let family = if any_v4 { "IPv4" } else { "IPv6" };
        for (number, net) in exemption.terms.prefixes.iter().enumerate() {
            if net.addr().is_ipv4() != any_v4 {
                warn_at(
                    reporter,
                    positions.prefix(number),
                    Code::ExemptionNeverMatches,
                    || format!("{net} never matches: all destinations of its exemption are {family}"),
                    "add destinations of the same address family, or remove this prefix",
                );
            }
        }
    }
}

fn warn_of_exemptions_beside_pools(
    reporter: &mut Reporter<'_>,
    policy: &Policy,
    family: AddressFamily,
    precedence: &[Precedence],
    exempt: &[Exempt],
) {
    let mut pools: Vec<(Bits, usize)> = policy
        .pools
        .iter()
        .enumerate()
        .flat_map(|(index, pool)| pool.prefixes.iter().map(move |prefix| (prefix, index)))
        .filter_map(|(prefix, index)| Some((Bits::of(family, prefix.net)?, index)))
        .collect();
    pools.sort_unstable();
    // The prefixes inside no other: they do not overlap, so only the last one that begins before an address can contain it.
    let mut outermost: Vec<Bits> = Vec::new();
    for (bits, _) in &pools {
        if outermost.last().is_none_or(|outer| !outer.covers(*bits)) {
            outermost.push(*bits);
        }
    }

    for (bits, index, number) in exempt {
        let mut warn = |code, message: &dyn Fn(IpNet) -> String, hint| {
            let (exemption, number) = (&policy.exemptions[*index as usize], *number as usize);
            if let Some(positions) = exemption.positions() {
                let message = || message(exemption.terms.prefixes[number]);
                warn_at(reporter, positions.prefix(number), code, message, hint);
            }
        };
        // A prefix is followed by the prefixes inside it; an equal one comes first.
        let inside = pools.partition_point(|(pool, _)| pool < bits);
        if let Some((pool, of)) = pools.get(inside)
            && pool.first() <= bits.last()
        {
            if !precedence[*index as usize].is_restricted {
                let whole = if pool == bits { "is" } else { "contains" };
                let name = &policy.pools[*of].name;
                warn(
                    Code::ExemptionCoversPool,
                    &|net| format!("{net} {whole} a whole prefix of pool `{name}`: nothing in it is blocked"),
                    "exempt only the customer's own addresses, or remove the prefix from the pool",
                );
            }
            continue;
        }
        let before = outermost.partition_point(|pool| pool <= bits);
        let in_pool = before > 0 && outermost[before - 1].covers(*bits);
        // With `unlisted: drop`, customers outside the pools need exemptions.
        if !in_pool && policy.block.unlisted == Handling::Pass {
            warn(
                Code::ExemptionInNoPool,
                &|net| format!("{net} is in no pool: the exemption has no effect"),
                "remove it, or check the prefix",
            );
        }
    }
}

/// An exemption without destinations, which may cover others.
#[derive(Clone, Copy)]
struct Cover {
    until: UnixSeconds,
    exemption: usize,
    /// The index of its prefix.
    prefix: usize,
}

/// `exempt` is in the order of prefixes.
fn warn_of_covered_exemptions(
    reporter: &mut Reporter<'_>,
    policy: &Policy,
    now: Timestamp,
    precedence: &[Precedence],
    exempt: &[Exempt],
) {
    let mut covering = Covering::new();
    for same in exempt.chunk_by(|one, next| one.0 == next.0) {
        let bits = same[0].0;
        let outer: Option<Cover> = covering.enter(bits).copied();
        let here = same
            .iter()
            .map(|(_, index, number)| (*index as usize, *number as usize))
            .filter(|(index, _)| !precedence[*index].is_restricted)
            .map(|(index, number)| Cover {
                until: precedence[index].until,
                exemption: index,
                prefix: number,
            })
            // Of several that last equally long, the first in the file covers the others.
            .reduce(|best, next| if next.until > best.until { next } else { best });
        for (_, index, number) in same {
            let (index, number) = (*index as usize, *number as usize);
            let lasts = |cover: &Cover| cover.until >= precedence[index].until;
            let cover = outer
                .filter(lasts)
                .or(here.filter(|cover| cover.exemption != index && lasts(cover)));
            if let Some(cover) = cover
                && policy.exemptions[index].holds_at(now)
            {
                warn_of_cover(reporter, policy, (index, number), cover);
            }
        }
        let longest = match (outer, here) {
            (Some(outer), Some(here)) => Some(if here.until > outer.until { here } else { outer }),
            (outer, here) => outer.or(here),
        };
        if let Some(longest) = longest {
            covering.push(bits, longest);
        }
    }
}

fn warn_of_cover(reporter: &mut Reporter<'_>, policy: &Policy, covered: (usize, usize), cover: Cover) {
    let (index, number) = covered;
    let (exemption, other) = (&policy.exemptions[index], &policy.exemptions[cover.exemption]);
    let (Some(positions), Some(others)) = (exemption.positions(), other.positions()) else {
        return;
    };
    let net = exemption.terms.prefixes[number];
    let place = reporter.place(others.prefix(cover.prefix), positions.prefix(number));
    let whose = if cover.exemption == index {
        "the same exemption".to_owned()
    } else {
        format!("the exemption of `{}`", other.terms.customer)
    };
    let effect = if exemption.terms.destinations.is_empty() {
        "has no effect"
    } else {
        "restricts nothing"
    };
    warn_at(
        reporter,
        positions.prefix(number),
        Code::ExemptionCovered,
        || format!("{net} is covered by {whose} on {place}, which lasts at least as long: this one {effect}"),
        "remove one of the two",
    );
}

/// The exemptions of the policy file, with their positions.
fn in_file(policy: &Policy) -> impl Iterator<Item = (&Exemption, &Positions)> {
    let exemptions = policy.exemptions.iter();
    exemptions.filter_map(|exemption| Some((exemption, exemption.positions()?)))
}

fn warn_at(
    reporter: &mut Reporter<'_>,
    at: Position,
    code: Code,
    message: impl FnOnce() -> String,
    hint: &str,
) {
    reporter.report_word(at, code, || Diagnostic::new(code, message()).hint(hint));
}
