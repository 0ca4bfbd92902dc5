//! `op25b export`: lists for other systems, made of the policy and its exemptions.

use std::{
    io::{BufWriter, Write as _, stdout},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args as ClapArgs, Subcommand};
use jiff::Timestamp;
use serde_json::json;

use super::{
    EXIT_NO, EXIT_NOT_RUNNING, json,
    paths::Paths,
    policy_source::{self, Source},
    problem,
    progress::Progress,
};
use crate::{
    api::Problem,
    policy::{pool_addresses::PoolAddresses, prefix_set::PrefixSet},
    schema::Schema,
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

fn prefixes(args: &PrefixArgs) -> anyhow::Result<ExitCode> {
    let Some(source) = Source::read(args.policy.as_deref(), &args.paths)? else {
        return problem::refuse(&policy_source::no_policy(), args.json, EXIT_NOT_RUNNING);
    };
    let chosen = match source.chosen(&args.pools) {
        Ok(chosen) => chosen,
        Err(why) => return problem::refuse(&Problem::not_found(why), args.json, EXIT_NO),
    };
    let terms = source.exemptions.iter().map(|exempt| &exempt.terms);
    let progress = Progress::of("computing the addresses of each pool");
    let addresses = PoolAddresses::of_each(&source.policy, terms, Timestamp::now());
    drop(progress);
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
