//! What keeps a filter up to date: it takes over what is pinned, reloads the policy and tells the program the time.
//!
//! The kernel enforces without it. When it ends, however that happens, the filter goes on with the last good policy.

pub(crate) mod client;
mod clock;
pub(crate) mod control;
pub(crate) mod memory;
mod metrics;
mod packet_log;
pub(crate) mod policy_file;
mod privileges;
mod reload;
pub(crate) mod request;
mod service;
mod signals;
mod watch;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::{
    task::spawn_blocking,
    time::{Interval, MissedTickBehavior, interval},
};
use tracing::{error, info, warn};
use ulid::Generator;

use self::{
    clock::Clock,
    control::{Control, OpenReader},
    metrics::Scrapes,
    packet_log::PacketLog,
    policy_file::PolicyFile,
    signals::{Asked, Signals},
    watch::Watch,
};
use crate::{
    datapath::{
        Description, Enforced, Filter, InterfaceEvents, Interfaces, LoadOptions, LogLevel, Pins, Replacement,
        Reused, Target, TestRunner,
    },
    enforcer::{ActiveSet, Reconcile, SharedStore, exemption, standing},
    policy::{Policy, Role, Wait, Word as _},
    report::LastReload,
    store::{
        Record, Store as _,
        sqlite::{self, Opened},
    },
};

/// What a daemon is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The policy file.
    pub policy: PathBuf,
    /// Where the filter is pinned.
    pub bpffs: PathBuf,
    /// Where the control socket is.
    pub runtime_dir: PathBuf,
    /// Where exemptions are stored.
    pub state_dir: PathBuf,
    /// What the program says about single packets.
    pub datapath_log: LogLevel,
    /// Whether the policy is reloaded whenever its file changes.
    pub watch: bool,
}

/// Enforces the policy in `file` until SIGINT or SIGTERM; the filter goes on after that.
pub(crate) async fn run(options: &Options, file: PolicyFile) -> anyhow::Result<()> {
    // Signals are taken over first: one that comes while interfaces are being attached ends in a clean stop too.
    let mut signals = Signals::take_over()?;
    let mut daemon = Daemon::start(options.clone(), file).await?;
    daemon.keep_going(&mut signals).await?;
    daemon.take_leave()
}

/// How many threads may be at work at once beside the event loop: one that loads a policy, one that writes to the store, one
/// that backs it up, and those of the control socket; so none waits for another kind.
pub(crate) const THREADS: usize = 3 + control::THREADS;

pub(crate) struct Daemon {
    pub(crate) options: Options,
    pub(crate) enforced: Enforced,
    /// The policy that is enforced, as it was loaded: with the exemptions of the store behind those of the file.
    pub(crate) policy: Arc<Policy>,
    /// Its exemptions, as they are now.
    pub(crate) active_set: ActiveSet,
    pub(crate) store: SharedStore,
    pub(crate) ids: Generator,
    /// The program that is asked about connections; loaded when it is first needed.
    pub(crate) questions: Option<TestRunner>,
    /// Since when the kernel does not have what the store has; when that is tried again.
    pub(crate) behind: Option<Instant>,
    pub(crate) description: Description,
    control: Control,
    scrapes: Scrapes,
    watch: Watch,
    pub(crate) events: InterfaceEvents,
    pub(crate) reconcile: Reconcile,
    packet_log: PacketLog,
    clock: Clock,
    pub(crate) ticks: Interval,
    /// The digest of the file when it was looked at last.
    pub(crate) seen: Option<String>,
    pub(crate) started_at: Timestamp,
    pub(crate) reloads: u64,
    pub(crate) refused_reloads: u64,
    pub(crate) last_reload: Option<LastReload>,
}

