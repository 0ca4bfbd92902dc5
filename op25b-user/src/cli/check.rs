//! `op25b check`: check a policy file.

use std::{
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use jiff::Timestamp;
use serde_json::json;

use super::{EXIT_NO, json, progress::Progress, stderr};
use crate::{
    counted::counted,
    policy::{self, File, List, LruAddresses, Policy, Prefix, Proof, ReadError, Report},
    report::{
        PoolReport,
        here::{self, Finding},
        pool_reports,
    },
    schema::Schema,
};

/// The name of stdin in messages.
const STDIN: &str = "<stdin>";

/// Check a policy file and report every error and warning.
///
/// The lists that the file names are checked with it. Each has its line and, where possible, a suggestion. Of a policy without errors, a line for each pool says what part
/// of it is exempt, whether its IPv6 subscribers are more than there are records for, and which relays are in it. The check needs no privileges and only reads the file, so a policy can
/// be checked on any machine before it is enforced. With `--here` it also examines this machine's interfaces, and
/// changes nothing. With `--prove` it compiles the policy's tables and compares them, address by address, with what the policy
/// says; every load does that too.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b check /etc/op25b/policy.yaml
  op25b check - < policy.yaml             what another program writes
  op25b check --strict policy.yaml        for CI: fail on warnings too
  op25b check --here policy.yaml          on the router: do its interfaces go together with the policy
  op25b check --prove policy.yaml         that the tables in the kernel will say what the policy says
  op25b check --json policy.yaml | jq '.diagnostics[].message'

Exit codes: 0 no errors; 1 the policy has errors (with --strict: or warnings); 2 the file cannot be read.")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Args {
    /// The policy file; `-` reads stdin, and lists that it names are sought in the working directory.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print one JSON document to stdout, and nothing to stderr.
    #[arg(long)]
    json: bool,
    /// Treat warnings as errors.
    #[arg(long)]
    strict: bool,
    /// Examine the policy's interfaces on this machine too: whether they exist, are of a kind that the filter can run on, and
    /// have settings that disagree with it (VLAN offload, LRO, hardware GRO). What is found counts as warnings.
    #[arg(long)]
    here: bool,
    /// Prove that the compiled tables give every address of both families the pool, exemptions and relay that the policy gives it.
    #[arg(long)]
    prove: bool,
}

/// Checks the file. Fails if the file cannot be read or the output cannot be written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut proof = None;
    let mut lru = LruAddresses::default();
    let progress = Progress::of("reading the policy");
    let (policy, report, refused) = match read(&args.file)? {
        Ok(file) => {
            let proven = args.prove.then(|| {
                progress.line().goes_on("proving its tables");
                policy::prove(&file.policy, &file.compiled, Timestamp::now())
            });
            let difference = match proven.transpose() {
                Ok(compared) => {
                    proof = compared;
                    None
                }
                Err(difference) => Some(difference.to_string()),
            };
            lru = file.compiled.lru_v6;
            (Some(file.policy), file.warnings, difference)
        }
        Err(ReadError::Invalid(report)) => (None, report, None),
        // A policy that exceeds the kernel's maps is reported here too, before it reaches a router.
        Err(ReadError::TooLarge { loaded, source, .. }) => {
            (Some(loaded.policy), loaded.warnings, Some(source.to_string()))
        }
        Err(error @ ReadError::Unreadable { .. }) => return Err(error.into()),
    };
    let here = match &policy {
        Some(policy) if args.here => here::examine(policy)?,
        _ => Vec::new(),
    };
    let warnings = report.warnings() + here.len();
    let is_ok = policy.is_some() && refused.is_none() && !(args.strict && warnings > 0);

    let pools = policy
        .as_ref()
        .map(|policy| pool_reports(policy, &lru, Timestamp::now()));
    drop(progress);
    let outcome = Outcome {
        pools: &pools.unwrap_or_default(),
        policy: policy.as_ref(),
        report: &report,
        refused: refused.as_deref(),
        proof,
        here: args.here.then_some(&here),
        is_ok,
    };
    if args.json {
        outcome.print_json()
    } else {
        outcome.print()
    }
    .context("cannot write the result")?;
    Ok(if is_ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_NO)
    })
}

/// Reads a policy file, or stdin.
fn read(file: &Path) -> anyhow::Result<Result<File, ReadError>> {
    if file.as_os_str() != "-" {
        return Ok(policy::read(file));
    }
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .context("cannot read stdin")?;
    Ok(policy::read_text(STDIN, bytes))
}

