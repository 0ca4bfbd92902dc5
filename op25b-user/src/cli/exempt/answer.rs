//! Requests to the daemon, and the output and exit codes for its responses.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anstyle::{AnsiColor, Style};
use anyhow::{Context as _, anyhow};
use serde::Serialize;

use crate::{
    api::{Explained, Problem},
    cli::{EXIT_FAILED, EXIT_NO, paths::Paths},
    daemon::client::{Client, ClientError},
};

const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// The outcome of a request.
pub(super) enum Answer<T> {
    /// The daemon's answer.
    Done(T),
    /// The daemon refused.
    Refused(Box<Problem>),
    /// No daemon runs.
    NoDaemon,
}

/// Sends a request that changes nothing.
pub(super) fn ask<T>(
    paths: &Paths,
    question: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
) -> anyhow::Result<Answer<T>> {
    let client = Client::new(&paths.runtime_dir);
    match block_on(question(client))? {
        Ok(answer) => Ok(Answer::Done(answer)),
        Err(ClientError::Refused(problem)) => Ok(Answer::Refused(problem)),
        Err(error) if error.is_absence() => Ok(Answer::NoDaemon),
        Err(error) if error.is_forbidden() => Err(forbidden(error)),
        Err(error) => Err(error.into()),
    }
}

/// Sends a request that makes a change; without a daemon that is an error.
pub(super) fn change<T>(
    paths: &Paths,
    question: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
) -> anyhow::Result<Result<T, Box<Problem>>> {
    let client = Client::new(&paths.runtime_dir);
    let error = match block_on(question(client))? {
        Ok(answer) => return Ok(Ok(answer)),
        Err(ClientError::Refused(problem)) => return Ok(Err(problem)),
        Err(error) => error,
    };
    Err(if error.is_absence() {
        anyhow!(
            "{error}: nothing was changed; start it with `systemctl start op25b` or `op25b run --policy FILE`"
        )
    } else if error.is_forbidden() {
        forbidden(error).context("nothing was changed")
    } else if error.is_unsent() {
        anyhow::Error::new(error).context("nothing was changed")
    } else {
        anyhow::Error::new(error).context(
            "it is not known whether the change was made: check `op25b exempt history` once the daemon answers again",
        )
    })
}

fn forbidden(error: ClientError) -> anyhow::Error {
    anyhow::Error::new(error).context("only root and members of the group op25b may use the control socket")
}

/// Runs a future to completion.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    Ok(runtime.block_on(future))
}

/// Prints why a request was refused. The exit code tells a wrong request from a failure of the daemon.
pub(super) fn refuse(problem: &Problem, json: bool, file: Option<&str>) -> anyhow::Result<ExitCode> {
    if json {
        print_json(problem)?;
    } else {
        for row in &problem.rows {
            anstream::eprintln!("{}:{}: {}", file.unwrap_or("row"), row.line, row.detail);
        }
        anstream::eprintln!("op25b: {}", problem.detail);
    }
    // A 5xx is a failure of the daemon or its store, not of the request.
    Ok(ExitCode::from(if problem.status >= 500 {
        EXIT_FAILED
    } else {
        EXIT_NO
    }))
}

/// Prints one JSON document.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, value)?;
    Ok(writeln!(stdout)?)
}

/// Prints warnings.
pub(super) fn warn(warnings: &[String]) {
    for warning in warnings {
        anstream::eprintln!("{WARNING}warning{WARNING:#}: {warning}");
    }
}

/// `198.51.100.8 -> 203.0.113.1 port 25: pass (exempt)`
pub(super) fn verdict(explained: &Explained) -> String {
    let Explained {
        source,
        destination,
        port,
        verdict,
        reason,
        ..
    } = explained;
    format!("{source} -> {destination} port {port}: {verdict} ({reason})")
}
