//! The benchmark's arguments: `cargo xtask bench` includes this file, and passes on what it has read.

use clap::{Args as ClapArgs, ValueEnum};

/// Measure the XDP program beside empty programs, other filters and no filter.
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "\
docs/benchmark.md describes each part and how to read it. All parts take about 5 minutes, after a build with
optimisation. Runs in network namespaces that end with the process. Other filters that are not installed are listed and
left out.
Exit codes: 0 measured; 1 something is missing, or a row is wrong; 2 failed to run.")]
pub struct Args {
    /// Print one JSON document instead of tables.
    #[arg(long)]
    pub json: bool,
    /// Only these parts; all by default.
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
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Nanoseconds for one repeated packet, beside an empty program.
    TestRun,
    /// Frames over a veth pair, beside other filters.
    Live,
    /// Time and memory until a policy is enforced.
    Start,
    /// Throughput of a router.
    Forward,
}

/// A filter that is measured in the part `live`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Contender {
    /// op25b, as shipped.
    Op25b,
    /// A program that counts and drops everything.
    Drop,
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
