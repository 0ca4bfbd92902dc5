//! The daemon as the host of an enforcer, and what it does every second.

use anyhow::Context as _;
use tokio::task::spawn_blocking;
use tracing::error;

use super::{dates::Moment, events::packet_log::PacketLog, process::service, state::Daemon};
use crate::{
    datapath::Filter,
    enforcer::{Enforcer, Host},
};

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
        self.control.keep(enforcer.faults());
        spawn_blocking(enforcer.store_maintenance());
        self.follow_dates(enforcer);
        self.keeper.tick();
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

    /// Reconciles the interfaces with the policy, and publishes the outcome.
    pub(super) fn reconcile(&self, enforcer: &mut Enforcer) {
        enforcer.reconcile();
        self.publish(enforcer);
    }
}

impl Host for Daemon {
    type PacketLog = PacketLog;

    fn open_packet_log(&self, filter: &mut Filter) -> anyhow::Result<PacketLog> {
        PacketLog::of(filter, self.options.datapath_log)
    }

    fn use_packet_log(&mut self, packet_log: PacketLog) {
        self.packet_log = packet_log;
    }

    async fn run_while_waiting<T: Send + 'static>(
        &mut self,
        enforcer: &mut Enforcer,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let mut work = spawn_blocking(work);
        loop {
            tokio::select! {
                result = &mut work => return result.context("a thread of the daemon failed"),
                _ = self.ticks.tick() => self.tick(enforcer),
                scrape = self.scrapes.next() => self.answer_scrape(enforcer, scrape),
            }
        }
    }
}
