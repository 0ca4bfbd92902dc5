//! The daemon as the host of an enforcer, and what it does every second.

use std::{future::pending, pin::pin, sync::Arc, time::Duration};

use tokio::{
    task::{AbortHandle, spawn_blocking},
    time::{Instant, sleep, sleep_until},
};
use tracing::error;

use super::{
    dates::Moment,
    dispatch::answer_question,
    events::{packet_log::PacketLog, signals::SignalRequest},
    packet_events::NextEvents,
    process::service,
    state::{Daemon, Stopping},
};
use crate::{
    datapath::{Filter, InterfaceEvent, LogLevel},
    enforcer::{Enforcer, Host, Running, WaitError},
    policy::Policy,
};

/// How long work that is under way may take once a signal ends the daemon.
const STOP_TIME: Duration = Duration::from_secs(1);

impl Daemon {
    /// Does what has to be done every second.
    pub(super) fn tick(&mut self, enforcer: &mut Enforcer) {
        if let Some(filter) = enforcer.filter()
            && let Err(error) = self.clock.update(filter)
        {
            error!(%error, "cannot set the clock of the program: expiries follow the previous setting");
        }
        // Also without an event: the kernel sends none when a link is detached.
        self.reconcile(enforcer);
        enforcer.note_enforced_revision();
        self.framing.tick(enforcer);
        self.control.keep(enforcer.faults());
        enforcer.settle_store();
        if self.maintenance.as_ref().is_none_or(AbortHandle::is_finished) {
            self.maintenance = Some(spawn_blocking(enforcer.store_maintenance()).abort_handle());
        }
        self.follow_dates(enforcer);
        // Until the kernel has them, those of the enforcer are the ones before.
        if !self.is_pausing {
            self.keeper.keep_pauses(enforcer.pauses());
        }
        self.keeper.tick();
        self.operations.tick();
        self.retention.tick(enforcer, &self.options.state_dir);
        self.history.tick(enforcer);
        self.packet_events.tick(enforcer.policy());
        service::alive();
    }

    /// Notes the dates of pools that are reached, and a clock that is behind.
    fn follow_dates(&mut self, enforcer: &mut Enforcer) {
        self.dates.see(Moment::now());
        self.dates.report(enforcer.faults());
        enforcer.reach_dates(|date| self.dates.is_reached(date));
        self.keeper.keep_dates(enforcer.reached_dates());
        if let Some(now) = self.dates.due_record() {
            self.keeper.keep_clock(now);
        }
    }

    /// Notes a signal, which the event loop follows as soon as nothing is under way.
    pub(super) fn note_signal(&mut self, signal: SignalRequest) {
        match signal {
            SignalRequest::Stop(signal) => {
                let until = Instant::now() + STOP_TIME;
                self.stopping.get_or_insert(Stopping { signal, until });
            }
            SignalRequest::Reload => self.reload_is_due = true,
        }
    }

    /// Follows a change of an interface.
    pub(super) fn follow_interface(&mut self, enforcer: &mut Enforcer, event: &InterfaceEvent) {
        if enforcer.is_concerned(event) {
            self.reconcile(enforcer);
        }
        enforcer.follow_port(event);
    }

    /// Reconciles the interfaces with the policy, and publishes the outcome.
    pub(super) fn reconcile(&mut self, enforcer: &mut Enforcer) {
        enforcer.reconcile();
        self.publish(enforcer);
    }
}

/// What reads what a filter writes about packets.
pub(super) struct Readers {
    pub(super) packet_log: PacketLog,
    pub(super) events: NextEvents,
}

impl Readers {
    pub(super) fn of(filter: &mut Filter, policy: &Arc<Policy>, log: LogLevel) -> anyhow::Result<Self> {
        Ok(Self {
            packet_log: PacketLog::of(filter, log, &policy.nat64)?,
            events: NextEvents::of(filter, policy)?,
        })
    }
}

impl Host for Daemon {
    type Readers = Readers;

    fn open_readers(&self, filter: &mut Filter, policy: &Arc<Policy>) -> anyhow::Result<Readers> {
        Readers::of(filter, policy, self.options.datapath_log)
    }

    fn use_readers(&mut self, readers: Readers, enforcer: &mut Enforcer) {
        let Readers { packet_log, events } = readers;
        self.packet_log = packet_log;
        self.packet_events.follow(events, enforcer);
    }

    fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Running<T>, WaitError> {
        match self.stopping {
            Some(Stopping { until, .. }) if until <= Instant::now() => Err(WaitError::Stopping),
            _ => Ok(spawn_blocking(work)),
        }
    }

    async fn wait<T: Send + 'static>(
        &mut self,
        enforcer: &mut Enforcer,
        work: &mut Running<T>,
        limit: Option<Duration>,
    ) -> Result<T, WaitError> {
        let mut late = pin!(after(limit));
        loop {
            let end = self.stopping.map(|stopping| stopping.until);
            tokio::select! {
                biased;
                result = &mut *work => return result.map_err(|error| WaitError::Failed(error.to_string())),
                limit = late.as_mut() => return Err(WaitError::Late(limit)),
                () = at(end) => return Err(WaitError::Stopping),
                signal = self.signals.next() => self.note_signal(signal),
                _ = self.ticks.tick() => self.tick(enforcer),
                event = self.interface_events.next() => self.follow_interface(enforcer, &event),
                scrape = self.scrapes.next() => self.answer_scrape(enforcer, scrape),
                question = self.questions.next() => answer_question(enforcer, question),
            }
        }
    }
}

/// Waits for some time, and returns it; without one, for ever.
async fn after(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => {
            sleep(limit).await;
            limit
        }
        None => pending().await,
    }
}

/// Waits until an instant; without one, for ever.
async fn at(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => pending().await,
    }
}
