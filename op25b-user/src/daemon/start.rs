//! Starting a daemon: everything that may fail happens before the filter of an earlier process is replaced.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info, warn};

use super::{
    announce::Announced,
    clock::{self, Clock},
    control::{self, Control, OpenReader},
    dates::{Dates, Moment},
    events::{packet_log::PacketLog, questions::Questions, scrapes::Scrapes, signals::Signals, watch::Watch},
    framing::FramingWatch,
    keeper::{Keeper, PolicyText},
    operations::{Operations, WriteOperation},
    options::Options,
    policy_source::StartPolicy,
    process::{privileges, service},
    state::{Daemon, Reloads},
};
use crate::{
    datapath::InterfaceEvents,
    enforcer::{Enforcer, Takeover, TakeoverOptions},
    fault::FaultKind,
    store::{Actor, Operation, OperationKind},
};

/// How many threads may be at work at once beside the event loop: one that loads a policy, one that writes to the store, one
/// that records operations there, one that backs it up, one that writes to the state directory, and those of the control socket; so none waits for another kind.
pub(crate) const THREADS: usize = 5 + control::THREADS;

impl Daemon {
    /// Enforces a policy instead of what an earlier process left; `None` if a signal ends the daemon before that.
    pub(super) async fn start(
        options: Options,
        policy: StartPolicy,
        mut signals: Signals,
    ) -> anyhow::Result<Option<(Self, Enforcer)>> {
        let StartPolicy { file, time, refused } = policy;
        time.log_remarks();
        let takeover_options = TakeoverOptions {
            bpffs: options.bpffs.clone(),
            no_persist: options.no_persist,
            state_dir: options.state_dir.clone(),
            datapath_log: options.datapath_log,
            begin_thread: privileges::keep_file_access,
            report_waiting: service::waiting,
        };
        let takeover = Takeover::begin(&takeover_options).await?;
        if let Some(refused) = &refused {
            refused.check_against(&takeover.running_policy()?)?;
        }
        let store = takeover.store().clone();
        let write_operation: WriteOperation = {
            let store = store.clone();
            Arc::new(move |operation| store.write_operation(operation))
        };
        let open_reader: OpenReader = Arc::new(move || store.reader());
        let (metrics, scrapes) = Scrapes::new();
        let (ask, questions) = Questions::new();
        let control = Control::listen(&options.runtime_dir, open_reader, ask, metrics, takeover.faults())?;
        let interface_events = InterfaceEvents::listen()?;
        let clock = Clock::new()?;
        let text = PolicyText::of(&file);
        let reloads = Reloads {
            // A refused file is read again as soon as it has changed.
            digest: refused.is_none().then(|| file.sha256.clone()),
            refused_file: refused,
            ..Reloads::default()
        };
        let enforcing = takeover.enforce(file, |filter, nat64| {
            PacketLog::of(filter, options.datapath_log, nat64)
        });
        let (enforcer, packet_log) = tokio::select! {
            enforcing = enforcing => enforcing?,
            // It waits for a disk: nothing is attached yet.
            signal = signals.stop() => {
                info!(signal, "stopping; nothing was changed");
                return Ok(None);
            }
        };
        let mut ticks = interval(clock::CHECK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut daemon = Self {
            keeper: Keeper::new(&options.state_dir, enforcer.faults().clone(), time.dates),
            dates: Dates::new(&options.state_dir, time.clock, Moment::now()),
            options,
            control,
            started_at: Timestamp::now(),
            reloads,
            signals,
            stopping: None,
            reload_is_due: false,
            questions,
            scrapes,
            announced: Announced::default(),
            watch: Watch::off(),
            interface_events,
            packet_log,
            clock,
            framing: FramingWatch::default(),
            operations: Operations::new(write_operation, enforcer.faults().clone()),
            ticks,
            maintenance: None,
        };
        // No other thread is started before this: each would keep what this one gives up.
        if let Err(error) = privileges::drop_unneeded() {
            warn!("running with more privileges than needed: {error:#}");
        }
        daemon.start_watch();
        daemon.keeper.keep_policy(text);
        if let Some(refused) = &daemon.reloads.refused_file {
            enforcer
                .faults()
                .raise(FaultKind::PolicyRefused, refused.message());
        }
        let policy = daemon.options.policy.display().to_string();
        let start = Operation::now(OperationKind::Start, Actor::op25b()).with_detail(policy);
        daemon.operations.note(start);
        // Also if nothing can be attached: the network, and with it an interface, may come up only after this service.
        service::ready(&daemon.publish(&enforcer));
        Ok(Some((daemon, enforcer)))
    }

    /// Watches the policy file, if the options demand it.
    fn start_watch(&mut self) {
        if self.options.watch {
            match Watch::file(&self.options.policy) {
                Ok(watch) => self.watch = watch,
                Err(error) => error!("cannot watch the policy file: {error:#}"),
            }
        }
    }
}