impl Daemon {
    /// Enforces a policy in the place of whatever an earlier process left.
    async fn start(options: Options, file: PolicyFile) -> anyhow::Result<Self> {
        let enforced = Enforced::new(Pins::take(&options.bpffs)?);
        if let Some(before) = enforced.description()? {
            info!(
                pins = %options.bpffs.display(),
                version = before.version,
                pid = before.pid,
                policy = %before.policy_file.display(),
                loaded_at = %before.loaded_at,
                "taking over a filter"
            );
        }
        // What can be known to fail fails before a large policy is loaded.
        enforced.check(&Interfaces::list().await?, &targets(&file.policy))?;
        let store = open_store(&options.state_dir)?;
        let (metrics, scrapes) = Scrapes::new();
        let control = Control::listen(&options.runtime_dir, open_reader(&store), metrics)?;
        let (records, unread) = first_records(&store, &enforced)?;
        let seen = Some(file.description.policy_sha256.clone());
        let reused = enforced.reusable(&file.compiled)?;
        let next = load_with(file, records, &options, &reused)?;
        let mut ticks = interval(clock::CHECK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut daemon = Self {
            policy: Arc::clone(&next.policy),
            active_set: ActiveSet::new(Arc::clone(&next.policy), Vec::new()),
            store,
            ids: Generator::new(),
            questions: None,
            behind: None,
            seen,
            description: next.description.clone(),
            enforced,
            control,
            scrapes,
            watch: Watch::off(),
            events: InterfaceEvents::listen()?,
            reconcile: Reconcile::default(),
            packet_log: PacketLog::off(),
            clock: Clock::new()?,
            ticks,
            options,
            started_at: Timestamp::now(),
            reloads: 0,
            refused_reloads: 0,
            last_reload: None,
        };
        daemon.switch(next).await?;
        daemon.behind = unread.then(Instant::now);
        // No thread is started before this: each would keep what this one gives up.
        if let Err(error) = privileges::drop_what_is_not_needed() {
            warn!("running with more privileges than are needed: {error:#}");
        }
        daemon.watch();
        daemon.publish();
        service::ready(&daemon.summary());
        info!(policy = %daemon.options.policy.display(), "enforcing");
        Ok(daemon)
    }

    /// Does what there is to do while the kernel enforces: nothing of it is needed for the filter to go on.
    async fn keep_going(&mut self, signals: &mut Signals) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Stop(signal) => {
                        info!(signal, "stopping");
                        service::stopping();
                        return Ok(());
                    }
                    Asked::Reload => drop(self.reload("SIGHUP").await),
                },
                request = self.control.request() => self.answer(request).await,
                scrape = self.scrapes.next() => self.tell_metrics(scrape),
                () = self.watch.changed() => self.reload_if_changed().await,
                name = self.events.next() => if self.is_ours(&name) {
                    self.look_after_interfaces().await;
                },
                _ = self.ticks.tick() => {
                    self.tick().await;
                    self.catch_up().await;
                }
                ready = self.packet_log.pass_on() => ready.context("cannot read the program's diagnostics")?,
            }
        }
    }

    /// What is to be done every second.
    async fn tick(&mut self) {
        if let Some(filter) = self.enforced.filter()
            && let Err(error) = self.clock.tell(filter)
        {
            error!(%error, "cannot tell the program the time: expiries hold by the clock as it was");
        }
        // Also without an event: nobody tells when a link is detached.
        self.look_after_interfaces().await;
        self.look_after_store();
        service::alive();
    }

    /// Has the store do what it does from time to time, such as a backup, where nobody waits for it.
    fn look_after_store(&self) {
        let store = Arc::clone(&self.store);
        spawn_blocking(move || {
            if let Ok(mut store) = store.try_lock()
                && let Err(error) = store.look_after(Timestamp::now())
            {
                warn!("the exemption store is not looked after as it should be: {error}");
            }
        });
    }

    /// Begins to watch the policy file, if that is asked for.
    fn watch(&mut self) {
        if self.options.watch {
            match Watch::file(&self.options.policy) {
                Ok(watch) => self.watch = watch,
                Err(error) => error!("changes of the policy file go unnoticed: {error:#}"),
            }
        }
    }

    /// What is enforced, in one line.
    fn summary(&self) -> String {
        let attached = self.enforced.attachments().len();
        format!(
            "enforcing on {attached} of {} interfaces: {} pools, {} relays, {} exemptions",
            self.policy.interfaces.len(),
            self.policy.pools.len(),
            self.policy.relays.len(),
            self.policy.exemptions.len(),
        )
    }

    /// Says what a switch did.
    fn tell(&self, switched: &Replacement) {
        for attached in self.enforced.attachments() {
            if let Some(reason) = &attached.fallback {
                warn!(
                    interface = attached.interface,
                    %reason,
                    "the driver does not do native XDP: falling back to generic mode, which is several times slower"
                );
            }
            info!(
                interface = attached.interface,
                role = attached.role.name(),
                xdp = attached.mode,
                program_id = attached.program_id,
                "{}",
                if attached.was_enforced {
                    "switched"
                } else {
                    "attached"
                }
            );
        }
        for interface in &switched.interrupted {
            warn!(
                interface,
                "its XDP mode changed: it was without a filter for a moment"
            );
        }
        for interface in &switched.released {
            info!(interface, "detached: the policy does not name it any more");
        }
        if let Some((layout, carried)) = &switched.other_layout {
            warn!(
                layout,
                "the filter before kept its counters in another way: {}",
                if *carried {
                    "they were carried over"
                } else {
                    "they begin anew"
                }
            );
        }
        if switched.records.moved > 0 {
            info!(
                subscribers = switched.records.moved,
                "the pools have changed: the records of subscribers follow their addresses"
            );
        }
        for (family, why) in &switched.records.reset {
            warn!(family, why, "the records of subscribers begin anew");
        }
        for error in &switched.cleanup_errors {
            warn!("{:#}", anyhow::anyhow!("{error}"));
        }
    }

    /// Leaves the filter to itself.
    fn take_leave(&mut self) -> anyhow::Result<()> {
        let roles: Vec<Role> = roles(&self.policy).collect();
        if let Some(filter) = self.enforced.filter() {
            for role in roles {
                for (reason, packets) in filter.counters(role)?.iter() {
                    info!(role = role.name(), reason = reason.name(), packets, "counted");
                }
            }
        }
        info!("the filter goes on enforcing; `op25b stop --detach` removes it");
        Ok(())
    }
}

