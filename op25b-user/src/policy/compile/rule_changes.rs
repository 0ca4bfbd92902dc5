//! The changes of a compiled policy when one exemption is added or removed.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::{
    TableRoot,
    keys::{AddressV4, AddressV6, DestinationKey},
    values::{Class, DestinationEntry, RuleIndex},
};

use super::{
    classes::Classes,
    entry::{TrieEntry, destinations},
    error::CompileError,
    merge::{DestinationSets, merge},
    records::Pooled,
    sources::Numbering,
};
use crate::{
    lpm::{AddressFamily, Bits, Leaf, LiveTables, TablesFull},
    policy::model::{Exemption, Policy, Precedence},
};

/// The rules of a policy, in an order in which those of a part of the address space are found without the others.
///
/// It numbers classes and destination sets as [`crate::policy::compile()`] does, and continues from there.
#[derive(Clone, Debug)]
pub struct Rules {
    exemptions: Vec<Exemption>,
    v4: Prefixes,
    v6: Prefixes,
    classes: Classes,
    sets: DestinationSets,
    /// What the changes that were returned have of the classes and destinations.
    written: Written,
}

/// How many classes and destinations there are.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    classes: usize,
    v4: usize,
    v6: usize,
}

/// One family's prefixes.
#[derive(Clone, Debug)]
struct Prefixes {
    pools: BTreeMap<Bits, Pooled>,
    exempt: BTreeMap<Bits, Vec<RuleIndex>>,
}

/// What is to be written, in this order: the tables refer to classes and destinations, which are written first.
#[derive(Clone, Debug, Default)]
pub struct RuleChange {
    /// New classes and their numbers.
    pub classes: Vec<(u32, Class)>,
    /// New IPv4 destinations.
    pub destinations_v4: Vec<TrieEntry<DestinationKey<AddressV4>, DestinationEntry>>,
    /// New IPv6 destinations.
    pub destinations_v6: Vec<TrieEntry<DestinationKey<AddressV6>, DestinationEntry>>,
    /// The changed parts of tables.
    pub tables: Vec<Rewritten>,
    /// What earlier changes have of the classes and destinations.
    before: Written,
}

/// A part of a table that is written anew.
#[derive(Clone, Debug)]
pub struct Rewritten {
    /// The table.
    root: TableRoot,
    prefix: Bits,
    /// The first one is for the prefix itself.
    leaves: Vec<Leaf>,
}

impl Rewritten {
    /// Writes it to tables that are in use. For each address the answer changes atomically. After an error nothing has changed.
    pub fn write(&self, tables: &mut LiveTables<'_>) -> Result<(), TablesFull> {
        tables.write(self.root, self.prefix, &self.leaves)
    }
}

impl Rules {
    /// The rules of a policy; the errors are those of [`crate::policy::compile()`].
    pub fn new(policy: &Policy) -> Result<Self, CompileError> {
        Self::at(policy, None)
    }

    /// The rules of a policy without the exemptions that have expired at an instant, as
    /// [`crate::policy::compile_without_expired()`] compiles it.
    pub fn without_expired(policy: &Policy, now: Timestamp) -> Result<Self, CompileError> {
        Self::at(policy, Some(now))
    }

    fn at(policy: &Policy, expired_at: Option<Timestamp>) -> Result<Self, CompileError> {
        let mut numbering = Numbering::new(policy, expired_at)?;
        let mut family = |family| -> Result<Prefixes, CompileError> {
            let sources = numbering.sources(family)?;
            let mut by_prefix: BTreeMap<Bits, Vec<RuleIndex>> = BTreeMap::new();
            for (bits, rule) in sources.exempt {
                by_prefix.entry(bits).or_default().push(rule);
            }
            Ok(Prefixes {
                pools: sources.pools.into_iter().collect(),
                exempt: by_prefix,
            })
        };
        let (v4, v6) = (family(AddressFamily::V4)?, family(AddressFamily::V6)?);
        let Numbering { classes, sets, .. } = numbering;
        let written = Written::of(&classes, &sets);
        Ok(Self {
            exemptions: policy.exemptions.clone(),
            v4,
            v6,
            classes,
            sets,
            written,
        })
    }

