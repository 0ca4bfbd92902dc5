//! Merges exemptions: what all exemptions around a prefix grant together.

use std::{collections::HashMap, rc::Rc};

use ipnet::IpNet;
use op25b_common::values::{
    ALWAYS_PAST, DestinationEntry, NEVER, NO_DESTINATIONS, NO_RULE, RuleIndex, UnixSeconds,
};

use super::error::CompileError;
use crate::{
    lpm::{AddressFamily, Bits, Covering},
    policy::model::{Exemption, Nat64, Precedence},
};

/// The limit on destination entries of one address family, which is half a gigabyte of kernel memory.
const MOST_DESTINATIONS: usize = 4 << 20;

/// The grants at the source prefixes of one address family, in ascending order.
pub(crate) type Grants = Vec<(Bits, Grant)>;

/// The grants at the destination prefixes of one address family, by set and prefix.
pub(crate) type Destinations = Vec<Destination>;

/// A set, a destination prefix and what the set grants there.
pub(crate) type Destination = (u32, Bits, DestinationEntry);

/// What all exemptions that cover a source prefix grant together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Until when every destination is allowed.
    pub(crate) until: UnixSeconds,
    /// The exemption that grants `until`.
    pub(crate) rule: RuleIndex,
    /// The set of destinations that are allowed in addition.
    pub(crate) destinations: u32,
}

impl Grant {
    /// The grant outside all exemptions.
    pub(crate) const NOTHING: Self = Self {
        until: ALWAYS_PAST,
        rule: NO_RULE,
        destinations: NO_DESTINATIONS,
    };
}

/// The grant at a source prefix, for the prefixes inside it.
#[derive(Clone)]
struct Held {
    entry: Grant,
    /// The exemptions with destinations that cover the prefix, in ascending order.
    restricted: Rc<[RuleIndex]>,
}

/// Merges at each exempt prefix what the exemptions that cover it grant.
///
/// Of exemptions without destinations, the grant names the one that lasts longest, and of several the first in the file.
///
/// `prefixes` are those of one family in ascending order, each with its exemption; `precedence` returns an exemption's
/// precedence. The destinations are added to `sets`, which both families share.
pub(crate) fn merge(
    exemptions: &[Exemption],
    precedence: impl Fn(RuleIndex) -> Precedence,
    prefixes: &[(Bits, RuleIndex)],
    sets: &mut DestinationSets,
) -> Result<Grants, CompileError> {
    let mut sources = Vec::with_capacity(prefixes.len());
    let mut covering: Covering<Held> = Covering::new();
    let nothing = Held {
        entry: Grant::NOTHING,
        restricted: Rc::default(),
    };
    for same in prefixes.chunk_by(|one, next| one.0 == next.0) {
        let bits = same[0].0;
        let outer = covering.enter(bits).unwrap_or(&nothing);
        let mut held = outer.clone();
        let mut restricted = Vec::new();
        for (_, rule) in same {
            let precedence = precedence(*rule);
            if precedence.is_restricted {
                restricted.push(*rule);
            } else if is_better((precedence.until, *rule), (held.entry.until, held.entry.rule)) {
                (held.entry.until, held.entry.rule) = (precedence.until, *rule);
            }
        }
        if !restricted.is_empty() {
            restricted.extend(held.restricted.iter());
            restricted.sort_unstable();
            restricted.dedup();
            held.restricted = restricted.into();
        }
        // If neither has changed, the set is that of the prefix around this one.
        if held.entry.until != outer.entry.until || !Rc::ptr_eq(&held.restricted, &outer.restricted) {
            held.entry.destinations = sets.number(exemptions, &held.restricted, held.entry.until)?;
        }
        // A prefix without a grant of its own has that of the prefix around it.
        if held.entry != outer.entry {
            sources.push((bits, held.entry));
        }
        covering.push(bits, held);
    }
    Ok(sources)
}

/// Whether a grant takes precedence over another: the one that lasts longer, of two the first in the file.
fn is_better(one: (UnixSeconds, RuleIndex), other: (UnixSeconds, RuleIndex)) -> bool {
    one.0 > other.0 || (one.0 == other.0 && one.1 < other.1)
}

/// The destination sets made so far.
///
/// A set has destinations of both families, whatever the family of the source: with DS-Lite an IPv6 source connects to IPv4
/// destinations.
#[derive(Clone, Debug)]
pub(crate) struct DestinationSets {
    nat64: Nat64,
    /// How many there are.
    count: u32,
    /// The numbers of those of exemptions.
    numbers: HashMap<Vec<RuleIndex>, u32>,
    /// IPv4 destinations.
    pub(crate) v4: Destinations,
    /// IPv6 destinations.
    pub(crate) v6: Destinations,
}

