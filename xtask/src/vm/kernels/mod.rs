//! `cargo xtask vm kernels`: the tests and the scenarios on each kernel.

mod part;
mod programs;
mod row;
mod scenarios;
mod targets;

use std::{process::ExitCode, time::Instant};

use clap::Args as ClapArgs;
use op25b_host::paths;

use self::{part::Part, programs::Programs, row::Row};
use super::{
    chosen,
    image::Image,
    kernel::Kernel,
    machine::{Machine, Options},
    table::Table,
};
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
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    setup::ensure(Purpose::Demo)?;
    let parts = chosen(&args.only, &Part::ALL);
    let targets = parts.iter().filter_map(|part| part.tests(args.all));
    let programs = Programs::build(targets.map(|tests| tests.target))?;
    let image = Image::get(false)?;
    let mut table = Table::new(&["kernel", "part", "passed", "failed", "not reached", "seconds"]);
    let mut is_good = true;
    for kernel in chosen(&args.kernel, &Kernel::ALL) {
        let start = Instant::now();
        let mut guest = Guest {
            image: &image,
            kernel,
            release: kernel.name().to_owned(),
        };
        let rows = guest.run(&parts, &programs, args.all).unwrap_or_else(|error| {
            let sentence = format!("{error:#}");
            vec![Row::of("boot", &sentence, false, start.elapsed())]
        });
        for row in rows {
            is_good &= row.is_good();
            table.row(&[
                guest.release.clone(),
                row.part,
                row.passed.to_string(),
                row.failed.len().to_string(),
                row.not_reached.len().to_string(),
                format!("{:.0}", row.took.as_secs_f64()),
            ]);
            for (what, names) in [("FAILED", row.failed), ("NOT REACHED", row.not_reached)] {
                for name in names {
                    println!("{what} on Linux {}: {name}", guest.release);
                }
            }
        }
    }
    println!("\n{table}");
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A kernel that is tested.
struct Guest<'a> {
    image: &'a Image,
    kernel: Kernel,
    /// Its own name for itself, once it has booted.
    release: String,
}

impl Guest<'_> {
    fn boot(&self) -> anyhow::Result<Machine> {
        Machine::boot(self.image, self.kernel, &Options::default())
    }

    /// Runs the parts. After one that was cut off, the next one has a machine that has just booted.
    fn run(&mut self, parts: &[Part], programs: &Programs, all: bool) -> anyhow::Result<Vec<Row>> {
        let start = Instant::now();
        let mut machine = self.boot()?;
        machine.output("uname -r")?.trim().clone_into(&mut self.release);
        let took = start.elapsed();
        println!("==> Linux {}, after {:.0} s", self.release, took.as_secs_f64());
        if !self.kernel.is_supported() {
            return Ok(vec![self.refusal(&mut machine, programs)?]);
        }
        let mut rows: Vec<Row> = Vec::new();
        for part in parts {
            if rows.last().is_some_and(|row| row.is_stuck) {
                drop(machine);
                machine = self.boot()?;
            }
            rows.push(part.run(&mut machine, programs, all));
        }
        Ok(rows)
    }

    /// A kernel that lacks what op25b needs has to be refused by the name of what it lacks, and nothing attached.
    fn refusal(&self, machine: &mut Machine, programs: &Programs) -> anyhow::Result<Row> {
        let start = Instant::now();
        let policy = paths::workspace().join("policies/lab.yaml");
        let answer = machine.run(&format!(
            "{} run --policy {}",
            programs.op25b().display(),
            policy.display()
        ))?;
        print!("{}", answer.text);
        // The first one in the order in which they are tried.
        let names_it = answer.text.contains(&format!(
            "this kernel ({}) lacks the helper bpf_xdp_load_bytes, which Linux 5.18 brought",
            self.release
        ));
        Ok(Row::of(
            "refusal",
            "the kernel is refused by the name of the first feature that it lacks",
            answer.code == 2 && names_it,
            start.elapsed(),
        ))
    }
}
