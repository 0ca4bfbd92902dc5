//! The signals that would end the process: those that are to end it, and one that is to reload the policy.

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// All of them, taken over.
pub(in crate::daemon) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Asked {
    /// To end; by the signal of this name.
    Stop(&'static str),
    /// To reload the policy.
    Reload,
}

impl Signals {
    pub(in crate::daemon) fn take_over() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("cannot handle SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("cannot handle SIGTERM")?,
            hangup: signal(SignalKind::hangup()).context("cannot handle SIGHUP")?,
        })
    }

    /// Waits for the next one.
    pub(in crate::daemon) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop("SIGINT"),
            _ = self.terminate.recv() => Asked::Stop("SIGTERM"),
            _ = self.hangup.recv() => Asked::Reload,
        }
    }
}
