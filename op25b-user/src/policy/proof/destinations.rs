//! Proves the sets of destinations: that a set grants what the exemptions grant for which it was made.

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

/// The end and the exemption of what is granted for a destination.
type Granted = Option<(UnixSeconds, RuleIndex)>;

/// The sets of a compiled policy.
pub(super) struct Sets<'a> {
    policy: &'a Policy,
    v4: BySet,
    v6: BySet,
    /// The exemptions for which each set was proven.
    proven: HashMap<u32, Vec<RuleIndex>>,
}

/// The entries of one family by the number of their set.
type BySet = BTreeMap<u32, Vec<(Span, (UnixSeconds, RuleIndex))>>;

/// A range of destinations for which a set does not grant what the exemptions do.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) family: AddressFamily,
    pub(super) first: u128,
    pub(super) last: u128,
    pub(super) set: Granted,
    pub(super) policy: Granted,
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
        let mut by_set = Sweep::new(entries, None, |_: &Granted, _, entry| {
            Some(*entry).filter(|(until, _)| *until > from)
        });
        let mut by_policy = Sweep::new(&granted, None, |outer: &Granted, _, (until, index)| {
            let is_better =
                outer.is_none_or(|(end, first)| *until > end || (*until == end && *index < first));
            if is_better { Some((*until, *index)) } else { *outer }
        });
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
        entries.sort_unstable_by_key(|(span, _)| (span.first, span.length));
    }
    Some(sets)
}
