//! Refusals and failures: text on stderr or, with `--json`, a problem (RFC 9457) on stdout, the only document there.

use std::{ffi::OsString, io, process::ExitCode};

use clap::{ArgMatches, error::ErrorKind};

use crate::{
    api::{Problem, ProblemKind, RowProblem},
    cli::{EXIT_FAILED, EXIT_NO, causes, json, stderr},
    daemon::client::ClientError,
    schema::Schema,
};

/// Reports why a command was refused; returns its exit code.
pub(in crate::cli) fn refuse(problem: &Problem, is_json: bool, code: u8) -> anyhow::Result<ExitCode> {
    if is_json {
        json::print(Schema::Problem, problem)?;
    } else {
        stderr::line(format_args!("op25b: {}", problem.detail));
    }
    Ok(code.into())
}

/// The same of a request with rows, whose mistakes are each named with the place of their row.
pub(in crate::cli) fn refuse_rows(
    problem: &Problem,
    is_json: bool,
    place: impl Fn(&RowProblem) -> String,
) -> anyhow::Result<ExitCode> {
    if !is_json {
        for row in &problem.rows {
            stderr::line(format_args!("{}: {}", place(row), row.detail));
        }
    }
    refused(problem, is_json)
}

/// The same; the exit code distinguishes a wrong request from a failure of the daemon, the kernel or the disk, which is a 5xx.
pub(in crate::cli) fn refused(problem: &Problem, is_json: bool) -> anyhow::Result<ExitCode> {
    let code = if problem.status >= 500 {
        EXIT_FAILED
    } else {
        EXIT_NO
    };
    refuse(problem, is_json, code)
}

/// Reports an error with its causes.
pub fn report(error: &anyhow::Error, is_json: bool) {
    // If stdout does not take the document, stderr is left.
    if !(is_json && json::print(Schema::Problem, &as_problem(error)).is_ok()) {
        stderr::line(format_args!("op25b: {}", causes(error)));
    }
}

/// Reports a command line that cannot be parsed, or prints the help or version that it asks for.
pub(in crate::cli) fn report_usage(
    error: &clap::Error,
    arguments: impl Iterator<Item = OsString>,
) -> ExitCode {
    let code = u8::try_from(error.exit_code()).unwrap_or(EXIT_FAILED);
    let is_json = error.use_stderr() && names_json(arguments);
    let problem = || Problem::new(ProblemKind::Usage, usage(error));
    if !(is_json && json::print(Schema::Problem, &problem()).is_ok()) {
        // Nobody reads it.
        let _ = error.print();
    }
    code.into()
}

/// The argument of a `--format` for the output, as clap knows it: there are others, for what is read.
pub(in crate::cli) const OUTPUT_FORMAT: &str = "output_format";

/// Whether a command was given `--json`, or what is the same.
pub(in crate::cli) fn is_json(matches: &ArgMatches) -> bool {
    if let Some((_, matches)) = matches.subcommand() {
        return is_json(matches);
    }
    let format = matches.try_get_raw(OUTPUT_FORMAT).ok().flatten();
    matches!(matches.try_get_one("json"), Ok(Some(true)))
        || format.is_some_and(|mut words| words.any(|word| word == "json"))
}

/// Whether arguments that cannot be parsed contain `--json`.
fn names_json(arguments: impl Iterator<Item = OsString>) -> bool {
    arguments
        .take_while(|argument| argument != "--")
        .any(|argument| argument == "--json")
}

/// What is wrong with a command line, without the usage that follows on a terminal.
fn usage(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a subcommand is missing; `--help` lists them".to_owned();
    }
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| {
        !paragraph.starts_with("Usage:") && !paragraph.starts_with("For more information")
    });
    paragraphs.collect::<Vec<_>>().join("\n")
}

/// An error as a problem. A refusal of the daemon, or a problem with which a command ended, keeps its kind.
fn as_problem(error: &anyhow::Error) -> Problem {
    let known = error.chain().find_map(|cause| {
        let problem = cause.downcast_ref::<Problem>();
        problem.or_else(|| match cause.downcast_ref() {
            Some(ClientError::Refused(problem)) => Some(problem),
            _ => None,
        })
    });
    let problem = known
        .cloned()
        .unwrap_or_else(|| Problem::new(kind(error), String::new()));
    Problem {
        detail: causes(error),
        ..problem
    }
}

