//! `op25b run`: run the daemon.

use std::{
    io::{self, IsTerminal as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args as ClapArgs;

use super::{paths::Paths, policy_file};
use crate::{
    daemon::{self, HeldSignals, Options},
    datapath::LogLevel,
    policy::Report,
};

/// Run the daemon, which enforces a policy and keeps it up to date.
///
/// It runs in the foreground until SIGINT or SIGTERM. It loads the policy into the kernel and attaches to all
/// its interfaces, or to none. The filter remains in force when the daemon ends, also if it is killed: the
/// next `op25b run` takes it over without interruption, and `op25b stop --detach` removes it.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
`op25b reload` or SIGHUP reloads the policy. A policy with errors is refused, and the previous one \
stays in force. At a start without a filter the last good policy is enforced then.

Examples:
  op25b run --policy /etc/op25b/policy.yaml
  op25b run --policy policy.yaml --datapath-log debug   log packets to a blocked port

Requires root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON and a directory to pin to; and a kernel with the \
BPF features of Linux 5.18.
Exit codes: 0 stopped by a signal; 2 failed to start, and every interface is unchanged.")]
pub struct Args {
    /// The policy file.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Logging of single packets by the program in the kernel, of each sender one a second at most. `off` has no cost per packet;
    /// any other level is for diagnosing a fault.
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    datapath_log: LogLevel,
    /// Reload the policy whenever its file changes.
    #[arg(long)]
    watch: bool,
    /// Enforce also where the filter ends with the daemon: in a mount namespace of its own (`ip netns exec`, a container) without
    /// the machine's BPF file system.
    #[arg(long)]
    no_persist: bool,
    /// Take over a filter whose exemptions are stored in DIR, with those of this start's state directory instead: what only the store in
    /// DIR has is enforced no more. Without this such a start is refused, unless all files of DIR were moved.
    #[arg(long, value_name = "DIR")]
    previous_state_dir: Option<PathBuf>,
    #[command(flatten)]
    paths: Paths,
}

impl Args {
    pub(super) fn log_filter(&self) -> &'static str {
        match self.datapath_log {
            LogLevel::Off => "info",
            // Debug lines of libraries would hide those of packets.
            LogLevel::Debug => "info,op25b=debug",
        }
    }
}

pub(super) fn run(args: &Args, held: &HeldSignals) -> anyhow::Result<ExitCode> {
    let options = Options {
        policy: args.policy.clone(),
        bpffs: args.paths.bpffs.clone(),
        no_persist: args.no_persist,
        runtime_dir: args.paths.runtime_dir.clone(),
        state_dir: args.paths.state_dir.clone(),
        previous_state_dir: args.previous_state_dir.clone(),
        datapath_log: args.datapath_log,
        watch: args.watch,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(daemon::THREADS)
        .build()
        .context("cannot start the event loop")?;
    let ended = runtime.block_on(daemon::run(&options, held, print));
    // A look-up of a user's name in a directory service may never return.
    runtime.shutdown_background();
    ended?;
    Ok(ExitCode::SUCCESS)
}

/// Shows the errors and warnings of the policy file as `op25b check` does to a person, and as lines of the log to everything else.
fn print(report: &Report) {
    if io::stderr().is_terminal() {
        policy_file::print(report);
    } else {
        daemon::log_diagnostics(report);
    }
}
