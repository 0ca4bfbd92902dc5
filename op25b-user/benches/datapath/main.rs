//! Measures the XDP program beside an empty one, other filters and none at all. `cargo xtask bench` runs this;
//! docs/benchmark.md explains the numbers.

mod args;
mod command;
mod events;
mod forward;
mod isolation;
mod live;
mod machine;
mod noise;
mod output;
mod programs;
mod scaling;
mod scenario;
mod table;
mod test_run;
mod tool;
mod veth;

use std::process::ExitCode;

use args::{Args, Part};
use clap::Parser;
use command::{scrape, start};
use noise::Noise;
use output::Output;
use serde::Serialize;

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
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("cargo xtask bench: {error:#}");
    ExitCode::FAILURE
}

/// Measures all parts that are wanted; whether each was measured whole.
fn measure(args: &Args) -> anyhow::Result<bool> {
    let mut run = Run {
        output: Output::begin(args, &machine::facts())?,
        args,
        is_whole: true,
    };
    isolation::enter()?;
    isolation::take_precedence();
    run.part(Part::TestRun, test_run::measure, test_run::table, test_run::noise)?;
    run.part(Part::Live, live::measure, live::table, live::noise)?;
    run.part(Part::Scaling, scaling::measure, scaling::table, |_| None)?;
    run.part(Part::Events, events::measure, events::table, |_| None)?;
    run.part(Part::Start, start::measure, start::table, |_| None)?;
    run.part(Part::Scrape, scrape::measure, scrape::table, |_| None)?;
    run.part(Part::Forward, forward::measure, forward::table, |_| None)?;
    Ok(run.is_whole)
}

/// What a part hands each row to as soon as it is measured.
type Report<'a, R> = &'a mut dyn FnMut(R) -> anyhow::Result<()>;

/// One run of the benchmark.
struct Run<'a> {
    args: &'a Args,
    output: Output,
    is_whole: bool,
}

impl Run<'_> {
    /// Measures a part if it is wanted. If it fails, what has been measured by then is printed, and the next part follows.
    fn part<R: Serialize>(
        &mut self,
        part: Part,
        measure: impl FnOnce(&Args, Report<'_, R>) -> anyhow::Result<()>,
        table: impl FnOnce(&[R]) -> String,
        noise: impl FnOnce(&[R]) -> Option<Noise>,
    ) -> anyhow::Result<()> {
        if !self.args.wants(part) {
            return Ok(());
        }
        let name = args::word(&part);
        let mut rows = Vec::new();
        let measured = measure(self.args, &mut |row| {
            self.output.line(&name, &row)?;
            rows.push(row);
            Ok(())
        });
        if !rows.is_empty() {
            self.output.text(&table(&rows));
        }
        if let Some(noise) = noise(&rows) {
            self.output.line("noise", &noise)?;
            self.output.text(&noise.to_string());
        }
        if let Err(error) = measured {
            failed(&error.context(format!("the part {name} is not whole")));
            self.is_whole = false;
        }
        Ok(())
    }
}

/// Prints the progress.
fn progress(text: &str) {
    eprintln!("{text}");
}
