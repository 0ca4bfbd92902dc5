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

impl Sources {
    /// Numbers classes, sets and records in the order of calls, so IPv4 has to come first. Exemptions that have expired at
    /// `expired_at` are left out. `precedence` is that of all exemptions.
    pub(crate) fn of(
        policy: &Policy,
        precedence: &[Precedence],
        expired_at: Option<Timestamp>,
        family: AddressFamily,
        classes: &mut Classes,
        (phases, sets): (&PoolPhases, &mut DestinationSets),
        recorded: &mut Recorded,
    ) -> Result<Self, CompileError> {
        let exempt = rules(
            policy
                .exemptions
                .iter()
                .map(|exemption| in_tables(exemption, expired_at).iter().copied()),
            family,
        );
        let pools = recorded.assign(
            family,
            policy.subscribers.ipv6_prefix,
            &pools(policy, phases, family),
        );
        let grants = merge(
            &policy.exemptions,
            |rule| precedence[rule as usize],
            &exempt,
            sets,
        )?;
        let leaves = classes.leaves(&pools, &grants);
        Ok(Self {
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