/// The kind of an error.
fn kind(error: &anyhow::Error) -> ProblemKind {
    let kinds = error.chain().filter_map(|cause| {
        if let Some(error) = cause.downcast_ref::<ClientError>() {
            return match error {
                _ if error.is_forbidden() => Some(ProblemKind::Forbidden),
                _ if error.is_absence() => Some(ProblemKind::NoDaemon),
                ClientError::Silent => Some(ProblemKind::Timeout),
                _ => None,
            };
        }
        let is_denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
        cause
            .downcast_ref()
            .is_some_and(is_denied)
            .then_some(ProblemKind::Forbidden)
    });
    kinds.last().unwrap_or(ProblemKind::Failed)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::cli::Cli;

    fn usage_of(arguments: &[&str]) -> String {
        usage(&Cli::try_parse_from(arguments).unwrap_err())
    }

    #[test]
    fn what_is_wrong_with_a_command_line_is_said_without_its_usage() {
        insta::assert_snapshot!(usage_of(&["op25b", "check", "--jsn"]), @r"
        unexpected argument '--jsn' found
        tip: a similar argument exists: '--json'
        ");
        insta::assert_snapshot!(usage_of(&["op25b", "exempt", "show", "--json"]), @r"
        the following required arguments were not provided:
          <ID>
        ");
        insta::assert_snapshot!(usage_of(&["op25b", "exempt"]), @r"a subcommand is missing; `--help` lists them");
        insta::assert_snapshot!(usage_of(&["op25b", "subscribers", "--sort", "bytes", "--json"]), @r#"invalid value 'bytes' for '--sort <COLUMN,…>': there is no column "bytes"; the columns are subscriber, pool, packets, blocked, monitored, syns, hidden, destinations, first-seen, last-seen"#);
    }

    #[test]
    fn that_json_is_asked_for_is_found_in_any_subcommand() {
        for (arguments, expected) in [
            (&["op25b", "check", "--json", "policy.yaml"][..], true),
            (&["op25b", "check", "policy.yaml"], false),
            (&["op25b", "exempt", "list", "--json"], true),
            (&["op25b", "exempt", "list"], false),
            (&["op25b", "metrics"], false),
            (&["op25b", "report", "--format", "json"], true),
            (&["op25b", "report", "--format=csv"], false),
            (&["op25b", "exempt", "export", "--format=json"], true),
            (&["op25b", "exempt", "import", "--format=json", "-"], false),
        ] {
            let matches = Cli::command().try_get_matches_from(arguments).unwrap();
            assert_eq!(is_json(&matches), expected, "{arguments:?}");
        }
        let named = |arguments: &[&str]| names_json(arguments.iter().map(Into::into));
        assert!(named(&["op25b", "check", "--json"]));
        assert!(!named(&["op25b", "check", "--", "--json"]));
    }

    #[test]
    fn an_error_is_a_problem_of_its_kind_with_all_of_its_causes() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = anyhow::Error::new(denied).context("cannot read /etc/op25b/policy.yaml");
        let problem = as_problem(&error);
        assert!(problem.is(ProblemKind::Forbidden), "{problem:?}");
        assert!(
            problem.detail.starts_with("cannot read /etc/op25b/policy.yaml: "),
            "{problem:?}"
        );

        let refusal = ClientError::Refused(Box::new(Problem::conflict("it exists")));
        let problem = as_problem(&anyhow::Error::new(refusal).context("nothing was changed"));
        assert!(problem.is(ProblemKind::Conflict), "{problem:?}");
        assert_eq!(problem.detail, "nothing was changed: it exists");

        let problem = as_problem(&anyhow::anyhow!("the disk is upside down"));
        assert_eq!(
            (problem.kind.as_str(), problem.status),
            ("urn:op25b:problem:failed", 500)
        );
    }
}
