//! The leaves of the source tables, from pools and exemptions.

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::values::RuleIndex;

use super::{
    classes::Classes,
    error::CompileError,
    merge::{DestinationSets, merge},
    phases::PoolPhases,
    records::{PoolPrefix, Pooled, Recorded},
};
use crate::{
    lpm::{AddressFamily, Bits, Leaf},
    policy::model::{Exemption, Policy, Precedence, Prefix},
};

/// The leaves of the source table of one family, and what they are made from. All lists are in ascending order.
pub(crate) struct Sources {
    pub(crate) pools: Vec<(Bits, Pooled)>,
    pub(crate) exempt: Vec<(Bits, RuleIndex)>,
    pub(crate) leaves: Vec<Leaf>,
}

/// What the sources of both families number together: two compilations of a policy number them alike.
pub(crate) struct Numbering<'p> {
    policy: &'p Policy,
    /// Exemptions that have expired then are left out.
    expired_at: Option<Timestamp>,
    /// That of all exemptions.
    precedence: Vec<Precedence>,
    pub(crate) phases: PoolPhases,
    pub(crate) sets: DestinationSets,
    pub(crate) classes: Classes,
    pub(crate) recorded: Recorded,
}

impl<'p> Numbering<'p> {
    pub(crate) fn new(policy: &'p Policy, expired_at: Option<Timestamp>) -> Result<Self, CompileError> {
        let mut sets = DestinationSets::new(&policy.nat64);
        Ok(Self {
            policy,
            expired_at,
            precedence: Precedence::of_all(&policy.exemptions),
            phases: PoolPhases::of(policy, &mut sets)?,
            sets,
            classes: Classes::with_room(policy.exemptions.len()),
            recorded: Recorded::default(),
        })
    }

    /// Numbers classes, sets and records in the order of calls, so IPv4 has to come first.
    pub(crate) fn sources(&mut self, family: AddressFamily) -> Result<Sources, CompileError> {
        let policy = self.policy;
        let exempt = rules(
            policy
                .exemptions
                .iter()
                .map(|exemption| in_tables(exemption, self.expired_at).iter().copied()),
            family,
        );
        let pools = self.recorded.assign(
            family,
            policy.subscribers.ipv6_prefix,
            &pools(policy, &self.phases, family),
        );
        let grants = merge(
            &policy.exemptions,
            |rule| self.precedence[rule as usize],
            &exempt,
            &mut self.sets,
        )?;
        let leaves = self.classes.leaves(&pools, &grants);
        Ok(Sources {
            pools,
            exempt,
            leaves,
        })
    }
}

/// The prefixes of an exemption that are in the tables: none if it has expired. It keeps its index.
fn in_tables(exemption: &Exemption, expired_at: Option<Timestamp>) -> &[IpNet] {
    if expired_at.is_some_and(|now| exemption.terms.have_expired(now)) {
        &[]
    } else {
        &exemption.terms.prefixes
    }
}

/// The pools' prefixes of one family, in ascending order.
fn pools(policy: &Policy, phases: &PoolPhases, family: AddressFamily) -> Vec<PoolPrefix> {
    let remember = &policy.subscribers.remember;
    let remembered: Vec<bool> = policy
        .pools
        .iter()
        .map(|pool| remember.includes(&pool.name))
        .collect();
    let prefixes = rules(policy.pools.iter().map(|pool| nets(&pool.prefixes)), family);
    prefixes
        .into_iter()
        .map(|(bits, pool)| PoolPrefix {
            bits,
            pool,
            enforce_from: policy.pools[pool as usize].enforced_from(),
            phases: phases.number(pool),
            is_remembered: remembered[pool as usize],
        })
        .collect()
}

/// The prefixes of one family in ascending order, each with the index of its item.
pub(crate) fn rules(
    items: impl Iterator<Item = impl Iterator<Item = IpNet>>,
    family: AddressFamily,
) -> Vec<(Bits, RuleIndex)> {
    let mut rules = Vec::new();
    for (rule, nets) in (0..).zip(items) {
        rules.extend(nets.filter_map(|net| Some((Bits::of(family, net)?, rule))));
    }
    rules.sort_unstable();
    rules
}

/// Prefixes without their positions.
pub(crate) fn nets(prefixes: &[Prefix]) -> impl Iterator<Item = IpNet> {
    prefixes.iter().map(|prefix| prefix.net)
}
