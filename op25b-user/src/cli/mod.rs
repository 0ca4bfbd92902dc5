//! The command line: one file for each subcommand.

mod activity;
mod alerts;
mod check;
mod completion;
mod confirm;
mod daemon;
mod diagnose;
mod doctor;
mod events;
mod exempt;
mod explain;
mod export;
mod import_file;
mod metrics;
mod notices;
mod output;
mod pause;
mod place;
mod policy;
mod process;
mod reload;
mod report;
mod rollout;
mod run;
mod sending;
mod sessions;
mod status;
mod stop;
mod subscribers;
mod table;
mod top;

pub use self::{
    completion::{COMPLETE, complete},
    output::{pipe, problem::report, progress},
    process::logging,
};

// What commands have in common, by its own name.
use self::{
    daemon::pages,
    output::{forgotten, json, problem, stderr},
    place::{directories, elsewhere, paths},
    policy::{file as policy_file, source as policy_source},
    process::{descriptors, end_by, ending},
    sending::{back_off, tls},
};

use std::{env, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::daemon::{HeldSignals, memory};

/// Exit code of a command that ran and has a negative result.
pub const EXIT_NO: u8 = 1;
/// Exit code of a command that failed; clap uses the same for wrong usage.
pub const EXIT_FAILED: u8 = 2;
/// Exit code of `status` and others without a running filter, as in the Linux Standard Base.
pub const EXIT_NOT_RUNNING: u8 = 3;
/// Exit code of `status` if the policy is enforced on some of its interfaces and not on others.
pub const EXIT_PARTLY: u8 = 4;

/// Block outbound port 25 (OP25B) from dynamic address pools, in XDP.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 done; 1 negative result, see the subcommand; 2 failed; \
                  3 no filter is running (status, subscribers, stop); 4 enforced in part (status)."
)]
pub struct Cli {
    /// Format of log lines on stderr.
    #[arg(
        long,
        global = true,
        help_heading = paths::GLOBAL,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub log_format: logging::Format,
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands. clap shows the documentation of their arguments.
#[derive(Debug, Subcommand)]
#[expect(
    missing_docs,
    reason = "documentation of a variant would hide that of its arguments in `--help`"
)]
pub enum Command {
    Check(check::Args),
    Run(run::Args),
    Reload(reload::Args),
    Confirm(confirm::Args),
    Pause(pause::PauseArgs),
    Resume(pause::ResumeArgs),
    Stop(stop::Args),
    Status(status::Args),
    Subscribers(subscribers::Args),
    Alerts(alerts::Args),
    Events(events::Args),
    Top(top::Args),
    Report(report::Args),
    Notices(notices::Args),
    Rollout(rollout::Args),
    Metrics(metrics::Args),
    Explain(explain::Args),
    Diagnose(diagnose::Args),
    Doctor(doctor::Args),
    Exempt(exempt::Args),
    Sessions(sessions::Args),
    Export(export::Args),
}

/// A command line that was parsed.
#[derive(Debug)]
pub struct Invocation {
    /// The command.
    pub cli: Cli,
    /// Whether its result, and its errors, are to be JSON.
    pub is_json: bool,
}

impl Invocation {
    /// Parses the arguments of this process. If they are not valid, or ask for help, what is to be said of that is printed, and
    /// this is the exit code.
    pub fn parse() -> Result<Self, ExitCode> {
        let parsed = Cli::command().try_get_matches().and_then(|matches| {
            Ok(Self {
                cli: Cli::from_arg_matches(&matches)?,
                is_json: problem::is_json(&matches),
            })
        });
        parsed.map_err(|error| problem::report_usage(&error, env::args_os()))
    }
}

impl Cli {
    /// Starts logging as the command requires: a daemon waits for no reader of its log.
    pub fn start_logging(&self) {
        match &self.command {
            Command::Run(args) => {
                // Before the log's thread: it would allocate from a heap of its own.
                memory::share_heap();
                logging::start_for_daemon(self.log_format, args.log_filter());
            }
            _ => logging::start(self.log_format, "warn"),
        }
    }
}

impl Command {
    /// Runs the command. Signals are held back until the daemon has its handlers; they end any other command.
    pub fn run(&self, held: &HeldSignals) -> anyhow::Result<ExitCode> {
        if !matches!(self, Self::Run(_)) {
            held.release()?;
        }
        descriptors::raise_limit();
        match self {
            Self::Check(args) => check::run(args),
            Self::Run(args) => run::run(args, held),
            Self::Reload(args) => reload::run(args),
            Self::Confirm(args) => confirm::run(args),
            Self::Pause(args) => pause::pause(args),
            Self::Resume(args) => pause::resume(args),
            Self::Stop(args) => stop::run(args),
            Self::Status(args) => status::run(args),
            Self::Subscribers(args) => subscribers::run(args),
            Self::Alerts(args) => alerts::run(args),
            Self::Events(args) => events::run(args),
            Self::Top(args) => top::run(args),
            Self::Report(args) => report::run(args),
            Self::Notices(args) => notices::run(args),
            Self::Rollout(args) => rollout::run(args),
            Self::Metrics(args) => metrics::run(args),
            Self::Explain(args) => explain::run(args),
            Self::Diagnose(args) => diagnose::run(args),
            Self::Doctor(args) => doctor::run(args),
            Self::Exempt(args) => exempt::run(args),
            Self::Sessions(args) => sessions::run(args),
            Self::Export(args) => export::run(args),
        }
    }
}

/// The error and its causes on one line, without causes that only repeat the text before them.
fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_cause_that_only_repeats_is_left_out() {
        let error = anyhow::anyhow!("no such interface")
            .context("cannot attach: no such interface")
            .context("run");
        assert_eq!(causes(&error), "run: cannot attach: no such interface");
    }
}
