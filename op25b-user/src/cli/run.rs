//! `op25b run`: enforce a policy until told to stop.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use tokio::{
    io::{Interest, unix::AsyncFd},
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

use super::policy_file::{self, PolicyFile};
use crate::{
    datapath::{Filter, Interfaces, LoadOptions, LogLevel, attach, clock, requirements, vacant},
    policy::{Policy, Role, Word as _},
};

/// How often the system's clock is compared with the one that the program keeps.
const CLOCK_CHECK: Duration = Duration::from_secs(1);
/// A step smaller than this is the clocks' ordinary drift.
const CLOCK_STEP: Duration = Duration::from_millis(500);

/// Loads the policy into the kernel, attaches to every subscriber interface and enforces it until SIGINT or
/// SIGTERM; then detaches. Either all interfaces are attached or none.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b run --policy /etc/op25b/policy.yaml
  op25b run --policy policy.yaml --datapath-log debug   one line for each packet to port 25

Needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, and Linux 5.18 or newer.
Exit codes: 0 stopped by a signal; 2 could not start, and then nothing is attached.")]
pub struct Args {
    /// The policy file.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// What the program in the kernel says about single packets. `off` costs nothing at all; anything else is for
    /// finding a fault, not for a busy router.
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    datapath_log: LogLevel,
}

impl Args {
    pub(super) fn log_filter(&self) -> &'static str {
        match self.datapath_log {
            LogLevel::Off => "info",
            // The libraries' own diagnostics would drown the packets'.
            LogLevel::Debug => "info,op25b=debug",
        }
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let policy = policy_file::read(&args.policy)?;
    requirements::check()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?
        .block_on(enforce(args, &policy))?;
    Ok(ExitCode::SUCCESS)
}

async fn enforce(args: &Args, file: &PolicyFile) -> anyhow::Result<()> {
    // Signals are taken over first: one that comes while interfaces are being attached ends in a clean stop too.
    let mut signals = Signals::new()?;
    // What can be known to fail fails before anything is attached: many drivers reset the link to attach in native mode.
    let interfaces = Interfaces::list().await?;
    for interface in &file.policy.interfaces {
        vacant(&interfaces, &interface.name)?;
    }
    let mut filter = load(args, file)?;
    attach_all(&mut filter, file).await?;
    info!(policy = %args.policy.display(), "enforcing");

    let result = keep_going(&mut filter, args.datapath_log, &mut signals).await;
    for role in roles(&file.policy) {
        for (reason, packets) in filter.counters(role)?.iter() {
            info!(role = role.name(), reason = reason.name(), packets, "counted");
        }
    }
    drop(filter);
    info!("detached: nothing is blocked any more");
    result
}

fn load(args: &Args, file: &PolicyFile) -> anyhow::Result<Filter> {
    let options = LoadOptions {
        log: args.datapath_log,
        trace: false,
    };
    let filter = Filter::load(&file.compiled, &file.description, options)?;
    info!(
        policy = %args.policy.display(),
        pools = file.policy.pools.len(),
        relays = file.policy.relays.len(),
        exemptions = file.policy.exemptions.len(),
        "loaded"
    );
    Ok(filter)
}

/// The roles that the policy's interfaces have.
fn roles(policy: &Policy) -> impl Iterator<Item = Role> {
    let has = |role: Role| policy.interfaces.iter().any(|interface| interface.role == role);
    Role::ALL.iter().copied().filter(move |role| has(*role))
}

async fn attach_all(filter: &mut Filter, file: &PolicyFile) -> anyhow::Result<()> {
    // Listed anew: loading a large policy takes a while.
    let interfaces = Interfaces::list().await?;
    for interface in &file.policy.interfaces {
        let attached = attach(
            filter,
            &interfaces,
            &interface.name,
            interface.role,
            interface.xdp,
        )?;
        if let Some(reason) = attached.fallback {
            warn!(
                interface = interface.name,
                %reason,
                "the driver does not do native XDP: falling back to generic mode, which is several times slower"
            );
        }
        let program_id = filter.program_info(interface.role)?.id();
        info!(
            interface = interface.name,
            role = interface.role.name(),
            xdp = attached.mode,
            program_id,
            "attached"
        );
    }
    Ok(())
}

/// Does what there is to do while the kernel enforces: nothing of it is needed for the filter to go on.
async fn keep_going(filter: &mut Filter, log: LogLevel, signals: &mut Signals) -> anyhow::Result<()> {
    let mut diagnostics = match log {
        LogLevel::Off => None,
        LogLevel::Debug => {
            let reader = filter
                .take_diagnostics()
                .context("cannot read the program's diagnostics")?;
            // SAFETY: the reader owns its ring buffer, whose descriptor stays open and the same while it lives.
            let reader = unsafe { AsyncFd::register_with_interest(reader, Interest::READABLE) };
            Some(reader.context("cannot wait for diagnostics")?)
        }
    };
    let mut clock_check = interval(CLOCK_CHECK);
    clock_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut offset = clock::boot_to_unix()?;
    loop {
        tokio::select! {
            name = signals.stop.wait() => {
                info!(signal = name, "stopping");
                return Ok(());
            }
            _ = signals.hangup.recv() => {
                warn!("SIGHUP ignored: this version reads its policy at start only; restart it to change the policy");
            }
            _ = clock_check.tick() => {
                let now = clock::boot_to_unix()?;
                filter.refresh_clock()?;
                if u128::from(now.abs_diff(offset)) > CLOCK_STEP.as_nanos() {
                    warn!(seconds = (now - offset) / 1_000_000_000, "the system's clock was set: expiries follow it");
                }
                offset = now;
            }
            ready = readable(diagnostics.as_mut()) => ready?,
        }
    }
}

/// Passes on the diagnostics that have come; waits for ever if there are none to come.
async fn readable<T: log::Log>(
    diagnostics: Option<&mut AsyncFd<aya_log::EbpfLogger<T>>>,
) -> std::io::Result<()> {
    match diagnostics {
        Some(reader) => {
            let mut guard = reader.readable_mut().await?;
            // In this order: what comes while the others are read makes it ready again.
            guard.clear_ready();
            guard.get_inner_mut().flush();
            Ok(())
        }
        None => std::future::pending().await,
    }
}

/// The signals that would end the process: those that are to end the filter, and one that is not.
struct Signals {
    stop: StopSignal,
    hangup: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            stop: StopSignal {
                interrupt: signal(SignalKind::interrupt()).context("cannot handle SIGINT")?,
                terminate: signal(SignalKind::terminate()).context("cannot handle SIGTERM")?,
            },
            hangup: signal(SignalKind::hangup()).context("cannot handle SIGHUP")?,
        })
    }
}

/// The signals that end the filter.
struct StopSignal {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignal {
    /// Waits for one of them; its name.
    async fn wait(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
