//! `cargo xtask api`: compares the control socket's answers to generated requests with docs/openapi.json.

mod forwarder;
mod schemathesis;

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, ensure};
use clap::Args as ClapArgs;

use self::{forwarder::Forwarder, schemathesis::Schemathesis};
use crate::{
    filter::Filter,
    interrupt,
    lab::{self, Host, Lab},
    paths, runtime,
};

/// Send a daemon thousands of requests generated from docs/openapi.json, valid and invalid ones, and check its responses
/// against that description.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Runs in network namespaces that are removed afterwards. Requires root, python3 with venv, and PyPI for the first
run.
Exit codes: 0 every response conforms; 1 one does not; 2 failed to run.")]
pub struct Args {
    /// The maximum number of requests of a kind per operation.
    #[arg(long, value_name = "N", default_value_t = 150)]
    examples: u32,
}

/// Runs the command.
pub fn run(args: &Args, op25b: &Path) -> anyhow::Result<ExitCode> {
    let lacks = runtime::lacks();
    ensure!(lacks.is_empty(), "this needs {}", lacks.join("; and "));
    let schemathesis = Schemathesis::install()?;
    interrupt::watch()?;
    lab::remove_stale()?;

    let lab = Lab::unique("api")?;
    let router = lab.host(Host::Router);
    let policy = paths::workspace().join("policies/lab.yaml");
    let filter = Filter::start(op25b, router, &policy)?;
    let [_, (_, runtime_dir), _] = router.places();
    let forwarder = Forwarder::start(router, &runtime_dir.join("control.sock"))?;

    let document = paths::workspace().join("docs/openapi.json");
    let url = format!("http://127.0.0.1:{}", forwarder.port());
    let words = schemathesis.words(&document, &url, args.examples);
    let (program, arguments) = words.split_first().context("there is no program")?;
    let mut command = router.command(program);
    // It keeps examples that failed, and writes reports, where it runs.
    command
        .args(arguments)
        .current_dir(paths::target()?.join("schemathesis"));
    let status = command.status().context("cannot run schemathesis")?;
    interrupt::check()?;
    drop(forwarder);
    // A daemon that has ended by itself is no better than a wrong answer.
    let ended = filter.stop()?;
    ensure!(ended.success(), "the daemon ended with {ended}");
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
