//! `op25b export`: lists for other systems, made of the policy and its exemptions.

use std::{
    io::{BufWriter, Write as _, stdout},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::ensure;
use clap::{Args as ClapArgs, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use super::{
    EXIT_NO, EXIT_NOT_RUNNING,
    daemon::{Response, ask},
    exempt::Offline,
    json,
    paths::Paths,
    policy_file, problem,
};
use crate::{
    api::{Problem, ProblemKind},
    daemon::client::Listing,
    exemption::Terms,
    policy::{self, Policy, characters::printable, pool_addresses::PoolAddresses, prefix_set::PrefixSet},
    schema::Schema,
    store::State,
};

/// Write lists for other systems, made of the policy and its exemptions.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Prefixes(PrefixArgs),
}

/// Print the prefixes of pools, one a line, joined where they can be.
///
/// A list for reverse DNS, or for lists of dynamic addresses such as the Spamhaus PBL. An address belongs to the pool
/// that has the longest prefix for it. With `--without-exempt`, what may use the blocked ports is left out: the
/// prefixes of exemptions without destinations that have not expired, of the policy file and of the store.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b export prefixes                                   all pools, as they are enforced here
  op25b export prefixes --pool residential --without-exempt
  op25b export prefixes --policy policy.yaml --json | jq -r '.pools[] | [.name, (.prefixes | length)] | @tsv'

Requires what `op25b exempt list` does, and that the policy file can be read; with `--policy` nothing else.
Exit codes: 0 printed; 1 there is no such pool; 2 failed; 3 no filter is running.")]
struct PrefixArgs {
    /// The pool; repeatable. The default is every pool.
    #[arg(long = "pool", value_name = "NAME")]
    pools: Vec<String>,
    /// Leave out what is exempt to every destination.
    #[arg(long)]
    without_exempt: bool,
    /// Use this policy file, with its exemptions alone, instead of the policy that is enforced here.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Print one JSON document instead of text, with the prefixes of each pool by itself.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Prefixes(args) => prefixes(args),
    }
}

/// A policy, and the exemptions that apply to it.
struct Source {
    file: PathBuf,
    policy: Policy,
    exemptions: Vec<Terms>,
}

fn prefixes(args: &PrefixArgs) -> anyhow::Result<ExitCode> {
    let source = if let Some(path) = &args.policy {
        Source::of_file(policy_file::read(path)?)
    } else if let Some(source) = enforced(&args.paths)? {
        source
    } else {
        let why = "no filter is running here; `--policy FILE` reads a policy file";
        let problem = Problem::new(ProblemKind::NotRunning, why);
        return problem::refuse(&problem, args.json, EXIT_NOT_RUNNING);
    };
    let chosen = match source.chosen(&args.pools) {
        Ok(chosen) => chosen,
        Err(why) => return problem::refuse(&Problem::not_found(why), args.json, EXIT_NO),
    };
    let addresses = PoolAddresses::of_each(&source.policy, source.exemptions.iter(), Timestamp::now());
    let set = |index: usize| {
        let PoolAddresses { all, exempt, .. } = &addresses[index];
        if args.without_exempt {
            all.difference(exempt)
        } else {
            all.clone()
        }
    };
    let mut out = BufWriter::new(stdout().lock());
    if args.json {
        let pool = |index: &usize| {
            json!({
                "name": source.policy.pools[*index].name,
                "prefixes": set(*index).prefixes().collect::<Vec<_>>(),
            })
        };
        let document = json!({
            "policy_file": source.file,
            "without_exempt": args.without_exempt,
            "pools": chosen.iter().map(pool).collect::<Vec<_>>(),
        });
        json::print(Schema::ExportPrefixes, &document)?;
    } else {
        let sets: Vec<PrefixSet> = chosen.iter().map(|index| set(*index)).collect();
        let joined: PrefixSet = sets.iter().flat_map(PrefixSet::prefixes).collect();
        for net in joined.prefixes() {
            writeln!(out, "{net}")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

impl Source {
    fn of_file(file: policy::File) -> Self {
        let exemptions = file.policy.exemptions.iter();
        Self {
            exemptions: exemptions.map(|exemption| exemption.terms.clone()).collect(),
            file: file.path,
            policy: file.policy,
        }
    }

    /// The indices of the pools with these names; of all pools without names.
    fn chosen(&self, names: &[String]) -> Result<Vec<usize>, String> {
        let pools = &self.policy.pools;
        if names.is_empty() {
            return Ok((0..pools.len()).collect());
        }
        let index = |name: &String| {
            pools.iter().position(|pool| pool.name == *name).ok_or_else(|| {
                let names: Vec<_> = pools.iter().map(|pool| &*pool.name).collect();
                format!(
                    "there is no pool {}; the pools are {}",
                    printable(name),
                    printable(&names.join(", "))
                )
            })
        };
        let mut chosen: Vec<_> = names.iter().map(index).collect::<Result<_, _>>()?;
        chosen.sort_unstable();
        chosen.dedup();
        Ok(chosen)
    }
}

/// The policy that is enforced here, with the exemptions of its file and of the store; `None` if no filter runs.
fn enforced(paths: &Paths) -> anyhow::Result<Option<Source>> {
    let listing = Listing::default();
    let asked = ask(paths, async |client| {
        let report = client.status().await?;
        Ok((report, client.list(&listing).await?))
    })?;
    let (policy, exemptions, file) = match asked {
        Response::Done((report, exemptions)) => {
            let (path, sha256) = (report.policy_file.unwrap_or_default(), report.policy_sha256);
            let file = read_as_loaded(&path, &sha256.unwrap_or_default())?;
            (file.policy, exemptions, file.path)
        }
        Response::Refused(problem) => return Err((*problem).into()),
        Response::NoDaemon => {
            let offline = Offline::open(paths)?;
            let Some((policy, file)) = offline.policy_file() else {
                // Without the policy there are no pools: what was left out is why there is nothing to print.
                ensure!(offline.left_out.is_empty(), "{}", offline.left_out.join("; "));
                return Ok(None);
            };
            let (policy, file) = (Policy::clone(policy), file.to_owned());
            offline.say_so();
            (policy, offline.list(&listing)?, file)
        }
    };
    let active = exemptions
        .into_iter()
        .filter(|exemption| exemption.state == State::Active);
    Ok(Some(Source {
        exemptions: active.map(|exemption| exemption.terms).collect(),
        file,
        policy,
    }))
}

/// The policy file, if it is still the one that was loaded.
fn read_as_loaded(path: &Path, sha256: &str) -> anyhow::Result<policy::File> {
    let file = policy::read(path)?;
    ensure!(
        file.sha256 == sha256,
        "{path} has been changed since it was loaded: `op25b reload` enforces it, or read the file as it is now with \
         `--policy {path}`",
        path = path.display()
    );
    Ok(file)
}