    /// Appends an exemption; returns its index and what changes. After an error no prefix has changed, and the index is not
    /// used again.
    pub fn add(&mut self, exemption: Exemption) -> Result<(RuleIndex, RuleChange), CompileError> {
        let prefixes = exemption.terms.prefixes.clone();
        let rule = self.list(exemption)?;
        match self.change(&prefixes) {
            Ok(change) => Ok((rule, change)),
            Err(error) => {
                self.forget(rule, &prefixes);
                Err(error)
            }
        }
    }

    /// Appends an exemption without computing what changes, so that others can be checked against it.
    pub fn list(&mut self, exemption: Exemption) -> Result<RuleIndex, CompileError> {
        let rule = RuleIndex::try_from(self.exemptions.len()).map_err(|_| CompileError::TooManyRules)?;
        let prefixes = exemption.terms.prefixes.clone();
        self.exemptions.push(exemption);
        self.remember(rule, &prefixes);
        Ok(rule)
    }

    /// Removes an exemption; its index is not used again. `None` if there is no such exemption. After an error the rules are
    /// as before.
    pub fn remove(&mut self, rule: RuleIndex) -> Result<Option<RuleChange>, CompileError> {
        let Some(exemption) = self.exemptions.get(rule as usize) else {
            return Ok(None);
        };
        let prefixes = exemption.terms.prefixes.clone();
        if !self.forget(rule, &prefixes) {
            return Ok(None);
        }
        let change = self.change(&prefixes);
        if change.is_err() {
            self.remember(rule, &prefixes);
        }
        change.map(Some)
    }

    /// Undoes the addition of an exemption, whose change was not applied. Its index is not used again: classes and destination
    /// sets may name it.
    pub fn undo_add(&mut self, rule: RuleIndex, change: &RuleChange) {
        if let Some(exemption) = self.exemptions.get(rule as usize) {
            let prefixes = exemption.terms.prefixes.clone();
            self.forget(rule, &prefixes);
        }
        self.not_applied(change);
    }

    /// Undoes the removal of an exemption, whose change was not applied.
    pub fn undo_remove(&mut self, rule: RuleIndex, change: &RuleChange) {
        if let Some(exemption) = self.exemptions.get(rule as usize) {
            let prefixes = exemption.terms.prefixes.clone();
            self.remember(rule, &prefixes);
        }
        self.not_applied(change);
    }

    /// What is to be written for these prefixes to be as the rules are, whatever part of a change was applied to them.
    pub fn rewrite(&mut self, prefixes: &[IpNet]) -> Result<RuleChange, CompileError> {
        self.change(prefixes)
    }

    /// Notes that a change was not applied, or not as a whole: the next one has its classes and destinations as well.
    pub fn not_applied(&mut self, change: &RuleChange) {
        self.written = Written {
            classes: self.written.classes.min(change.before.classes),
            v4: self.written.v4.min(change.before.v4),
            v6: self.written.v6.min(change.before.v6),
        };
    }

    /// The exemptions that overlap with a prefix, in no particular order.
    #[must_use]
    pub fn overlapping(&self, net: IpNet) -> Vec<RuleIndex> {
        let (family, bits) = Bits::new(net);
        let exempt = &self.of(family).exempt;
        let mut rules: Vec<_> = touching(exempt, bits)
            .flat_map(|(_, rules)| rules.iter().copied())
            .collect();
        rules.dedup();
        rules
    }

    /// Whether a pool contains the whole prefix.
    #[must_use]
    pub fn is_pooled(&self, net: IpNet) -> bool {
        let (family, bits) = Bits::new(net);
        let pools = &self.of(family).pools;
        (0..=bits.length()).any(|length| pools.contains_key(&bits.shortened(length)))
    }

    /// Whether IPv6 sources reach IPv4 destinations through a translator.
    #[must_use]
    pub fn are_translated(&self) -> bool {
        self.sets.are_translated()
    }

    /// An exemption, including removed ones.
    #[must_use]
    pub fn exemption(&self, rule: RuleIndex) -> Option<&Exemption> {
        self.exemptions.get(rule as usize)
    }

