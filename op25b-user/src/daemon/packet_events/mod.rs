//! The events of single packets: a thread reads them from the kernel and keeps the newest in memory, for who asks.
//!
//! The event loop does none of it, so that no flood of events delays a reload or an exemption.

mod interfaces;
mod reader;
mod tally;

use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tracing::{error, warn};

use self::{
    reader::Generation,
    tally::{GenerationCounts, Tally},
};
use super::newest::{Hub, Numbered};
use crate::{
    datapath::Filter,
    enforcer::Enforcer,
    policy::Policy,
    report::{Event, EventCount},
};

/// The events of a generation that is about to be read; of none, if the policy has no `events`.
pub(super) struct NextEvents(Option<(Generation, GenerationCounts)>);

/// The newest events, and the thread that reads them, once there are any to read.
#[derive(Default)]
pub(super) struct PacketEvents {
    hub: Hub<Event>,
    tally: Tally,
    generations: Option<mpsc::UnboundedSender<Option<Generation>>>,
}

impl Numbered for Event {
    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn time(&self) -> Timestamp {
        self.time
    }
}

impl NextEvents {
    /// Those of a filter with this policy.
    pub(super) fn of(filter: &mut Filter, policy: &Arc<Policy>) -> anyhow::Result<Self> {
        let Some(events) = policy.events else {
            return Ok(Self(None));
        };
        let reader = filter
            .take_events()
            .context("cannot read the events of packets")?;
        let reader = reader.context("the filter has no events of packets")?;
        let counts = GenerationCounts::of(filter).context("cannot count the events of packets")?;
        let generation = Generation {
            reader,
            policy: Arc::clone(policy),
            events,
        };
        Ok(Self(Some((generation, counts))))
    }
}

impl PacketEvents {
    /// The newest events.
    pub(super) fn hub(&self) -> Hub<Event> {
        self.hub.clone()
    }

    /// Reads these events from now on, and those of the generation before to their end. A thread that is started for it inherits
    /// the privileges of this one.
    pub(super) fn follow(&mut self, next: NextEvents, enforcer: &mut Enforcer) {
        let NextEvents(next) = next;
        let (next, counts) = next.unzip();
        if self.tally.is_on() || counts.is_some() {
            match enforcer.counters() {
                Ok(counters) => self.tally.follow(counts, &counters),
                Err(error) => warn!(
                    "events are missing in the metrics: {:#}",
                    anyhow::Error::from(error)
                ),
            }
        }
        if self.generations.is_none() && next.is_some() {
            let (sender, generations) = mpsc::unbounded_channel();
            match reader::start(self.hub.clone(), generations) {
                Ok(()) => self.generations = Some(sender),
                Err(error) => error!("the events of packets are not read until the next reload: {error:#}"),
            }
        }
        if let Some(generations) = &self.generations {
            // Its end would be that of the process.
            let _ = generations.send(next);
        }
    }

    /// How many packets were shown and how many were not, since the start; none as long as the policy had no `events`.
    pub(super) fn counts(&self, enforcer: &mut Enforcer) -> anyhow::Result<Vec<EventCount>> {
        Ok(self.tally.read(&enforcer.counters()?))
    }

    /// Forgets what is older than the policy has it.
    pub(super) fn tick(&self, policy: &Policy) {
        self.hub.keep_for(policy.privacy.shortest());
    }
}
