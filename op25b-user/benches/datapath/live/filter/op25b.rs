//! op25b, as `op25b run` loads and attaches it.

use std::{
    os::fd::AsFd as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context as _;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use op25b::{
    datapath::{self, EventReader, Held, Interfaces},
    policy::Role,
};
use op25b_common::Reason;

use super::Filter;
use crate::{
    programs,
    scenario::{Events, Scenario},
    veth::Pair,
};

pub struct Op25b {
    _held: Vec<Held>,
    filter: datapath::Filter,
}

impl Op25b {
    /// On the receiving ends of some pairs, which are the policy's subscriber interfaces.
    pub fn attach(pairs: &[&Pair], scenario: &Scenario, events: Events) -> anyhow::Result<Self> {
        let names: Vec<_> = pairs.iter().map(|pair| pair.receiver()).collect();
        let mut filter = programs::op25b(&scenario.policy(&names, events)?)?;
        let interfaces = Interfaces::list()?;
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

impl Op25b {
    /// The reader of its events.
    pub fn take_events(&mut self) -> anyhow::Result<EventReader> {
        self.filter.take_events()?.context("the policy has no events")
    }
}

/// op25b with events, which a thread reads as they come.
pub struct WithEvents {
    op25b: Op25b,
    is_over: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl WithEvents {
    pub fn attach(pair: &Pair, scenario: &Scenario) -> anyhow::Result<Self> {
        let mut op25b = Op25b::attach(&[pair], scenario, Events::On)?;
        let mut events = op25b.take_events()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let reader = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                wait_for(&events, POLL);
                while events.next().is_some() {}
            }
        });
        Ok(Self {
            op25b,
            is_over,
            reader: Some(reader),
        })
    }
}

/// How long a thread waits before it looks whether it is over.
const POLL: Duration = Duration::from_millis(100);

/// Waits until there are events, or for this time.
pub fn wait_for(events: &EventReader, time: Duration) {
    let mut readable = [PollFd::new(events.as_fd(), PollFlags::POLLIN)];
    let time = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
    // An interrupted wait is a shorter one.
    let _ = poll(&mut readable, time);
}

impl Filter for WithEvents {
    fn dropped(&self) -> anyhow::Result<u64> {
        self.op25b.dropped()
    }
}

impl Drop for WithEvents {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
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
            op25b: Op25b::attach(&all, scenario, Events::Off)?,
            _idle: idle,
        })
    }
}

impl Filter for OneOfMany {
    fn dropped(&self) -> anyhow::Result<u64> {
        self.op25b.dropped()
    }
}