struct Outcome<'a> {
    /// The exempt part of each pool, and its overlaps with relays.
    pools: &'a [PoolReport],
    policy: Option<&'a Policy>,
    report: &'a Report,
    /// Why a policy without errors cannot be loaded.
    refused: Option<&'a str>,
    /// How much of the tables was compared with the policy, if that was asked for.
    proof: Option<Proof>,
    /// What of this machine was found, if it was examined.
    here: Option<&'a Vec<Finding>>,
    is_ok: bool,
}

impl Outcome<'_> {
    fn print(&self) -> io::Result<()> {
        stderr::text(format_args!("{:#}", self.report));
        let file = self.report.file();
        if let Some(refused) = self.refused {
            stderr::line(format_args!("error: {file}: {refused}"));
        }
        for Finding { interface, message } in self.here.into_iter().flatten() {
            stderr::line(format_args!("warning: {interface}: {message}"));
        }
        let mut stdout = io::stdout().lock();
        let found = found(self.report, self.refused, self.here.map_or(0, Vec::len));
        match self.policy {
            Some(policy) if self.is_ok => {
                for list in &policy.lists {
                    writeln!(stdout, "{}: {}", list.path.display(), content(list))?;
                }
                for pool in self.pools {
                    write!(stdout, "{pool}")?;
                }
                if let Some(Proof { sources, relays }) = self.proof {
                    writeln!(
                        stdout,
                        "proven: the tables give every address what the policy gives it ({sources} ranges of sources, {relays} of \
                         destinations)"
                    )?;
                }
                let found = if found.is_empty() {
                    found
                } else {
                    format!("; {found}")
                };
                writeln!(stdout, "{file}: ok: {}{found}", summary(policy))
            }
            _ => writeln!(stdout, "{file}: not ok: {found}"),
        }
    }

    fn print_json(&self) -> io::Result<()> {
        let document = json!({
            "file": self.report.file(),
            "ok": self.is_ok,
            "errors": self.report.errors() + usize::from(self.refused.is_some()),
            "warnings": self.report.warnings(),
            "omitted": self.report.omitted(),
            "error": self.refused,
            "policy": self.policy.map(|policy| json!({
                "interfaces": policy.interfaces.len(),
                "pools": policy.pools.len(),
                "pool_prefixes": policy.pools.iter().map(|pool| pool.prefixes.len()).sum::<usize>(),
                "relays": policy.relays.len(),
                "exemptions": policy.exemptions.len(),
                "exempt_prefixes": policy.exemptions.iter().map(|exemption| exemption.terms.prefixes.len()).sum::<usize>(),
            })),
            "pools": self.pools,
            "lists": self.policy.map_or(&[][..], |policy| &policy.lists).iter().map(|list| json!({
                "file": list.path,
                "prefixes": list.prefixes,
                "exemptions": list.exemptions,
            })).collect::<Vec<_>>(),
            "diagnostics": self.report.to_json(),
            "here": self.here,
            "proof": self.proof,
        });
        json::print(Schema::Check, &document)
    }
}

/// `2 pools (5 prefixes), 1 relay, 3 exemptions`
fn summary(policy: &Policy) -> String {
    let prefixes: Vec<&Prefix> = policy.pools.iter().flat_map(|pool| &pool.prefixes).collect();
    format!(
        "{} ({}), {}, {}",
        counted(policy.pools.len(), "pool"),
        match prefixes.len() {
            1 => "1 prefix".to_owned(),
            many => format!("{many} prefixes"),
        },
        counted(policy.relays.len(), "relay"),
        counted(policy.exemptions.len(), "exemption"),
    )
}

/// `5 prefixes`
fn content(list: &List) -> String {
    let counts = [
        (list.prefixes, "prefix", "prefixes"),
        (list.exemptions, "exemption", "exemptions"),
    ];
    let words: Vec<String> = counts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
        .collect();
    if words.is_empty() {
        "nothing".to_owned()
    } else {
        words.join(", ")
    }
}

/// `1 error, 2 warnings`
fn found(report: &Report, refused: Option<&str>, here: usize) -> String {
    let errors = report.errors() + usize::from(refused.is_some());
    [(errors, "error"), (report.warnings() + here, "warning")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| counted(count, word))
        .collect::<Vec<_>>()
        .join(", ")
}
