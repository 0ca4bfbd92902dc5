//! `op25b doctor`: what would go wrong on this machine.

mod text;

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use serde::Serialize;

use super::{EXIT_NO, json, policy_file, progress::Progress, table::width};
use crate::{
    datapath::host::release,
    report::doctor::{self, Examined, Grade, Line},
    schema::Schema,
};

/// The usual policy file, which is examined if it exists and no other one is named.
const USUAL_POLICY: &str = "/etc/op25b/policy.yaml";

/// Examine what would go wrong on this machine, before the filter runs there.
///
/// Each line is ok, warn or fail, with what was found and what to do: the kernel and what it permits, the BPF file system, the clock, the
/// systemd unit, and for a policy the memory that it takes and each of its interfaces. What could not be examined is `unknown`. Nothing
/// is attached and nothing is changed.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b doctor                               this machine, and /etc/op25b/policy.yaml if there is one
  op25b doctor --policy new.yaml             before a roll-out
  op25b doctor --json | jq -r '.lines[] | select(.result == \"fail\") | .remedy'

Run it as root, in the network namespace of the interfaces; without root it examines less, and says what.
Exit codes: 0 nothing fails; 1 something fails; 2 the result cannot be written.")]
pub struct Args {
    /// The policy file whose interfaces and memory are examined.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Print one JSON document to stdout.
    #[arg(long)]
    json: bool,
    /// Directory of the filter's pins, in a BPF file system.
    #[arg(
        long,
        help_heading = super::paths::GLOBAL,
        env = "OP25B_BPFFS",
        value_name = "DIR",
        default_value = "/sys/fs/bpf/op25b"
    )]
    bpffs: PathBuf,
}

/// The document of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    policy: Option<&'a Path>,
    kernel: String,
    result: Grade,
    fail: usize,
    warn: usize,
    unknown: usize,
    ok: usize,
    lines: &'a [Line],
}

/// Examines this machine. Fails if the output cannot be written.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let usual = Path::new(USUAL_POLICY);
    let path = args.policy.as_deref().or_else(|| usual.exists().then_some(usual));
    let policy = path.map(|path| (path, policy_file::read(path)));
    let progress = Progress::of("examining this machine");
    let examined = doctor::examine(policy, &args.bpffs);
    drop(progress);
    let worst = examined
        .lines
        .iter()
        .map(|line| line.result)
        .max()
        .unwrap_or(Grade::Ok);
    let written = if args.json {
        print_json(&examined, worst)
    } else {
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(text::text(&examined, width()).as_bytes())
    };
    written.context("cannot write the result")?;
    Ok(if worst == Grade::Fail {
        ExitCode::from(EXIT_NO)
    } else {
        ExitCode::SUCCESS
    })
}

fn print_json(examined: &Examined, result: Grade) -> io::Result<()> {
    let document = Document {
        policy: examined.policy.as_deref(),
        kernel: release(),
        result,
        fail: examined.count(Grade::Fail),
        warn: examined.count(Grade::Warn),
        unknown: examined.count(Grade::Unknown),
        ok: examined.count(Grade::Ok),
        lines: &examined.lines,
    };
    json::print(Schema::Doctor, &document)
}
