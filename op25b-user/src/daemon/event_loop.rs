//! The event loop over an enforcer: signals, requests, scrapes, ticks, changes of the policy file and of interfaces.

use anyhow::Context as _;
use tracing::info;

use super::{
    events::signals::{SignalRequest, Signals},
    options::Options,
    policy_source::StartPolicy,
    process::{held_signals::HeldSignals, service},
    state::Daemon,
};
use crate::{datapath::requirements, enforcer::Enforcer, policy::Report};

/// Enforces the policy until SIGINT or SIGTERM; the filter continues after that.
///
/// `print` gets the errors and warnings of the policy file.
pub(crate) async fn run(
    options: &Options,
    held: &HeldSignals,
    print: impl Fn(&Report),
) -> anyhow::Result<()> {
    // Handlers come first: whenever a signal arrives, it leads to a clean stop or to a reload.
    let mut signals = Signals::install()?;
    held.release().context("cannot receive signals")?;
    let policy = StartPolicy::read(options, print)?;
    requirements::check()?;
    if let Some(signal) = signals.arrived_stop().await {
        info!(signal, "stopping; nothing was changed");
        return Ok(());
    }
    let (mut daemon, mut enforcer) = Daemon::start(options.clone(), policy).await?;
    daemon.handle_events(&mut enforcer, &mut signals).await?;
    enforcer.log_final_counters()
}

impl Daemon {
    /// Handles events until a signal ends the daemon. The filter needs none of this to continue.
    async fn handle_events(&mut self, enforcer: &mut Enforcer, signals: &mut Signals) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                request = signals.next() => match request {
                    SignalRequest::Stop(signal) => {
                        info!(signal, "stopping");
                        service::stopping();
                        return Ok(());
                    }
                    SignalRequest::Reload => drop(self.reload(enforcer, "SIGHUP").await),
                },
                request = self.control.request() => self.dispatch(enforcer, request).await,
                scrape = self.scrapes.next() => self.answer_scrape(enforcer, scrape),
                digest = self.watch.changed() => self.reload_if_changed(enforcer, digest).await,
                event = self.interface_events.next() => {
                    if enforcer.is_concerned(&event) {
                        self.reconcile(enforcer);
                    }
                    enforcer.follow_port(&event);
                },
                _ = self.ticks.tick() => {
                    self.tick(enforcer);
                    enforcer.catch_up(self).await;
                    enforcer.hold_dates(self).await;
                }
                ready = self.packet_log.log_entries() => ready.context("cannot read the packet log")?,
            }
        }
    }
}
