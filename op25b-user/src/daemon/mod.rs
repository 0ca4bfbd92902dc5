//! What keeps a filter up to date: it takes over what is pinned, reloads the policy and tells the program the time.
//!
//! The kernel enforces without it. When it ends, however that happens, the filter goes on with the last good policy.

mod clock;
mod packet_log;
pub(crate) mod policy_file;
mod signals;

use std::path::PathBuf;

use anyhow::Context as _;
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::{Interval, MissedTickBehavior, interval},
};
use tracing::{error, info, warn};

use self::{
    clock::Clock,
    packet_log::PacketLog,
    policy_file::PolicyFile,
    signals::{Asked, Signals},
};
use crate::{
    datapath::{Enforced, Filter, Interfaces, LoadOptions, LogLevel, Pins, Reused, Switched, Target},
    policy::{Policy, Role, Word as _},
};

/// What a daemon is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The policy file.
    pub policy: PathBuf,
    /// Where the filter is pinned.
    pub bpffs: PathBuf,
    /// What the program says about single packets.
    pub datapath_log: LogLevel,
}

/// Enforces the policy in `file` until SIGINT or SIGTERM; the filter goes on after that.
pub(crate) async fn run(options: &Options, file: PolicyFile) -> anyhow::Result<()> {
    // Signals are taken over first: one that comes while interfaces are being attached ends in a clean stop too.
    let mut signals = Signals::take_over()?;
    let mut daemon = Daemon::start(options.clone(), file).await?;
    daemon.keep_going(&mut signals).await?;
    daemon.take_leave()
}

struct Daemon {
    options: Options,
    enforced: Enforced,
    policy: Policy,
    packet_log: PacketLog,
    clock: Clock,
    ticks: Interval,
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
        let mut ticks = interval(clock::CHECK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut daemon = Self {
            policy: file.policy.clone(),
            enforced,
            packet_log: PacketLog::off(),
            clock: Clock::new()?,
            ticks,
            options,
        };
        let targets = targets(&file.policy);
        // What can be known to fail fails before a large policy is loaded.
        daemon.enforced.check(&Interfaces::list().await?, &targets)?;
        let reused = daemon.enforced.reusable()?;
        let next = load(file, &daemon.options, &reused)?;
        daemon.switch(next).await?;
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
                        return Ok(());
                    }
                    Asked::Reload => self.reload("SIGHUP").await,
                },
                _ = self.ticks.tick() => self.tick(),
                ready = self.packet_log.pass_on() => ready.context("cannot read the program's diagnostics")?,
            }
        }
    }

    /// What is to be done every second.
    fn tick(&mut self) {
        if let Some(filter) = self.enforced.filter()
            && let Err(error) = self.clock.tell(filter)
        {
            error!(%error, "cannot tell the program the time: expiries hold by the clock as it was");
        }
    }

    /// Reads the policy anew and enforces it; what cannot be enforced changes nothing.
    async fn reload(&mut self, asked_by: &str) {
        info!(asked_by, policy = %self.options.policy.display(), "reloading");
        match self.try_reload().await {
            Ok(()) => info!(policy = %self.options.policy.display(), "reloaded"),
            Err(error) => error!("the policy was not reloaded, the one before goes on: {error:#}"),
        }
    }

    async fn try_reload(&mut self) -> anyhow::Result<()> {
        let path = self.options.policy.clone();
        let file = self
            .meanwhile(spawn_blocking(move || policy_file::read_aloud(&path)))
            .await??;
        let options = self.options.clone();
        let reused = self.enforced.reusable()?;
        let next = self
            .meanwhile(spawn_blocking(move || load(file, &options, &reused)))
            .await??;
        self.switch(next).await
    }

    /// Goes on telling the time while something takes long elsewhere.
    async fn meanwhile<T>(&mut self, mut work: JoinHandle<T>) -> anyhow::Result<T> {
        loop {
            tokio::select! {
                result = &mut work => return result.context("a thread of the daemon's failed"),
                _ = self.ticks.tick() => self.tick(),
            }
        }
    }

    /// Puts a loaded filter in the place of the one that runs.
    async fn switch(&mut self, next: Next) -> anyhow::Result<()> {
        let Next { mut filter, policy } = next;
        let mut targets = targets(&policy);
        for target in &mut targets {
            // An interface that has disappeared is no reason to refuse a policy for those that are there.
            let attached = self.enforced.attachments().iter();
            target.may_be_missing |= attached
                .clone()
                .any(|attached| attached.interface == target.interface);
        }
        // Before the switch: afterwards nothing may fail. What the reader misses of the old filter is lost with it.
        let packet_log = PacketLog::of(&mut filter, self.options.datapath_log)?;
        // Listed late: loading a large policy takes a while.
        let interfaces = Interfaces::list().await?;
        let switched = self.enforced.switch(filter, &interfaces, &targets)?;
        self.packet_log = packet_log;
        self.policy = policy;
        self.tell(&switched);
        Ok(())
    }

    /// Says what a switch did.
    fn tell(&self, switched: &Switched) {
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
        for interface in &switched.missing {
            warn!(interface, "there is no such interface");
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
        for error in &switched.left_behind {
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
struct Next {
    filter: Filter,
    policy: Policy,
}

fn load(file: PolicyFile, options: &Options, reused: &Reused) -> anyhow::Result<Next> {
    let load_options = LoadOptions {
        log: options.datapath_log,
        trace: false,
    };
    let filter = Filter::load_with(&file.compiled, &file.description, load_options, reused)?;
    info!(
        policy = %options.policy.display(),
        pools = file.policy.pools.len(),
        relays = file.policy.relays.len(),
        exemptions = file.policy.exemptions.len(),
        "loaded"
    );
    Ok(Next {
        filter,
        policy: file.policy,
    })
}

fn targets(policy: &Policy) -> Vec<Target> {
    let interfaces = policy.interfaces.iter();
    interfaces
        .map(|interface| Target {
            interface: interface.name.clone(),
            role: interface.role,
            xdp: interface.xdp,
            may_be_missing: false,
        })
        .collect()
}

/// The roles that the policy's interfaces have.
fn roles(policy: &Policy) -> impl Iterator<Item = Role> {
    let has = |role: Role| policy.interfaces.iter().any(|interface| interface.role == role);
    Role::ALL.iter().copied().filter(move |role| has(*role))
}
