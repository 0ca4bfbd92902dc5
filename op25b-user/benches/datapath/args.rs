//! The benchmark's arguments: `cargo xtask bench` includes this file, and passes on what it has read.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

/// Measure the XDP program beside empty programs, other filters and no filter.
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "\
docs/benchmark.md describes each part and how to read it. Without --only all parts but `start` and `scrape` are
measured, in about 6 minutes; these two need a build with optimisation. Runs in network namespaces that end with the
process. Other filters that are not installed are listed and left out. Results are printed as they come.

  cargo xtask bench --only live --filter drop,op25b    two rows of each table
  cargo xtask bench --history results.jsonl            keep the run, to compare others with
  cargo xtask bench compare results.jsonl@v0.1 results.jsonl

Exit codes: 0 measured; 1 something is missing, or a row is wrong; 2 failed to run.")]
pub struct Args {
    /// Print a line of JSON for each result instead of tables.
    #[arg(long)]
    pub json: bool,
    /// Append the run to a file, a line of JSON for each result, with the commit and the machine.
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Only these parts; all but `start` and `scrape` by default.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART")]
    pub only: Vec<Part>,
    /// In the part `live` only these filters; all that are installed by default.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "FILTER")]
    pub filter: Vec<Contender>,
    /// In the parts `live` and `start` only these numbers of exemptions; 10, 1000, 100000 and 1000000 by default.
    #[arg(long, value_delimiter = ',', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub exemptions: Vec<u32>,
    /// Shorter measurements, which vary more, and at most 100000 exemptions unless --exemptions gives other numbers.
    #[arg(long)]
    pub quick: bool,
    /// What was built, for the record of the run.
    #[arg(long, hide = true)]
    pub commit: Option<String>,
}

impl Args {
    /// Whether a part is measured.
    pub fn wants(&self, part: Part) -> bool {
        if self.only.is_empty() {
            !Part::OF_THE_COMMAND.contains(&part)
        } else {
            self.only.contains(&part)
        }
    }
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Nanoseconds for one repeated packet, beside an empty program.
    TestRun,
    /// Frames over a veth pair, beside other filters.
    Live,
    /// Frames on two CPUs at once, beside one.
    Scaling,
    /// How soon a new offender is shown while all others flood.
    Events,
    /// Time and memory until a policy is enforced, by a command with optimisation.
    Start,
    /// Time of a scrape of a router with 1,000 pools and 64 interfaces, by a command with optimisation.
    Scrape,
    /// Throughput of a router.
    Forward,
}

impl Part {
    /// Those that measure the command itself, built as for a release.
    pub const OF_THE_COMMAND: [Self; 2] = [Self::Start, Self::Scrape];
}

/// A filter that is measured in the part `live`, in this order: what is compared follows each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Contender {
    /// A program that counts and drops everything.
    Drop,
    /// A program that drops port 25, with an exact counter of 8 bytes for each source in a flat array.
    DropRecord,
    /// op25b, as shipped.
    Op25b,
    /// op25b with events, which are read.
    Op25bEvents,
    /// op25b on one of 16 subscriber interfaces of its policy.
    Op25bOf16,
    /// A program with the same parsers and the kernel's tries.
    Lpm,
    /// xdp-filter, of xdp-tools, loaded as in its manual: port 25 only.
    XdpFilter,
    /// The same with `--features tcp`.
    XdpFilterTcp,
    /// nftables at the netdev ingress hook.
    Nftables,
    /// iptables in the raw table, with an ipset.
    Ipset,
}

/// The word for a value on the command line.
pub fn word<T: ValueEnum>(value: &T) -> String {
    value
        .to_possible_value()
        .map(|possible| possible.get_name().to_owned())
        .unwrap_or_default()
}
