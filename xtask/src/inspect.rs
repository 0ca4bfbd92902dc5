//! `cargo xtask inspect`: measures the XDP programs with the kernel's verifier, and checks the limits.

use std::{
    fs,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, ensure};
use clap::Args as ClapArgs;
use op25b_host::{numbers::thousands, paths, process};
use serde::Deserialize;

use crate::{
    setup::{self, Purpose},
    suite,
};

/// Load the XDP programs in every configuration and show their sizes as the verifier reports them.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
instructions  remaining when the verifier has removed unreachable ones
verified      instructions that the verifier examined, on all paths together
stack         bytes on the deepest path through a program's functions, derived from its instructions
maps          that the remaining instructions refer to
JIT           bytes of machine code; 0 where the kernel does not compile
Exit codes: 0 within the limits; 1 a limit is exceeded, or something is missing; 2 failed to run.")]
pub struct Args {
    /// Print one JSON document instead of a table.
    #[arg(long)]
    json: bool,
}

/// The test that measures, and the variable with the path of its result.
const TEST: &str = "every_configuration_is_within_the_limits";
const VARIABLE: &str = "OP25B_INSPECT_FILE";

#[derive(Deserialize)]
struct Report {
    object_bytes: u64,
    limits: Limits,
    programs: Vec<Measured>,
    broken: Vec<String>,
}

#[derive(Deserialize)]
struct Limits {
    verified: u32,
    stack: u32,
}

#[derive(Deserialize)]
struct Measured {
    program: String,
    configuration: String,
    instructions: u32,
    verified: u32,
    stack: u32,
    maps: u32,
    jited: u32,
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    setup::ensure(Purpose::Test)?;
    // Only JSON may come out then.
    let through_sudo = if args.json {
        suite::quiet_privileges()?
    } else {
        suite::privileges()?
    };
    let folder = tempfile::tempdir().context("cannot make a temporary directory")?;
    let file = folder.path().join("inspect.json");
    fs::write(&file, "").context("cannot write to a temporary directory")?;
    let mut test = Command::new("cargo");
    test.args(["test", "--quiet", "--package", "op25b", "--test", "verifier"])
        .args(["--", "--exact", TEST])
        .env(VARIABLE, &file)
        .current_dir(paths::workspace());
    suite::run_tests_through(&mut test, through_sudo)?;
    process::run_quietly(&mut test)?;
    let json = fs::read_to_string(&file).context("cannot read what was measured")?;
    ensure!(!json.is_empty(), "nothing was measured");
    let report: Report = serde_json::from_str(&json).context("cannot read what was measured")?;
    if args.json {
        println!("{json}");
    } else {
        print!("{}", table(&report));
    }
    for sentence in &report.broken {
        eprintln!("cargo xtask inspect: {sentence}");
    }
    Ok(if report.broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// In Markdown, to be read here and pasted into docs/verifier.md.
fn table(report: &Report) -> String {
    use std::fmt::Write as _;

    let mut text = String::from(
        "| program | configuration | instructions | verified | stack | maps | JIT |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for measured in &report.programs {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {} | {} |",
            measured.program,
            measured.configuration,
            thousands(measured.instructions.into()),
            thousands(measured.verified.into()),
            measured.stack,
            measured.maps,
            thousands(measured.jited.into()),
        );
    }
    let Limits { verified, stack } = report.limits;
    let _ = writeln!(
        text,
        "\nLimits: verified under {}, stack at most {stack} bytes. The object has {} bytes, debug information included.",
        thousands(verified.into()),
        thousands(report.object_bytes),
    );
    text
}
