//! From pools and folded exemptions to what one look-up says of a source address.

use std::collections::HashMap;

use op25b_common::values::{Class, NEVER, NO_RULE, RuleIndex, UnixSeconds};

use super::{
    fold::{Grant, Sources},
    nesting::{AddressFamily, Bits, Covering},
    table::Leaf,
};

/// The classes of both families by number. Number 0 is of those in no pool and in no exemption.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    pub(super) all: Vec<Class>,
    numbers: HashMap<Class, u32>,
}

/// A pool's prefix.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolPrefix {
    pub(super) bits: Bits,
    pub(super) pool: RuleIndex,
    pub(super) enforce_from: UnixSeconds,
}

/// What of a class comes from pools.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pooled {
    pool: RuleIndex,
    enforce_from: UnixSeconds,
    subscribers: u32,
    is_counted: bool,
}

impl Pooled {
    const NONE: Self = Self {
        pool: NO_RULE,
        enforce_from: NEVER,
        subscribers: 0,
        is_counted: false,
    };
}

impl Classes {
    pub(super) fn new() -> Self {
        let none = class(Pooled::NONE, Grant::NOTHING);
        Self {
            all: vec![none],
            numbers: HashMap::from([(none, 0)]),
        }
    }

    fn number(&mut self, class: Class) -> u32 {
        *self.numbers.entry(class).or_insert_with(|| {
            self.all.push(class);
            #[expect(
                clippy::cast_possible_truncation,
                reason = "as many as prefixes in a policy, which are counted in 32 bits"
            )]
            let number = (self.all.len() - 1) as u32;
            number
        })
    }

    /// What holds at each prefix of one family; both lists are in ascending order.
    pub(super) fn leaves(&mut self, pools: &[(Bits, Pooled)], exemptions: &Sources) -> Vec<Leaf> {
        let mut leaves = Vec::with_capacity(pools.len() + exemptions.len());
        let mut around_pools: Covering<Pooled> = Covering::new();
        let mut around_grants: Covering<Grant> = Covering::new();
        let (mut pools, mut exemptions) = (pools.iter().peekable(), exemptions.iter().peekable());
        loop {
            let next = [
                pools.peek().map(|(bits, _)| *bits),
                exemptions.peek().map(|(bits, _)| *bits),
            ];
            let Some(bits) = next.into_iter().flatten().min() else {
                return leaves;
            };
            let mut pooled = around_pools.enter(bits).copied().unwrap_or(Pooled::NONE);
            if let Some((_, inner)) = pools.next_if(|(pool, _)| *pool == bits) {
                pooled = *inner;
                around_pools.push(bits, pooled);
            }
            let mut grant = around_grants.enter(bits).copied().unwrap_or(Grant::NOTHING);
            if let Some((_, inner)) = exemptions.next_if(|(exempt, _)| *exempt == bits) {
                grant = *inner;
                around_grants.push(bits, grant);
            }
            leaves.push(Leaf {
                prefix: bits,
                class: self.number(class(pooled, grant)),
            });
        }
    }
}

fn class(pooled: Pooled, grant: Grant) -> Class {
    Class {
        pool: pooled.pool,
        enforce_from: pooled.enforce_from,
        until: grant.until,
        exemption: grant.rule,
        destinations: grant.destinations,
        subscribers: pooled.subscribers,
        is_counted: u32::from(pooled.is_counted),
        unused: 0,
    }
}

/// Which record belongs to which subscriber.
///
/// Addresses of IPv4 pools follow one another in the order of the outermost pools' prefixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The first address of each range, its last one, and the first one's record.
    pub ranges: Vec<(u32, u32, u32)>,
    /// How many IPv4 addresses have a record.
    pub addresses: usize,
}

impl Places {
    /// Gives records to the addresses of one family's pools, which are in ascending order.
    pub(super) fn place(&mut self, family: AddressFamily, pools: &[PoolPrefix]) -> Vec<(Bits, Pooled)> {
        let mut around: Covering<Pooled> = Covering::new();
        let pooled = pools.iter().map(|pool| {
            let (subscribers, is_counted) = match (family, around.enter(pool.bits)) {
                (_, Some(outer)) => (outer.subscribers, outer.is_counted),
                (AddressFamily::V6, None) => (0, true),
                (AddressFamily::V4, None) => self.add(pool.bits),
            };
            let pooled = Pooled {
                pool: pool.pool,
                enforce_from: pool.enforce_from,
                subscribers,
                is_counted,
            };
            around.push(pool.bits, pooled);
            (pool.bits, pooled)
        });
        pooled.collect()
    }

    /// Places a range behind those before it, if there is room for it.
    fn add(&mut self, bits: Bits) -> (u32, bool) {
        let (first, last) = bits.v4_range();
        let count = (last - first) as usize + 1;
        if self.addresses + count > MOST_ADDRESSES {
            return (0, false);
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "far below 32 bits, see MOST_ADDRESSES"
        )]
        let place = self.addresses as u32;
        self.addresses += count;
        self.ranges.push((first, last, place));
        (place.wrapping_sub(first), true)
    }
}

/// The most IPv4 addresses that have a record each: half a gigabyte of them.
pub const MOST_ADDRESSES: usize = 1 << 24;
