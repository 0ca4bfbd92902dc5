//! The process that serves metrics over TCP. It has no capability, and system calls for nothing but that.
//!
//! The daemon starts it as a process of its own, because a thread shares the memory of the maps, the control socket's state and the
//! keys with all others. It binds no socket and opens no file: the daemon hands it the listeners and the texts of the certificates, and
//! then a page whenever it asks for one. It ends when the daemon does.

mod accept;
mod channel;
mod connections;
mod pages;
mod sandbox;
mod tls;

use std::{
    env, io,
    net::TcpListener,
    os::{fd::AsFd as _, unix::net::UnixStream},
    process::ExitCode,
};

use anyhow::Context as _;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub(crate) use self::channel::{MOST_PAGE, read_frame, send_listeners, write_frame};

/// The first argument of the process.
pub(crate) const ARGUMENT: &str = "--metrics-server";

/// What the process is told before it serves; its listeners come with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Configuration {
    /// The clients that are served; all if it is empty.
    pub(crate) allow: Vec<IpNet>,
    /// How connections are encrypted, if they are.
    pub(crate) tls: Option<TlsTexts>,
}

/// What encrypts connections, in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TlsTexts {
    /// The chain of certificates.
    pub(crate) cert: String,
    /// Its key.
    pub(crate) key: String,
    /// The certificates that sign those of clients.
    pub(crate) client_ca: Option<String>,
}

/// What the process answers to that.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Started {
    /// Why it does not serve.
    pub(crate) error: Option<String>,
}

/// Serves metrics, if the daemon has started this process for that.
#[must_use]
pub fn serve_if_asked() -> Option<ExitCode> {
    if env::args_os().nth(1).is_none_or(|argument| argument != ARGUMENT) {
        return None;
    }
    Some(match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("op25b: the process that serves metrics: {error:#}");
            ExitCode::FAILURE
        }
    })
}

fn run() -> anyhow::Result<()> {
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    let mut daemon = UnixStream::from(stdin);
    let (configuration, listeners) =
        channel::receive_configuration(&mut daemon).context("only the daemon starts it")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .context("cannot start the event loop")?;
    daemon.set_nonblocking(true)?;
    let entered = runtime.enter();
    let mut daemon = tokio::net::UnixStream::from_std(daemon)?;
    let prepared = prepare(&configuration, listeners).and_then(|prepared| {
        sandbox::enter()?;
        Ok(prepared)
    });
    drop(entered);
    let error = prepared.as_ref().err().map(|error| format!("{error:#}"));
    let started = serde_json::to_vec(&Started { error })?;
    runtime.block_on(async {
        write_frame(&mut daemon, &started).await?;
        // If it is not prepared, the daemon says why.
        if let Ok((served, listeners)) = prepared {
            connections::serve(listeners, served, daemon).await;
        }
        Ok(())
    })
}

/// Everything that needs more than the sandbox permits, or that may fail.
fn prepare(
    configuration: &Configuration,
    listeners: Vec<TcpListener>,
) -> anyhow::Result<(connections::Served, Vec<tokio::net::TcpListener>)> {
    let tls = configuration.tls.as_ref().map(tls::acceptor).transpose()?;
    let listeners = listeners.into_iter().map(|listener| {
        listener.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(listener)
    });
    let listeners = listeners.collect::<io::Result<_>>()?;
    let allow = configuration.allow.clone();
    Ok((connections::Served { allow, tls }, listeners))
}
