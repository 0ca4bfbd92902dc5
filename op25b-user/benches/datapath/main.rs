//! Measures the XDP program beside an empty one, other filters and none at all. `cargo xtask bench` runs this;
//! docs/benchmark.md explains the numbers.

mod args;
mod forward;
mod isolation;
mod live;
mod machine;
mod programs;
mod report;
mod sample;
mod scenario;
mod start;
mod table;
mod test_run;
mod tool;
mod veth;

use std::process::ExitCode;

use args::{Args, Part};
use clap::Parser;
use report::Report;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
    /// What `cargo bench` adds to every command line.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let Cli { args, .. } = Cli::parse();
    match measure(&args) {
        Ok(report) => {
            report.print(args.json);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cargo xtask bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> anyhow::Result<Report> {
    let is_wanted = |part: Part| args.only.is_empty() || args.only.contains(&part);
    let mut report = Report::new(machine::facts());
    isolation::enter()?;
    isolation::take_precedence();
    if is_wanted(Part::TestRun) {
        report.test_run = test_run::measure(args)?;
    }
    if is_wanted(Part::Live) {
        report.live = live::measure(args)?;
    }
    if is_wanted(Part::Start) {
        report.start = start::measure(args)?;
    }
    if is_wanted(Part::Forward) {
        report.forward = forward::measure(args)?;
    }
    Ok(report)
}

/// Prints the progress.
fn progress(text: &str) {
    eprintln!("{text}");
}
