//! Compares what the reference decides by two policies about a source.
//!
//! The decision depends on the source only through the pools and exemptions around it. So the reference is asked about a policy of
//! those alone, once for all sources with the same ones.

use std::{collections::HashMap, net::IpAddr};

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::{Reason, Verdict};

use crate::{
    policy::{
        Exemption, Flow, Handling, Policy, Pool, Prefix, Rule,
        reference::{self, Expected},
        sample_destination,
    },
    report::index::Index,
};

/// The most destinations of exemptions that are examined for one source.
const MOST_DESTINATIONS: usize = 32;

/// A policy with what finds its rules.
pub(super) struct Side<'p> {
    pub(super) policy: &'p Policy,
    pools: Index,
    exemptions: Index,
    /// The policy without pools and exemptions.
    rest: Policy,
}

/// The numbers of the rules around a source, with the prefixes of the pools, which decide by their lengths.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Around {
    pools: Vec<(usize, IpNet)>,
    exemptions: Vec<usize>,
}

/// A change of the verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) is_blocked: bool,
    pub(super) was: Reason,
    pub(super) becomes: Reason,
    /// The number of the exemption that lets the connection pass before or after.
    pub(super) exemption: Option<usize>,
    pub(super) pool: Option<String>,
    pub(super) port: u16,
    /// None for all destinations that no rule names.
    pub(super) destination: Option<IpAddr>,
}

/// Two policies that are compared.
pub(super) struct Comparison<'p> {
    pub(super) before: Side<'p>,
    pub(super) after: Side<'p>,
    now: Timestamp,
    ports: Vec<u16>,
    known: HashMap<(bool, Around, Around), Vec<Change>>,
}

impl<'p> Side<'p> {
    fn new(policy: &'p Policy, now: Timestamp) -> Self {
        let pools = policy.pools.iter().enumerate();
        let pools =
            pools.flat_map(|(number, pool)| pool.prefixes.iter().map(move |prefix| (prefix.net, number)));
        let holds = |(_, exemption): &(usize, &Exemption)| exemption.holds_at(now);
        let exemptions = policy.exemptions.iter().enumerate().filter(holds);
        let exemptions = exemptions.flat_map(|(number, exemption)| {
            exemption
                .terms
                .prefixes
                .iter()
                .map(move |prefix| (*prefix, number))
        });
        Self {
            pools: Index::new(pools),
            exemptions: Index::new(exemptions),
            rest: Policy {
                interfaces: Vec::new(),
                block: policy.block.clone(),
                subscribers: policy.subscribers.clone(),
                history: policy.history,
                events: policy.events,
                alerts: None,
                pools: Vec::new(),
                relays: policy.relays.clone(),
                nat64: policy.nat64.clone(),
                privacy: policy.privacy,
                exemptions: Vec::new(),
                exemption_limits: policy.exemption_limits,
                metrics: None,
                lists: Vec::new(),
            },
            policy,
        }
    }

    fn around(&self, source: IpAddr) -> Around {
        let exemptions = self.exemptions.around(source).into_iter();
        let mut exemptions: Vec<_> = exemptions.map(|(number, _)| number).collect();
        // The reference prefers the first of the file, and each counts once.
        exemptions.sort_unstable();
        exemptions.dedup();
        Around {
            pools: self.pools.around(source),
            exemptions,
        }
    }

    /// The policy of what is around a source alone.
    fn reduced(&self, around: &Around) -> Policy {
        let mut pools = around.pools.clone();
        pools.sort_unstable_by_key(|(number, _)| *number);
        let pools = pools.into_iter().map(|(number, net)| {
            let Pool {
                name,
                mode,
                phases,
                paused_until,
                at,
                ..
            } = &self.policy.pools[number];
            Pool {
                name: name.clone(),
                prefixes: vec![Prefix { net, at: *at }],
                mode: *mode,
                phases: phases.clone(),
                paused_until: *paused_until,
                at: *at,
            }
        });
        let exemptions = around.exemptions.iter();
        Policy {
            pools: pools.collect(),
            exemptions: exemptions
                .map(|number| self.policy.exemptions[*number].clone())
                .collect(),
            ..self.rest.clone()
        }
    }

    /// The name of the pool that decides.
    fn pool(&self, around: &Around) -> Option<String> {
        let (number, _) = around.pools.first()?;
        Some(self.policy.pools[*number].name.clone())
    }

    /// The first addresses of the prefixes inside another one.
    pub(super) fn inside(&self, net: IpNet, most: usize) -> impl Iterator<Item = IpAddr> + '_ {
        self.pools
            .inside(net, most)
            .chain(self.exemptions.inside(net, most))
    }
}

