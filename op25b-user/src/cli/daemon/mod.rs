//! Requests of subcommands to the daemon, and the runtime in which they run.

pub(in crate::cli) mod pages;

use anyhow::{Context as _, bail};

use super::{
    directories::{self, told_elsewhere, wrong_runtime_dir},
    paths::Paths,
    progress::Progress,
};
use crate::{
    api::{Problem, ProblemKind},
    daemon::client::{Client, ClientError},
};

/// What is shown while the daemon does not answer.
const WAITING: &str = "waiting for the daemon";

/// The outcome of a request.
pub(super) enum Response<T> {
    /// The daemon's response.
    Done(T),
    /// The daemon refused.
    Refused(Box<Problem>),
    /// No daemon runs.
    NoDaemon,
}

/// Sends a request that changes nothing.
pub(super) fn ask<T>(
    paths: &Paths,
    request: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
) -> anyhow::Result<Response<T>> {
    directories::check(paths)?;
    let client = Client::new(&paths.runtime_dir);
    match wait_for(request(client))? {
        Ok(response) => Ok(Response::Done(response)),
        Err(ClientError::Refused(problem)) => Ok(Response::Refused(problem)),
        Err(error) if error.is_absence() => {
            match wrong_runtime_dir(paths).or_else(|| told_elsewhere(paths)) {
                Some(wrong) => bail!(wrong),
                None => Ok(Response::NoDaemon),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Sends a request that makes a change; without a daemon that is an error.
pub(super) fn change<T>(
    paths: &Paths,
    request: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
) -> anyhow::Result<Result<T, Box<Problem>>> {
    change_with(Progress::of(WAITING), paths, request)
}

/// The same for a request that shows its progress itself.
pub(super) fn change_with<T>(
    progress: Progress,
    paths: &Paths,
    request: impl AsyncFnOnce(Client) -> Result<T, ClientError>,
) -> anyhow::Result<Result<T, Box<Problem>>> {
    if let Some(wrong) = directories::wrong(paths) {
        bail!("{wrong}: nothing was changed");
    }
    let client = Client::new(&paths.runtime_dir);
    let answered = block_on(request(client));
    drop(progress);
    let error = match answered? {
        Ok(response) => return Ok(Ok(response)),
        Err(ClientError::Refused(problem)) => return Ok(Err(problem)),
        Err(error) => error,
    };
    if error.is_absence()
        && let Some(wrong) = wrong_runtime_dir(paths).or_else(|| told_elsewhere(paths))
    {
        bail!("{wrong}: nothing was changed");
    }
    Err(if error.is_absence() {
        let detail = format!(
            "{error}: nothing was changed; start it with `systemctl start op25b` or `op25b run --policy FILE`"
        );
        Problem::new(ProblemKind::NoDaemon, detail).into()
    } else if error.is_forbidden() {
        error.into()
    } else if error.is_unsent() {
        anyhow::Error::new(error).context("nothing was changed")
    } else {
        anyhow::Error::new(error).context(
            "it is not known whether the change was made: check `op25b exempt history` and `op25b status` once the daemon answers again",
        )
    })
}

/// Runs a request to its end, and shows meanwhile that the daemon is waited for.
pub(super) fn wait_for<T>(request: impl Future<Output = T>) -> anyhow::Result<T> {
    let _progress = Progress::of(WAITING);
    block_on(request)
}

/// Runs a future to completion, in this thread.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    Ok(runtime.block_on(future))
}
