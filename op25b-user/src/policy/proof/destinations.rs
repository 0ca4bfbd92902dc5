//! Proves the sets of destinations: that a set grants what the exemptions grant for which it was made, or begins as the phases of the
//! pool do for which it was made.

use std::collections::{BTreeMap, HashMap};

use op25b_common::{
    keys::DestinationKey,
    values::{DestinationEntry, NO_DESTINATIONS, RuleIndex, UnixSeconds},
};

use super::sweep::{Span, Sweep, sorted};
use crate::{
    lpm::AddressFamily,
    policy::{
        compile::{Compiled, TrieEntry},
        model::Policy,
    },
};

/// What is said of a destination: the end and the exemption of what is granted, or the beginning and the place of a phase.
pub(super) type Said = Option<(UnixSeconds, RuleIndex)>;

/// The sets of a compiled policy.
pub(super) struct Sets<'a> {
    policy: &'a Policy,
    v4: BySet,
    v6: BySet,
    /// The exemptions for which each set was proven.
    proven: HashMap<u32, Vec<RuleIndex>>,
    /// The pool for whose phases each set was proven.
    proven_phases: HashMap<u32, RuleIndex>,
}

/// The entries of one family by the number of their set.
type BySet = BTreeMap<u32, Vec<(Span, (UnixSeconds, RuleIndex))>>;

/// A range of destinations for which a set does not say what the policy does.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) family: AddressFamily,
    pub(super) first: u128,
    pub(super) last: u128,
    pub(super) set: Said,
    pub(super) policy: Said,
}

impl<'a> Sets<'a> {
    /// The sets; `None` if an entry is not of one set alone.
    pub(super) fn new(policy: &'a Policy, compiled: &Compiled) -> Option<Self> {
        Some(Self {
            policy,
            v4: by_set(&compiled.destinations_v4, |address| {
                u128::from(u32::from_be_bytes(*address)) << 96
            })?,
            v6: by_set(&compiled.destinations_v6, |address| u128::from_be_bytes(*address))?,
            proven: HashMap::new(),
            proven_phases: HashMap::new(),
        })
    }

    /// Proves that a set grants after `from` what these exemptions do, which are in ascending order and all end later.
    pub(super) fn prove(
        &mut self,
        number: u32,
        exemptions: Vec<RuleIndex>,
        from: UnixSeconds,
    ) -> Result<(), Wrong> {
        if number == NO_DESTINATIONS && exemptions.is_empty() || self.proven.get(&number) == Some(&exemptions)
        {
            return Ok(());
        }
        for (family, entries) in [(AddressFamily::V4, &self.v4), (AddressFamily::V6, &self.v6)] {
            // No entry of any set has this number.
            let entries = entries.get(&number).map_or(&[][..], |entries| &entries[..]);
            self.compare(family, entries, &exemptions, from)?;
        }
        self.proven.insert(number, exemptions);
        Ok(())
    }

    fn compare(
        &self,
        family: AddressFamily,
        entries: &[(Span, (UnixSeconds, RuleIndex))],
        exemptions: &[RuleIndex],
        from: UnixSeconds,
    ) -> Result<(), Wrong> {
        let granted = exemptions.iter().flat_map(|index| {
            let exemption = &self.policy.exemptions[*index as usize];
            let destinations = exemption.terms.destinations.iter();
            let destinations = destinations.flat_map(|net| self.policy.nat64.with_translated(*net));
            destinations.filter_map(|net| Some((Span::of(family, net)?, (exemption.until(), *index))))
        });
        let granted = sorted(granted);
        // The kernel's trie returns the entry of the longest prefix.
        let by_set = Sweep::new(entries, None, |_: &Said, _, entry| {
            Some(*entry).filter(|(until, _)| *until > from)
        });
        let by_policy = Sweep::new(&granted, None, |outer: &Said, _, (until, index)| {
            let is_better =
                outer.is_none_or(|(end, first)| *until > end || (*until == end && *index < first));
            if is_better { Some((*until, *index)) } else { *outer }
        });
        compare(family, by_set, by_policy)
    }

    /// Proves that a set has the destinations of a pool's phases which begin before `everywhere`, each with the first phase that has
    /// it.
    pub(super) fn prove_phases(
        &mut self,
        number: u32,
        pool: RuleIndex,
        everywhere: UnixSeconds,
    ) -> Result<(), Wrong> {
        if self.proven_phases.get(&number) == Some(&pool) {
            return Ok(());
        }
        let phases = self.policy.pools.get(pool as usize);
        let phases = (0..).zip(phases.into_iter().flat_map(|pool| &pool.phases));
        let early: Vec<_> = phases.filter(|(_, phase)| phase.begins() < everywhere).collect();
        for (family, entries) in [(AddressFamily::V4, &self.v4), (AddressFamily::V6, &self.v6)] {
            let destinations = early.iter().flat_map(|(place, phase)| {
                let nets = phase.only_to.iter();
                let nets = nets.flat_map(|prefix| self.policy.nat64.with_translated(prefix.net));
                nets.filter_map(|net| Some((Span::of(family, net)?, (phase.begins(), *place))))
            });
            let destinations = sorted(destinations);
            let entries = entries.get(&number).map_or(&[][..], |entries| &entries[..]);
            let by_set = Sweep::new(entries, None, |_: &Said, _, entry| Some(*entry));
            let by_policy = Sweep::new(&destinations, None, |outer: &Said, _, phase| {
                Some(outer.map_or(*phase, |outer| outer.min(*phase)))
            });
            compare(family, by_set, by_policy)?;
        }
        self.proven_phases.insert(number, pool);
        Ok(())
    }
}

/// Compares what a set says with what the policy says, range by range.
fn compare<F, G>(
    family: AddressFamily,
    mut by_set: Sweep<'_, (UnixSeconds, RuleIndex), Said, F>,
    mut by_policy: Sweep<'_, (UnixSeconds, RuleIndex), Said, G>,
) -> Result<(), Wrong>
where
    F: Fn(&Said, Span, &(UnixSeconds, RuleIndex)) -> Said,
    G: Fn(&Said, Span, &(UnixSeconds, RuleIndex)) -> Said,
{
    let mut first = 0;
    loop {
        let last = by_set.last().min(by_policy.last());
        if by_set.state() != by_policy.state() {
            return Err(Wrong {
                family,
                first,
                last,
                set: *by_set.state(),
                policy: *by_policy.state(),
            });
        }
        let Some(next) = last.checked_add(1) else {
            return Ok(());
        };
        if by_set.last() == last {
            by_set.advance();
        }
        if by_policy.last() == last {
            by_policy.advance();
        }
        first = next;
    }
}

fn by_set<A>(
    entries: &[TrieEntry<DestinationKey<A>, DestinationEntry>],
    address: fn(&A) -> u128,
) -> Option<BySet> {
    let mut sets = BySet::new();
    for TrieEntry {
        prefix_len,
        key,
        value,
    } in entries
    {
        let length = prefix_len.checked_sub(DestinationKey::<A>::SET_BITS)?;
        let span = Span::new(address(&key.address), u8::try_from(length).ok()?);
        let set = sets.entry(u32::from_be_bytes(key.set)).or_default();
        set.push((span, (value.until, value.rule)));
    }
    for entries in sets.values_mut() {
        entries.sort_unstable_by_key(|(span, _)| (span.first(), span.length));
    }
    Some(sets)
}
