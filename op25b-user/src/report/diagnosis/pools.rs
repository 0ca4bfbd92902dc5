//! The pools around the addresses of a diagnosis: whether an address would be blocked without its exemption.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{
    policy::Handling,
    report::{PoolStatus, PoolWord},
};

/// The pools, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pools {
    /// Each pool with its prefixes.
    pools: Vec<(PoolStatus, Vec<IpNet>)>,
    /// What happens to addresses of no pool; `None` if it is not known.
    unlisted: Option<Handling>,
}

/// Why an address passes without an exemption, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PassesAnyway<'a> {
    /// Its pool is only monitored.
    Monitored(&'a str),
    /// Its pool is paused.
    Paused(&'a str),
    /// It is in no pool.
    InNoPool,
}

impl Pools {
    pub(crate) fn new(statuses: &[PoolStatus], prefixes: &[Vec<IpNet>], unlisted: Option<Handling>) -> Self {
        let pools = statuses.iter().cloned().zip(prefixes.iter().cloned());
        Self {
            pools: pools.collect(),
            unlisted,
        }
    }

    /// The prefixes of all of them.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = IpNet> {
        self.pools.iter().flat_map(|(_, prefixes)| prefixes).copied()
    }

    /// Why an address passes without an exemption; `None` if it is blocked then, or nothing is known of it.
    pub(super) fn passes_anyway(&self, address: IpAddr) -> Option<PassesAnyway<'_>> {
        let length = |prefixes: &[IpNet]| {
            let around = prefixes.iter().filter(|prefix| prefix.contains(&address));
            around.map(IpNet::prefix_len).max()
        };
        let around = self
            .pools
            .iter()
            .filter_map(|(pool, prefixes)| Some((length(prefixes)?, pool)));
        match around.max_by_key(|(length, _)| *length) {
            Some((_, pool)) => {
                let state = pool.actual.or(pool.wanted);
                let is_monitored = state.is_some_and(|state| state.mode == PoolWord::Monitor);
                is_monitored.then_some(if pool.is_paused() {
                    PassesAnyway::Paused(&pool.name)
                } else {
                    PassesAnyway::Monitored(&pool.name)
                })
            }
            None => (self.unlisted == Some(Handling::Pass)).then_some(PassesAnyway::InNoPool),
        }
    }
}