impl<'p> Comparison<'p> {
    pub(super) fn new(before: &'p Policy, after: &'p Policy, now: Timestamp) -> Self {
        let mut ports = before.block.ports.clone();
        ports.extend(&after.block.ports);
        ports.sort_unstable();
        ports.dedup();
        Self {
            before: Side::new(before, now),
            after: Side::new(after, now),
            now,
            ports,
            known: HashMap::new(),
        }
    }

    /// What changes for a source: at most one change to blocked and one to free.
    pub(super) fn of(&mut self, source: IpAddr) -> Vec<Change> {
        let (before, after) = (self.before.around(source), self.after.around(source));
        if before.pools.is_empty() && after.pools.is_empty() && !self.has_unlisted() {
            // Neither policy blocks anything there.
            return Vec::new();
        }
        let key = (source.is_ipv4(), before, after);
        if let Some(changes) = self.known.get(&key) {
            return changes.clone();
        }
        let changes = self.compare(source, &key.1, &key.2);
        self.known.insert(key, changes.clone());
        changes
    }

    /// Whether one of the policies blocks what is in no pool.
    fn has_unlisted(&self) -> bool {
        let drops = |side: &Side<'_>| side.policy.block.unlisted == Handling::Drop;
        drops(&self.before) || drops(&self.after)
    }

    fn compare(&self, source: IpAddr, before: &Around, after: &Around) -> Vec<Change> {
        let (old, new) = (self.before.reduced(before), self.after.reduced(after));
        let mut changes: Vec<Change> = Vec::new();
        for destination in destinations(source, &old, &new) {
            let (address, is_named) = destination;
            for port in &self.ports {
                let flow = Flow {
                    source,
                    destination: address,
                    destination_port: *port,
                };
                let was = reference::decide(&old, &flow, self.now);
                let becomes = reference::decide(&new, &flow, self.now);
                let is_blocked = match (passes(&was), passes(&becomes)) {
                    (true, false) => true,
                    (false, true) => false,
                    _ => continue,
                };
                if changes.iter().any(|change| change.is_blocked == is_blocked) {
                    continue;
                }
                let (decided, side, around) = if is_blocked {
                    (&was, &self.before, before)
                } else {
                    (&becomes, &self.after, after)
                };
                let exemption = match decided.rule {
                    Some(Rule::Exemption(number)) => around.exemptions.get(number).copied(),
                    _ => None,
                };
                let pool = self.after.pool(after).or_else(|| self.before.pool(before));
                changes.push(Change {
                    is_blocked,
                    was: was.reason,
                    becomes: becomes.reason,
                    exemption: exemption.filter(|number| *number < side.policy.exemptions.len()),
                    pool,
                    port: *port,
                    destination: is_named.then_some(address),
                });
            }
        }
        changes
    }
}

/// A destination that no rule names, then those of the exemptions and pools around the source; each with whether a rule names it.
fn destinations(source: IpAddr, old: &Policy, new: &Policy) -> Vec<(IpAddr, bool)> {
    let in_new = |address: &IpAddr| {
        let relays = new.relays.iter().flat_map(|relay| &relay.prefixes);
        let relays = relays.flat_map(|prefix| new.nat64.with_translated(prefix.net));
        relays.chain(named(new)).any(|net| net.contains(address))
    };
    let sample = sample_destination(old, source, in_new);
    let named = [old, new].into_iter().flat_map(named);
    // Of two that overlap, one ends before the other.
    let named = named
        .flat_map(|net| [net.addr(), net.broadcast()])
        .filter(|address| address.is_ipv4() == source.is_ipv4())
        .take(MOST_DESTINATIONS);
    let sample = sample.map(|address| (address, false));
    sample
        .into_iter()
        .chain(named.map(|address| (address, true)))
        .collect()
}

fn passes(expected: &Expected) -> bool {
    expected.verdict == Verdict::Pass
}

/// The destinations that a policy's exemptions and the phases of its pools name.
fn named(policy: &Policy) -> impl Iterator<Item = IpNet> {
    let exempt = policy.exemptions.iter();
    let exempt = exempt.flat_map(|it| it.terms.destinations.iter().copied());
    let phases = policy.pools.iter().flat_map(|pool| &pool.phases);
    let phases = phases.flat_map(|phase| phase.only_to.iter().map(|prefix| prefix.net));
    exempt
        .chain(phases)
        .flat_map(|net| policy.nat64.with_translated(net))
}