impl DestinationSets {
    /// None yet. IPv4 destinations will be reached under these prefixes as well.
    pub(crate) fn new(nat64: &Nat64) -> Self {
        Self {
            nat64: nat64.clone(),
            count: 0,
            numbers: HashMap::new(),
            v4: Destinations::new(),
            v6: Destinations::new(),
        }
    }

    /// Whether IPv6 sources reach IPv4 destinations.
    pub(crate) fn are_translated(&self) -> bool {
        !self.nat64.prefixes().is_empty()
    }

    /// The set of the destinations that these exemptions grant for longer than `until`, until which all are granted.
    fn number(
        &mut self,
        exemptions: &[Exemption],
        restricted: &[RuleIndex],
        until: UnixSeconds,
    ) -> Result<u32, CompileError> {
        if until == NEVER {
            return Ok(NO_DESTINATIONS);
        }
        let lasting: Vec<RuleIndex> = restricted
            .iter()
            .copied()
            .filter(|rule| exemptions[*rule as usize].until() > until)
            .collect();
        if lasting.is_empty() {
            return Ok(NO_DESTINATIONS);
        }
        if let Some(number) = self.numbers.get(&lasting) {
            return Ok(*number);
        }
        let destinations = lasting.iter().flat_map(|rule| {
            let exemption = &exemptions[*rule as usize];
            let nets = exemption.terms.destinations.iter();
            nets.map(|net| (*net, exemption.until(), *rule))
        });
        let destinations: Vec<_> = destinations.collect();
        let number = self.add(&destinations, is_better)?;
        self.numbers.insert(lasting, number);
        Ok(number)
    }

    /// Makes a set of destinations, each with its time and rule; of those that have an address the better one decides. Returns its
    /// number.
    pub(crate) fn add(
        &mut self,
        destinations: &[(IpNet, UnixSeconds, RuleIndex)],
        is_better: fn((UnixSeconds, RuleIndex), (UnixSeconds, RuleIndex)) -> bool,
    ) -> Result<u32, CompileError> {
        let too_many = CompileError::TooManyDestinations {
            limit: MOST_DESTINATIONS,
        };
        let number = self.count.checked_add(1).ok_or_else(|| too_many.clone())?;
        let (before_v4, before_v6) = (self.v4.len(), self.v6.len());
        let entries = |family| self.entries(number, destinations, is_better, family);
        let (v4, v6) = (entries(AddressFamily::V4), entries(AddressFamily::V6));
        self.v4.extend(v4);
        self.v6.extend(v6);
        if self.v4.len().max(self.v6.len()) > MOST_DESTINATIONS {
            // The number will be that of another set.
            self.v4.truncate(before_v4);
            self.v6.truncate(before_v6);
            return Err(too_many);
        }
        self.count = number;
        Ok(number)
    }

    /// The entries of a set, each with the best of the destinations around it.
    fn entries(
        &self,
        number: u32,
        destinations: &[(IpNet, UnixSeconds, RuleIndex)],
        is_better: fn((UnixSeconds, RuleIndex), (UnixSeconds, RuleIndex)) -> bool,
        family: AddressFamily,
    ) -> Destinations {
        let mut entries = Destinations::new();
        let translated = destinations.iter().flat_map(|(net, until, rule)| {
            let nets = self.nat64.with_translated(*net);
            nets.filter_map(|net| Some((Bits::of(family, net)?, *until, *rule)))
        });
        let mut translated: Vec<_> = translated.collect();
        translated.sort_unstable();
        let mut covering: Covering<DestinationEntry> = Covering::new();
        for same in translated.chunk_by(|one, next| one.0 == next.0) {
            let bits = same[0].0;
            let outer = covering.enter(bits).copied();
            let best = same.iter().fold(outer, |best, (_, until, rule)| {
                let is_best = best.is_none_or(|best| is_better((*until, *rule), (best.until, best.rule)));
                let this = DestinationEntry {
                    until: *until,
                    rule: *rule,
                };
                if is_best { Some(this) } else { best }
            });
            let Some(best) = best else { continue };
            if outer != Some(best) {
                entries.push((number, bits, best));
            }
            covering.push(bits, best);
        }
        entries
    }
}
