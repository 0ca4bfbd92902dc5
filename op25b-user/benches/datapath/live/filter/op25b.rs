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
    _held: Held,
    filter: datapath::Filter,
}

impl Op25b {
    pub fn attach(pair: &Pair, scenario: &Scenario) -> anyhow::Result<Self> {
        let policy = programs::policy(&scenario.policy(pair.receiver()))?;
        let mut filter = programs::op25b(&policy)?;
        let interfaces = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the event loop")?
            .block_on(Interfaces::list())?;
        let held = filter.hold(&interfaces, pair.receiver(), Role::Subscriber)?;
        Ok(Self { _held: held, filter })
    }
}

impl Filter for Op25b {
    fn dropped(&self) -> anyhow::Result<u64> {
        Ok(self.filter.counters(Role::Subscriber)?.packets(Reason::Blocked))
    }
}
