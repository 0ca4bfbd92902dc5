//! `cargo xtask chaos`: random faults happen to a daemon while packets of enforced pools come in.

use std::{path::Path, process::ExitCode, time::Duration};

use anyhow::ensure;
use clap::Args as ClapArgs;

use crate::{
    chaos::{self, Limits},
    interrupt, lab, runtime,
};

/// Let random faults happen to a daemon while packets of enforced pools come in, and compare the kernel, the packets and
/// everything that op25b reports.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Faults are separated by `+` where they happen at once, and by `;` where each is undone before the next:
  cargo xtask chaos --steps 'rename sub0; unpin-all + wait 500 + kill + start'
docs/testing.md lists them.

Runs in network namespaces that are removed afterwards. Requires root.
Exit codes: 0 no fault; 1 a fault; 2 failed to run.")]
pub struct Args {
    /// For how long rounds of faults are begun.
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: u64,
    /// The seed of an earlier walk, whose faults are repeated.
    #[arg(long, value_name = "S", conflicts_with = "steps")]
    seed: Option<u64>,
    /// Faults to leave out of a random walk: those whose text begins with one of these, as in `state` or `policy bad`.
    #[arg(long, value_name = "FAULT", value_delimiter = ',', conflicts_with = "steps")]
    without: Vec<String>,
    /// These faults instead of random ones.
    #[arg(long, value_name = "FAULTS", conflicts_with = "minutes")]
    steps: Option<String>,
    /// How many times as long as promised things may take, on a busy machine.
    #[arg(long, default_value_t = 1, value_name = "FACTOR", value_parser = clap::value_parser!(u32).range(1..=100))]
    patience: u32,
}

/// Runs the command.
pub fn run(args: &Args, op25b: &Path) -> anyhow::Result<ExitCode> {
    let lacks = runtime::lacks();
    ensure!(lacks.is_empty(), "chaos needs {}", lacks.join("; and "));
    interrupt::watch()?;
    lab::remove_stale()?;
    let limits = Limits::PROMISED.times(args.patience);
    let outcome = if let Some(steps) = &args.steps {
        chaos::run(op25b, &chaos::parse(steps)?, limits)?
    } else {
        let seed = args.seed.unwrap_or_else(chaos::new_seed);
        println!("seed {seed}");
        let time = Duration::from_secs(args.minutes * 60);
        let outcome = chaos::run_seed(op25b, seed, &args.without, time, limits)?;
        println!("seed {seed}");
        outcome
    };
    println!("{outcome}");
    Ok(match &outcome.failure {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            println!(
                "what was done, in seconds:\n{}\n\n{failure}",
                outcome.steps.join("\n")
            );
            ExitCode::FAILURE
        }
    })
}
