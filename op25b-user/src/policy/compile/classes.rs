//! Classes: everything that one look-up of a source address returns, from pools and merged exemptions.

use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};
use op25b_common::values::{Class, RecordPlace};

use super::{
    merge::{Grant, Grants},
    records::{Place, Pooled},
};
use crate::lpm::{Bits, Covering, Leaf};

/// The classes of both families by number. Number 0 is the class of addresses in no pool and no exemption.
#[derive(Clone, Debug)]
pub(crate) struct Classes {
    pub(crate) all: Vec<Class>,
    /// The numbers by class. It holds no classes itself, as there may be a million.
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Classes {
    /// With room for those of so many exemptions: in a large policy nearly all classes differ, and a table that grows is filled anew.
    pub(crate) fn with_room(exemptions: usize) -> Self {
        let mut classes = Self {
            all: Vec::with_capacity(exemptions),
            numbers: HashTable::with_capacity(exemptions),
            hasher: DefaultHashBuilder::default(),
        };
        classes.number(class(Pooled::NONE, Grant::NOTHING));
        classes
    }

    fn number(&mut self, class: Class) -> u32 {
        let Self { all, numbers, hasher } = self;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "as many as prefixes in a policy, which are counted in 32 bits"
        )]
        let next = all.len() as u32;
        let number = *numbers
            .entry(
                hasher.hash_one(class),
                |number| all[*number as usize] == class,
                |number| hasher.hash_one(all[*number as usize]),
            )
            .or_insert(next)
            .get();
        if number == next {
            all.push(class);
        }
        number
    }

    /// The class at each prefix of one family; both lists are in ascending order.
    pub(crate) fn leaves(&mut self, pools: &[(Bits, Pooled)], exemptions: &Grants) -> Vec<Leaf> {
        let most = pools.len() + exemptions.len();
        let mut leaves = Vec::with_capacity(most);
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
    let (record_place, subscribers) = match pooled.place {
        None => (RecordPlace::None, 0),
        Some(Place::Array(offset)) => (RecordPlace::Array, offset),
        Some(Place::Lru) => (RecordPlace::Lru, 0),
    };
    Class {
        pool: pooled.pool,
        enforce_from: pooled.enforce_from,
        until: grant.until,
        exemption: grant.rule,
        destinations: grant.destinations,
        subscribers,
        record_place: record_place as u32,
        phases: pooled.phases,
    }
}
