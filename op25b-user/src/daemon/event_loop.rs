//! The event loop over an enforcer: signals, requests, scrapes, ticks, changes of the policy file and of interfaces.

use std::{mem, time::Duration};

use anyhow::Context as _;
use tokio::{task::spawn_blocking, time::timeout};
use tracing::{info, warn};

use super::{
    dispatch::answer_question,
    events::signals::Signals,
    options::Options,
    policy_source::StartPolicy,
    process::{held_signals::HeldSignals, service},
    state::{Daemon, Stopping},
};
use crate::{
    datapath::{LoadedBy, requirements},
    enforcer::Enforcer,
    policy::Report,
    store::{Actor, Operation, OperationKind},
};

/// How long closing the store may take.
const CLOSE_TIME: Duration = Duration::from_secs(1);

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
    // Boxed: what a policy is compiled to is large.
    let starting = Box::pin(Daemon::start(options.clone(), policy, signals));
    let Some((mut daemon, mut enforcer)) = starting.await? else {
        return Ok(());
    };
    daemon.handle_events(&mut enforcer).await?;
    let closing = spawn_blocking(daemon.store_closing(&enforcer));
    let counted = enforcer.log_final_counters();
    if timeout(CLOSE_TIME, closing).await.is_err() {
        warn!(
            "the disk of the exemption store does not answer: the process ends as soon as the kernel lets it"
        );
    }
    counted
}

impl Daemon {
    /// Records that the daemon ends, and closes the store.
    fn store_closing(&mut self, enforcer: &Enforcer) -> impl FnOnce() + Send + use<> {
        let signal = self.stopping.map_or("", |stopping| stopping.signal);
        let stop = Operation::now(OperationKind::Stop, Actor::op25b()).with_detail(signal);
        let (write, close) = (self.operations.write_last(stop), enforcer.store_closing());
        let end_history = self.history.end();
        move || {
            write();
            close();
            end_history();
        }
    }

    /// Handles events until a signal ends the daemon. The filter needs none of this to continue.
    async fn handle_events(&mut self, enforcer: &mut Enforcer) -> anyhow::Result<()> {
        loop {
            if let Some(Stopping { signal, .. }) = self.stopping {
                info!(signal, "stopping");
                service::stopping();
                return Ok(());
            }
            if mem::take(&mut self.reload_is_due) {
                self.reload(enforcer, LoadedBy::now("SIGHUP"), None).await;
                continue;
            }
            tokio::select! {
                signal = self.signals.next() => self.note_signal(signal),
                question = self.questions.next() => answer_question(enforcer, question),
                request = self.control.request() => self.dispatch(enforcer, request).await,
                scrape = self.scrapes.next() => self.answer_scrape(enforcer, scrape),
                digest = self.watch.changed() => self.reload_if_changed(enforcer, digest).await,
                event = self.interface_events.next() => self.follow_interface(enforcer, &event),
                _ = self.ticks.tick() => {
                    self.tick(enforcer);
                    self.follow_refused_file(enforcer);
                    enforcer.catch_up(self).await;
                    enforcer.hold_dates(self).await;
                    self.go_back_if_due(enforcer).await;
                    self.end_pauses(enforcer).await;
                }
                ready = self.packet_log.log_entries() => ready.context("cannot read the packet log")?,
            }
        }
    }
}
