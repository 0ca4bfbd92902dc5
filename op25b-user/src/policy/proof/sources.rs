//! What a policy says of the sources in a range: the pool, and the exemptions around it, by the verdict table's own words.

use std::rc::Rc;

use op25b_common::values::{ALWAYS_PAST, NO_RULE, RuleIndex, UnixSeconds};

use super::sweep::{Span, sorted};
use crate::{lpm::AddressFamily, policy::model::Policy};

/// What has a prefix of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Pool(RuleIndex),
    Exemption(Exemption),
}

/// What the proof needs of an exemption, beside its prefix: along the address space the exemptions themselves are in no order, and each
/// look at one of a million would wait for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Exemption {
    index: RuleIndex,
    until: UnixSeconds,
    /// It is for some destinations only.
    is_restricted: bool,
}

/// The pools and exemptions around a range of sources.
#[derive(Clone, Debug, Default)]
pub(super) struct Around {
    /// The pool with the longest prefix, and the length.
    pool: Option<(u8, RuleIndex)>,
    /// The exemption without destinations that lasts longest, of two the first in the file, and its end.
    everywhere: Option<(UnixSeconds, RuleIndex)>,
    /// The exemptions with destinations.
    restricted: Option<Rc<Restricted>>,
}

/// An exemption with destinations, and those around it.
#[derive(Debug)]
struct Restricted {
    exemption: RuleIndex,
    until: UnixSeconds,
    outer: Option<Rc<Self>>,
}

/// The prefixes of the policy's pools and of the exemptions that have not ended at an instant.
pub(super) fn prefixes(policy: &Policy, family: AddressFamily, at: UnixSeconds) -> Vec<(Span, Item)> {
    let pools = (0..).zip(&policy.pools).flat_map(|(index, pool)| {
        let nets = pool.prefixes.iter().map(|prefix| prefix.net);
        nets.map(move |net| (net, Item::Pool(index)))
    });
    let exemptions = (0..).zip(&policy.exemptions);
    let exemptions = exemptions.filter(|(_, exemption)| exemption.until() > at);
    let exemptions = exemptions.flat_map(|(index, exemption)| {
        let item = Item::Exemption(Exemption {
            index,
            until: exemption.until(),
            is_restricted: !exemption.terms.destinations.is_empty(),
        });
        exemption.terms.prefixes.iter().map(move |net| (*net, item))
    });
    sorted(
        pools
            .chain(exemptions)
            .filter_map(|(net, item)| Some((Span::of(family, net)?, item))),
    )
}

impl Around {
    /// What is around a range inside a prefix of an item.
    pub(super) fn with(&self, span: Span, item: Item) -> Self {
        let mut inside = self.clone();
        match item {
            Item::Pool(index) => {
                if self.pool.is_none_or(|(length, _)| length < span.length) {
                    inside.pool = Some((span.length, index));
                }
            }
            Item::Exemption(Exemption {
                index,
                until,
                is_restricted,
            }) => {
                if is_restricted {
                    inside.restricted = Some(Rc::new(Restricted {
                        exemption: index,
                        until,
                        outer: self.restricted.clone(),
                    }));
                } else if self
                    .everywhere
                    .is_none_or(|(end, first)| until > end || (until == end && index < first))
                {
                    inside.everywhere = Some((until, index));
                }
            }
        }
        inside
    }

    /// The pool's index, or [`NO_RULE`].
    pub(super) fn pool(&self) -> RuleIndex {
        self.pool.map_or(NO_RULE, |(_, index)| index)
    }

    /// Until when every destination is allowed and by which exemption; [`ALWAYS_PAST`] and [`NO_RULE`] without one.
    pub(super) fn everywhere(&self) -> (UnixSeconds, RuleIndex) {
        self.everywhere.unwrap_or((ALWAYS_PAST, NO_RULE))
    }

    /// The exemptions with destinations that last longer than every destination is allowed, in ascending order.
    pub(super) fn restricted(&self) -> Vec<RuleIndex> {
        let (end, _) = self.everywhere();
        let mut lasting = Vec::new();
        let mut next = self.restricted.as_ref();
        while let Some(restricted) = next {
            if restricted.until > end {
                lasting.push(restricted.exemption);
            }
            next = restricted.outer.as_ref();
        }
        lasting.sort_unstable();
        lasting.dedup();
        lasting
    }
}
