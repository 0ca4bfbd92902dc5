//! `cargo xtask vm kernels`: the tests and the scenarios on each kernel.

mod guest;
mod part;
mod programs;
mod row;
mod scenarios;
mod targets;

use std::{
    num::NonZeroUsize,
    process::ExitCode,
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use clap::Args as ClapArgs;

use self::{guest::Guest, part::Part, programs::Programs, row::Row};
use super::{chosen, image::Image, kernel::Kernel, table::Table};
use crate::setup::{self, Purpose};

/// Run tests and scenarios on each kernel.
///
/// The tests are those of `cargo xtask test` whose outcome may depend on the kernel. The scenarios need modules that a kernel for
/// development may lack: bonds, VLAN devices, PPP over Ethernet and over L2TP.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The kernels; all, unless some are named.
    #[arg(long, value_enum, value_delimiter = ',')]
    kernel: Vec<Kernel>,
    /// The parts; all, unless some are named.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Run every test of the parts, also those that are the same on each kernel.
    #[arg(long)]
    all: bool,
    /// How many machines run at once: as many as there are processors here, unless it is said.
    #[arg(long, value_name = "NUMBER")]
    jobs: Option<NonZeroUsize>,
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    setup::ensure(Purpose::Demo)?;
    // What it lacks is told before the long build.
    let image = Image::get(false)?;
    let parts = chosen(&args.only, &Part::ALL);
    let targets = parts.iter().filter_map(|part| part.tests(args.all));
    let programs = Programs::build(targets.map(|tests| tests.target))?;
    let kernels = chosen(&args.kernel, &Kernel::ALL);
    let jobs = match args.jobs {
        Some(jobs) => jobs.get(),
        None => thread::available_parallelism()?.get(),
    };
    let start = Instant::now();
    let tested = in_turn(&kernels, jobs, |kernel| {
        Guest::new(&image, *kernel).test(&parts, &programs, args.all)
    });
    let is_good = print(&tested);
    println!("{:.0} s in all", start.elapsed().as_secs_f64());
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Does something with each, so many at once, and returns what comes of it in their order.
fn in_turn<T: Sync, R: Send>(items: &[T], at_once: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = Mutex::new(items.iter().enumerate());
    let results = thread::scope(|scope| {
        let worker = || {
            let mut results = Vec::new();
            loop {
                let item = next.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((number, item)) = item else {
                    return results;
                };
                results.push((number, work(item)));
            }
        };
        let workers: Vec<_> = (0..at_once.min(items.len()))
            .map(|_| scope.spawn(worker))
            .collect();
        let joined = workers.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .map(|results| results.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect::<Vec<_>>()
    });
    let mut results: Vec<_> = results.into_iter().flatten().collect();
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Prints what came of each kernel, by its release; true if everything passed.
fn print(tested: &[(String, Vec<Row>)]) -> bool {
    let mut table = Table::new(&["kernel", "part", "passed", "failed", "not reached", "seconds"]);
    let rows = tested
        .iter()
        .flat_map(|(release, rows)| rows.iter().map(move |row| (release, row)));
    for (release, row) in rows.clone() {
        table.row(&[
            release.clone(),
            row.part.clone(),
            row.passed.to_string(),
            row.failed.len().to_string(),
            row.not_reached.len().to_string(),
            format!("{:.0}", row.took.as_secs_f64()),
        ]);
        for (what, names) in [("FAILED", &row.failed), ("NOT REACHED", &row.not_reached)] {
            for name in names {
                println!("{what} on Linux {release}: {name}");
            }
        }
    }
    println!("\n{table}");
    rows.map(|(_, row)| row).all(Row::is_good)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn so_many_are_tested_at_once_and_the_results_have_the_order_of_the_kernels() {
        // Two have to be there at the same time, twice.
        let both = Barrier::new(2);
        let results = in_turn(&[1, 2, 3, 4], 2, |number| {
            both.wait();
            number * 10
        });
        assert_eq!(results, [10, 20, 30, 40]);
        assert_eq!(in_turn(&[1, 2], 9, |number| *number), [1, 2]);
    }
}
