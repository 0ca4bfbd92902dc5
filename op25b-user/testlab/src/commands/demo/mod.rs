//! `cargo xtask demo`: sends mail through the lab without a filter and with it, and shows what came through.

mod date;
mod policy;
mod progress;
mod table;

use std::{fs, path::Path as FilePath, process::ExitCode, time::Duration};

use anyhow::{Context as _, bail, ensure};
use clap::Args as ClapArgs;

use self::{progress::Progress, table::Row};
use crate::{
    filter::{Filter, FilterStatus},
    interrupt::{self, Interrupted},
    lab::{self, Family, Host, Lab, Servers},
    mail::Outcome,
    paths, runtime,
    traffic::{Path, Verdict, What},
};

/// How long an answer may take that should come.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long to wait for an answer that should not come: a lost SYN would have been repeated after a second.
const SILENCE: Duration = Duration::from_millis(2500);
/// The same for a single crafted frame, which is there at once or never.
const GLIMPSE: Duration = Duration::from_millis(500);

/// Send real mail through a small ISP, without op25b and with it, and show which paths work.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Runs in network namespaces that are removed afterwards. The lab requires root: as an ordinary user,
op25b is built as you and only the lab runs through sudo.
Exit codes: 0 all paths are as expected; 1 one is not; 2 failed to run.")]
pub struct Args {}

/// Runs the command.
pub fn run(op25b: &FilePath) -> anyhow::Result<ExitCode> {
    let lacks = runtime::lacks();
    ensure!(lacks.is_empty(), "the lab needs {}", lacks.join("; and "));
    interrupt::watch()?;
    match stage(op25b) {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
        Err(error) if error.is::<Interrupted>() => bail!("interrupted; the lab is removed"),
        Err(error) => Err(error),
    }
}

/// Everything between lab up and lab down; true if all is as expected.
fn stage(op25b: &FilePath) -> anyhow::Result<bool> {
    lab::remove_stale()?;
    let progress = Progress::new();
    progress.stage("bringing up the lab", 1);
    let lab = Lab::unique("demo")?;
    let servers = Servers::start(&lab)?;
    let demo = Demo {
        op25b,
        lab: &lab,
        servers: &servers,
        progress: &progress,
    };

    let before = demo.try_all("trying every path without a filter", |_| PATIENCE)?;
    let directory = tempfile::tempdir().context("cannot make a temporary directory")?;
    let lab_policy = paths::workspace().join("policies/lab.yaml");
    let policy = directory.path().join("policy.yaml");
    fs::copy(&lab_policy, &policy).with_context(|| format!("cannot copy {}", lab_policy.display()))?;
    let (after, status, filter) = demo.with_filter(&policy)?;
    let rows: Vec<_> = cells()
        .zip(before.into_iter().zip(after))
        .map(|((path, family, verdict), (before, after))| Row {
            path,
            family,
            verdict,
            before,
            after,
        })
        .collect();

    let addresses = Family::BOTH.map(|family| Host::Subscriber.address(family));
    policy::with_exemption(&lab_policy, &policy, &addresses)?;
    let exempt = demo.exempted(&filter)?;
    let crossed = demo.cross_the_date(&filter, &lab_policy, &policy)?;
    let stopped = filter.stop()?;
    ensure!(stopped.success(), "op25b did not stop well: {stopped}");
    progress.done();

    // Every row of the table shows whether it is as it should be.
    table::print(&rows, &status);
    table::print_exempted(Path::DIRECT, &addresses, &exempt);
    table::print_crossed(Path::DIRECT, &crossed);
    table::print_events(&crossed);
    let results: Vec<bool> = rows
        .iter()
        .map(Row::is_as_expected)
        .chain(exempt.iter().map(|outcome| *outcome == Outcome::Works))
        .chain(
            crossed
                .outcomes()
                .flat_map(|(_, pair)| pair.map(|(_, good)| good)),
        )
        .chain([crossed.is_counted_as_expected(), crossed.is_shown_as_expected()])
        .collect();
    let wrong = results.iter().filter(|good| !**good).count();
    table::print_verdict(results.len(), wrong);
    Ok(wrong == 0)
}

/// Every path over both families.
fn cells() -> impl Iterator<Item = (Path, Family, Verdict)> {
    Path::ALL
        .into_iter()
        .flat_map(|(path, verdict)| Family::BOTH.map(|family| (path, family, verdict)))
}

struct Demo<'a> {
    op25b: &'a FilePath,
    lab: &'a Lab,
    servers: &'a Servers,
    progress: &'a Progress,
}

impl Demo<'_> {
    fn try_all(&self, stage: &str, patience: impl Fn(Verdict) -> Duration) -> anyhow::Result<Vec<Outcome>> {
        let attempts: Vec<_> = cells()
            .map(|(path, family, verdict)| (path, family, patience(verdict)))
            .collect();
        self.progress.stage(stage, attempts.len());
        Path::attempt_all(&attempts, self.lab, self.servers, || self.progress.step())
    }

    fn with_filter(&self, policy: &FilePath) -> anyhow::Result<(Vec<Outcome>, FilterStatus, Filter)> {
        self.progress.stage("starting op25b on the router", 1);
        let filter = Filter::start(self.op25b, self.lab.host(Host::Router), policy)?;
        let mut outcomes = self.try_all("trying every path with the filter", |verdict| match verdict {
            Verdict::Works => PATIENCE,
            Verdict::Blocked => SILENCE,
        })?;
        // A crafted frame that is not seen could also be lost: the counter must show it, one by one.
        for ((path, family, verdict), outcome) in cells().zip(&mut outcomes) {
            if verdict == Verdict::Blocked
                && matches!(path.what, What::Crafted(_))
                && *outcome == Outcome::Silence
            {
                *outcome = self.counted(&filter, path, family)?;
            }
        }
        let status = filter.status()?;
        let native = status
            .interfaces
            .iter()
            .all(|interface| interface.xdp == "native");
        ensure!(
            native && status.interfaces.len() == 3,
            "op25b is not attached as in the policy: {status:?}"
        );
        Ok((outcomes, status, filter))
    }

    fn counted(&self, filter: &Filter, path: Path, family: Family) -> anyhow::Result<Outcome> {
        let before = filter.count("blocked")?;
        let outcome = path.attempt(self.lab, self.servers, family, GLIMPSE)?;
        let counted = filter.count("blocked")? - before;
        Ok(match outcome {
            Outcome::Silence if counted != 1 => Outcome::Fails(format!("one frame, counted {counted} times")),
            outcome => outcome,
        })
    }

    fn exempted(&self, filter: &Filter) -> anyhow::Result<Vec<Outcome>> {
        self.progress
            .stage("trying the blocked path with an exemption", Family::BOTH.len());
        filter.reload()?;
        self.try_direct(PATIENCE)
    }
}
