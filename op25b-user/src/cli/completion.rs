//! Completion of command lines: the shells' scripts start op25b with [`COMPLETE`], and it prints what may stand next.
//!
//! Commands and options are clap's. Ids, customers, tickets, prefixes and pools are those of the daemon, if one answers at once.

use std::{collections::HashSet, env, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Arg, Command, CommandFactory as _};
use clap_complete::{ArgValueCandidates, CompleteEnv, CompletionCandidate};
use nix::net::if_::if_nameindex;
use tokio::time::timeout;

use super::{
    Cli, EXIT_FAILED,
    daemon::block_on,
    paths::{RUNTIME_DIR, RUNTIME_VARIABLE},
};
use crate::{
    api::Exemption,
    daemon::client::{Client, ClientError, Listing},
};

/// The environment variable that names the shell.
pub const COMPLETE: &str = "OP25B_COMPLETE";

/// How long the daemon may take to answer: someone has pressed a key and waits.
const PROMPT: Duration = Duration::from_secs(1);

/// Answers a shell, if this process was started by one for that.
#[must_use]
pub fn complete() -> Option<ExitCode> {
    env::var_os(COMPLETE)?;
    let completer = CompleteEnv::with_factory(|| with_values(Cli::command())).var(COMPLETE);
    match completer.try_complete(env::args_os(), None) {
        Ok(true) => Some(ExitCode::SUCCESS),
        Ok(false) => None,
        // On the terminal it would be in the middle of a command line.
        Err(_) => Some(EXIT_FAILED.into()),
    }
}

/// Adds what the values of arguments may be, below every command.
fn with_values(command: Command) -> Command {
    let takes_ended = matches!(command.get_name(), "restore" | "show" | "history" | "diagnose");
    command
        .mut_args(|argument| with_candidates(argument, takes_ended))
        .mut_subcommands(with_values)
}

/// Adds what the values of an argument may be, by its name.
fn with_candidates(argument: Arg, takes_ended: bool) -> Arg {
    let of_exemptions = |values: fn(&Exemption) -> Vec<String>| {
        ArgValueCandidates::new(move || of_exemptions(takes_ended, values))
    };
    let candidates = match argument.get_id().as_str() {
        "id" => of_exemptions(|exemption| vec![exemption.id.clone()]),
        "batch" => of_exemptions(|exemption| exemption.batch.iter().cloned().collect()),
        "customer" => of_exemptions(|exemption| vec![exemption.terms.customer.to_string()]),
        "ticket" => {
            of_exemptions(|exemption| exemption.terms.ticket.iter().map(ToString::to_string).collect())
        }
        "prefix" | "within" => of_exemptions(prefixes),
        "what" => of_exemptions(|exemption| {
            let mut values = prefixes(exemption);
            values.extend([exemption.id.clone(), exemption.terms.customer.to_string()]);
            values
        }),
        "pool" | "pools" => ArgValueCandidates::new(pools),
        "interface" => ArgValueCandidates::new(interfaces),
        _ => return argument,
    };
    argument.add(candidates)
}

fn prefixes(exemption: &Exemption) -> Vec<String> {
    exemption.terms.prefixes.iter().map(ToString::to_string).collect()
}

/// Values of the exemptions, each once, with the customer's name beside it if that is not the value.
fn of_exemptions(all: bool, values: fn(&Exemption) -> Vec<String>) -> Vec<CompletionCandidate> {
    let listing = Listing {
        all,
        ..Listing::default()
    };
    let exemptions = ask(async |client| client.list(&listing).await).unwrap_or_default();
    let mut seen = HashSet::new();
    let mut candidates = Vec::new();
    for exemption in &exemptions {
        let customer = &exemption.terms.customer;
        for value in values(exemption) {
            if seen.insert(value.clone()) {
                let help = (value != *customer).then(|| customer.to_string().into());
                candidates.push(CompletionCandidate::new(value).help(help));
            }
        }
    }
    candidates
}

fn pools() -> Vec<CompletionCandidate> {
    let status = ask(async |client| client.status().await);
    let pools = status.map(|status| status.pools).unwrap_or_default();
    pools
        .into_iter()
        .map(|pool| CompletionCandidate::new(pool.name))
        .collect()
}

/// The interfaces of this network namespace.
fn interfaces() -> Vec<CompletionCandidate> {
    let Ok(interfaces) = if_nameindex() else {
        return Vec::new();
    };
    let names = interfaces
        .iter()
        .map(|interface| interface.name().to_string_lossy().into_owned());
    names.map(CompletionCandidate::new).collect()
}

/// What the daemon answers, unless it takes too long or there is none.
fn ask<T>(request: impl AsyncFnOnce(Client) -> Result<T, ClientError>) -> Option<T> {
    let directory = env::var_os(RUNTIME_VARIABLE).unwrap_or_else(|| RUNTIME_DIR.into());
    let client = Client::new(PathBuf::from(directory));
    block_on(async { timeout(PROMPT, request(client)).await })
        .ok()?
        .ok()?
        .ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap_complete::engine::complete as candidates;

    use super::*;

    fn offered(words: &[&str]) -> Vec<String> {
        let mut command = with_values(Cli::command());
        let words: Vec<_> = [&["op25b"], words].concat().iter().map(Into::into).collect();
        let index = words.len() - 1;
        let offered = candidates(&mut command, words, index, None).expect("the engine answers");
        offered
            .iter()
            .map(|candidate| candidate.get_value().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn commands_options_and_their_words_are_offered() {
        assert_eq!(offered(&["exempt", "re"]), ["remove", "restore"]);
        assert_eq!(offered(&["stop", "--det"]), ["--detach"]);
        assert_eq!(offered(&["--log-format", "j"]), ["json"]);
    }

    #[test]
    fn every_argument_whose_values_are_asked_for_is_one_of_a_command() {
        fn collect(command: &Command, names: &mut BTreeSet<String>) {
            let asked = command
                .get_arguments()
                .filter(|argument| argument.get::<ArgValueCandidates>().is_some());
            names.extend(asked.map(|argument| argument.get_id().to_string()));
            command
                .get_subcommands()
                .for_each(|command| collect(command, names));
        }
        let mut names = BTreeSet::new();
        collect(&with_values(Cli::command()), &mut names);
        let known = [
            "batch",
            "customer",
            "id",
            "interface",
            "pool",
            "pools",
            "prefix",
            "ticket",
            "what",
            "within",
        ];
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), known);
    }
}