/// A filter that is loaded and runs nowhere yet.
pub(crate) struct Next {
    filter: Filter,
    policy: Arc<Policy>,
    /// The store's records whose exemptions are in the policy.
    records: Vec<Record>,
    description: Description,
}

/// Opens the store, whatever state it is in: what cannot be done is said, and the filter goes on.
fn open_store(state_dir: &Path) -> anyhow::Result<SharedStore> {
    let Opened { store, remarks } = sqlite::open(state_dir)?;
    for remark in remarks {
        warn!("{remark}");
    }
    Ok(Arc::new(Mutex::new(store)))
}

/// The records to begin with, and whether they could not be read.
///
/// If a filter runs, it has them, and one without them would block who is exempt: then it is left as it is. If none runs,
/// one without them is better than none, and they are asked for again.
fn first_records(store: &SharedStore, enforced: &Enforced) -> anyhow::Result<(Vec<Record>, bool)> {
    match standing(store) {
        Ok(records) => Ok((records, false)),
        Err(error) if enforced.description()?.is_some() => Err(error)
            .context("the filter that runs goes on with the exemptions that it has, and without a daemon"),
        Err(error) => {
            error!("ENFORCING WITHOUT THE STORED EXEMPTIONS, until they can be read: {error}");
            Ok((Vec::new(), true))
        }
    }
}

/// Loads a policy with the exemptions of these records.
fn load_with(
    file: PolicyFile,
    records: Vec<Record>,
    options: &Options,
    reused: &Reused,
) -> anyhow::Result<Next> {
    let file = file.with(records.iter().map(exemption))?;
    load(file, records, options, reused)
}

pub(crate) fn load(
    file: PolicyFile,
    records: Vec<Record>,
    options: &Options,
    reused: &Reused,
) -> anyhow::Result<Next> {
    let load_options = LoadOptions {
        log: options.datapath_log,
        trace: false,
    };
    let PolicyFile {
        policy,
        compiled,
        description,
        ..
    } = file;
    let filter = Filter::load_with(&compiled, &description, load_options, reused)?;
    info!(
        policy = %options.policy.display(),
        pools = policy.pools.len(),
        relays = policy.relays.len(),
        exemptions = policy.exemptions.len(),
        "loaded"
    );
    Ok(Next {
        filter,
        policy,
        records,
        description,
    })
}

/// How the control socket gets to what is stored: by a connection of its own, so that it waits for no writer's disk.
fn open_reader(store: &SharedStore) -> OpenReader {
    let store = Arc::clone(store);
    Arc::new(move || {
        let store = store.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Box::new(store.reader()?))
    })
}

pub(crate) fn targets(policy: &Policy) -> Vec<Target> {
    let interfaces = policy.interfaces.iter();
    interfaces
        .map(|interface| Target {
            interface: interface.name.clone(),
            role: interface.role,
            xdp: interface.xdp,
            may_be_missing: interface.wait == Wait::Yes,
        })
        .collect()
}

/// The roles that the policy's interfaces have.
fn roles(policy: &Policy) -> impl Iterator<Item = Role> {
    let has = |role: Role| policy.interfaces.iter().any(|interface| interface.role == role);
    Role::ALL.iter().copied().filter(move |role| has(*role))
}