    /// Adds an exemption to its prefixes.
    fn remember(&mut self, rule: RuleIndex, nets: &[IpNet]) {
        for net in nets {
            let (family, bits) = Bits::new(*net);
            let rules = self.family(family).exempt.entry(bits).or_default();
            if let Err(index) = rules.binary_search(&rule) {
                rules.insert(index, rule);
            }
        }
    }

    /// Removes an exemption from its prefixes; returns whether it was in any.
    fn forget(&mut self, rule: RuleIndex, nets: &[IpNet]) -> bool {
        let mut was_there = false;
        for net in nets {
            let (family, bits) = Bits::new(*net);
            let exempt = &mut self.family(family).exempt;
            if let Some(rules) = exempt.get_mut(&bits) {
                was_there |= rules.contains(&rule);
                rules.retain(|other| *other != rule);
                if rules.is_empty() {
                    exempt.remove(&bits);
                }
            }
        }
        was_there
    }

    fn of(&self, family: AddressFamily) -> &Prefixes {
        match family {
            AddressFamily::V4 => &self.v4,
            AddressFamily::V6 => &self.v6,
        }
    }

    fn family(&mut self, family: AddressFamily) -> &mut Prefixes {
        match family {
            AddressFamily::V4 => &mut self.v4,
            AddressFamily::V6 => &mut self.v6,
        }
    }

    /// The classes at these prefixes as they are now.
    fn change(&mut self, nets: &[IpNet]) -> Result<RuleChange, CompileError> {
        let before = self.written;
        let mut change = RuleChange {
            before,
            ..RuleChange::default()
        };
        for net in nets {
            let (family, bits) = Bits::new(*net);
            let (root, rules) = match family {
                AddressFamily::V4 => (TableRoot::SourcesV4, &self.v4),
                AddressFamily::V6 => (TableRoot::SourcesV6, &self.v6),
            };
            let grants = merge(
                &self.exemptions,
                |rule| Precedence::of(&self.exemptions[rule as usize]),
                &rules.exempt_at(bits),
                &mut self.sets,
            )?;
            let pools: Vec<_> = touching(&rules.pools, bits)
                .map(|(bits, pooled)| (bits, *pooled))
                .collect();
            let leaves = self.classes.leaves(&pools, &grants);
            let (around, inside): (Vec<Leaf>, Vec<Leaf>) =
                leaves.into_iter().partition(|leaf| leaf.prefix.covers(bits));
            let whole = Leaf {
                prefix: bits,
                class: around.last().map_or(0, |leaf| leaf.class),
            };
            let leaves = std::iter::once(whole).chain(inside).collect();
            change.tables.push(Rewritten {
                root,
                prefix: bits,
                leaves,
            });
        }
        #[expect(clippy::cast_possible_truncation, reason = "classes are numbered in 32 bits")]
        let first = before.classes as u32;
        change.classes = (first..)
            .zip(self.classes.all[before.classes..].iter().copied())
            .collect();
        change.destinations_v4 = destinations(self.sets.v4[before.v4..].iter().copied(), Bits::v4_octets);
        change.destinations_v6 = destinations(self.sets.v6[before.v6..].iter().copied(), Bits::octets);
        self.written = Written::of(&self.classes, &self.sets);
        Ok(change)
    }
}

impl Written {
    fn of(classes: &Classes, sets: &DestinationSets) -> Self {
        Self {
            classes: classes.all.len(),
            v4: sets.v4.len(),
            v6: sets.v6.len(),
        }
    }
}

impl Prefixes {
    /// The exemptions around a prefix and inside it, in ascending order.
    fn exempt_at(&self, bits: Bits) -> Vec<(Bits, RuleIndex)> {
        touching(&self.exempt, bits)
            .flat_map(|(bits, rules)| rules.iter().map(move |rule| (bits, *rule)))
            .collect()
    }
}

/// The values at the prefixes around one, at itself and at those inside it, in ascending order.
fn touching<T>(list: &BTreeMap<Bits, T>, bits: Bits) -> impl Iterator<Item = (Bits, &T)> {
    let around = (0..bits.length()).filter_map(move |length| {
        let outer = bits.shortened(length);
        list.get(&outer).map(|value| (outer, value))
    });
    let inside = list
        .range(bits..)
        .map(|(inner, value)| (*inner, value))
        .take_while(move |(inner, _)| bits.covers(*inner));
    around.chain(inside)
}
