//! Starting a daemon: everything that may fail happens before the filter of an earlier process is replaced.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval},
};
use tracing::{error, info, warn};

use super::{
    announce::Announced,
    clock::{self, Clock},
    control::{self, Control, Newest, OpenReader},
    dates::{Dates, Moment},
    events::{
        questions::Questions,
        scrapes::{Scrape, Scrapes},
        signals::Signals,
        watch::Watch,
    },
    framing::FramingWatch,
    history::HistoryThread,
    host::Readers,
    keeper::{Keeper, PolicyText},
    metrics_server::MetricsServer,
    operations::{Operations, WriteOperation},
    options::Options,
    packet_events::{NextEvents, PacketEvents},
    policy_source::{RefusedFile, ReloadAtStart, StartPolicy},
    process::{privileges, service},
    reload::Waiting,
    retention::Retention,
    state::{Daemon, Reloads},
};
use crate::{
    datapath::{InterfaceEvents, LoadedBy},
    enforcer::{Enforcer, NewInterfaces, Takeover, TakeoverOptions},
    fault::FaultKind,
    report::WENT_BACK,
    state_dir::Unconfirmed,
};

/// How many threads may be at work at once beside the event loop: one that loads a policy, one that writes to the store, one
/// that records operations there, one that backs it up, one that writes to the state directory, one that does so for an answer, one
/// that compares a refused policy file, one that reads certificates, and those of the control socket; so none waits for another kind.
pub(crate) const THREADS: usize = 8 + control::THREADS;

/// With what the reloads of a daemon begin.
struct Beginning {
    reloads: Reloads,
    loaded_by: LoadedBy,
    new_interfaces: NewInterfaces,
    /// The reload that is taken back.
    went_back: Option<Unconfirmed>,
}

impl Beginning {
    fn of(refused: Option<RefusedFile>, reload: ReloadAtStart, sha256: &str) -> Self {
        let mut reloads = Reloads {
            // A refused file is read again as soon as it has changed.
            digest: refused.is_none().then(|| sha256.to_owned()),
            refused_file: refused,
            ..Reloads::default()
        };
        let (mut loaded_by, mut new_interfaces) = (LoadedBy::now("start"), NewInterfaces::Required);
        let mut went_back = None;
        match reload {
            ReloadAtStart::None => {}
            ReloadAtStart::Waiting(reload, text) => reloads.waiting = Some(Waiting::resumed(reload, text)),
            ReloadAtStart::WentBack(reload) => {
                // With `--watch` the file that was taken back is not enforced again before it changes.
                reloads.digest = Some(reload.sha256.clone());
                (loaded_by, new_interfaces) = (LoadedBy::now(WENT_BACK), NewInterfaces::Optional);
                went_back = Some(reload);
            }
        }
        Self {
            reloads,
            loaded_by,
            new_interfaces,
            went_back,
        }
    }
}

/// The moments at which the daemon does what is due.
fn ticks() -> Interval {
    let mut ticks = interval(clock::CHECK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// How an enforcer of this daemon takes over what an earlier process left.
fn takeover_options(options: &Options) -> TakeoverOptions {
    TakeoverOptions {
        bpffs: options.bpffs.clone(),
        no_persist: options.no_persist,
        runtime_dir: options.runtime_dir.clone(),
        state_dir: options.state_dir.clone(),
        previous_state_dir: options.previous_state_dir.clone(),
        datapath_log: options.datapath_log,
        begin_thread: privileges::keep_file_access,
        report_waiting: service::waiting,
    }
}

impl Daemon {
    /// Enforces a policy instead of what an earlier process left; `None` if a signal ends the daemon before that.
    pub(super) async fn start(
        options: Options,
        policy: StartPolicy,
        mut signals: Signals,
    ) -> anyhow::Result<Option<(Self, Enforcer)>> {
        let StartPolicy {
            file,
            time,
            refused,
            reload,
            remarks,
        } = policy;
        time.log_remarks();
        for remark in remarks {
            error!("{remark}");
        }
        let takeover = Takeover::begin(&takeover_options(&options)).await?;
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
        let (packet_events, history) = (PacketEvents::default(), HistoryThread::default());
        let control = Control::listen(
            &options.runtime_dir,
            open_reader,
            ask,
            metrics.clone(),
            Newest::new(packet_events.hub(), history.alerts()),
            takeover.faults(),
        )?;
        let interface_events = InterfaceEvents::listen()?;
        let clock = Clock::new()?;
        let text = PolicyText::of(&file).map(Arc::new);
        let Beginning {
            reloads,
            loaded_by,
            new_interfaces,
            went_back,
        } = Beginning::of(refused, reload, &file.sha256);
        let enforcing = takeover.enforce(file, loaded_by, new_interfaces, |filter, policy| {
            Readers::of(filter, policy, options.datapath_log)
        });
        let (mut enforcer, Readers { packet_log, events }) = tokio::select! {
            enforcing = enforcing => enforcing?,
            // It waits for a disk: nothing is attached yet.
            signal = signals.stop() => {
                info!(signal, "stopping; nothing was changed");
                return Ok(None);
            }
        };
        let mut daemon = Self {
            keeper: Keeper::new(
                &options.state_dir,
                enforcer.faults().clone(),
                time.dates,
                time.pauses,
            ),
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
            packet_events,
            clock,
            framing: FramingWatch::default(),
            history,
            metrics_server: MetricsServer::default(),
            is_pausing: false,
            operations: Operations::new(write_operation, enforcer.faults().clone()),
            retention: Retention::default(),
            ticks: ticks(),
            maintenance: None,
        };
        daemon.drop_privileges(&mut enforcer, metrics, events);
        if let Some(reload) = went_back {
            daemon.note_went_back(&enforcer, reload);
        } else if daemon.reloads.waiting.is_none() {
            daemon.keeper.keep_policy(text);
        }
        if let Some(refused) = &daemon.reloads.refused_file {
            enforcer
                .faults()
                .raise(FaultKind::PolicyRefused, refused.message());
        }
        daemon.operations.note_start(&daemon.options.policy);
        Self::warn_of_pauses(&enforcer);
        // Also if nothing can be attached: the network, and with it an interface, may come up only after this service.
        service::ready(&daemon.publish(&enforcer));
        Ok(Some((daemon, enforcer)))
    }

    /// Drops the privileges that are not needed any more, and starts the threads and processes that keep the others.
    fn drop_privileges(
        &mut self,
        enforcer: &mut Enforcer,
        scrapes: mpsc::Sender<Scrape>,
        events: NextEvents,
    ) {
        // No other thread is started before this: each would keep what this one gives up.
        if let Err(error) = privileges::drop_unneeded() {
            warn!("running with more privileges than needed: {error:#}");
        }
        self.start_watch();
        self.history.start(&self.options.state_dir, enforcer);
        self.packet_events.follow(events, enforcer);
        self.metrics_server.start(scrapes, enforcer.faults().clone());
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
