//! op25b, as `op25b run` loads and attaches it.

use anyhow::Context as _;
use op25b::{
    datapath::{self, Held, Interfaces},
    policy::Role,
};
use op25b_common::Reason;

use super::Filter;
use crate::{programs, scenario::Scenario, veth::Pair};

pub struct Op25b {
    _held: Vec<Held>,
    filter: datapath::Filter,
}

impl Op25b {
    /// On the receiving ends of some pairs, which are the policy's subscriber interfaces.
    pub fn attach(pairs: &[&Pair], scenario: &Scenario) -> anyhow::Result<Self> {
        let names: Vec<_> = pairs.iter().map(|pair| pair.receiver()).collect();
        let mut filter = programs::op25b(&scenario.policy(&names)?)?;
        let interfaces = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the event loop")?
            .block_on(Interfaces::list())?;
        let held = names
            .iter()
            .map(|name| Ok(filter.hold(&interfaces, name, Role::Subscriber)?))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { _held: held, filter })
    }
}

impl Filter for Op25b {
    fn dropped(&self) -> anyhow::Result<u64> {
        Ok(self.filter.counters(Role::Subscriber)?.packets(Reason::Blocked))
    }
}

/// op25b on many interfaces, of which one receives.
pub struct OneOfMany {
    // Detached before the interfaces go.
    op25b: Op25b,
    _idle: Vec<Pair>,
}

impl OneOfMany {
    pub fn attach(pair: &Pair, count: usize, scenario: &Scenario) -> anyhow::Result<Self> {
        let idle: Vec<_> = (1..count)
            .map(|number| Pair::new(&format!("idle{number}")))
            .collect::<anyhow::Result<_>>()?;
        let (before, after) = idle.split_at(idle.len() / 2);
        let all: Vec<_> = before.iter().chain([pair]).chain(after).collect();
        Ok(Self {
            op25b: Op25b::attach(&all, scenario)?,
            _idle: idle,
        })
    }
}

impl Filter for OneOfMany {
    fn dropped(&self) -> anyhow::Result<u64> {
        self.op25b.dropped()
    }
}
