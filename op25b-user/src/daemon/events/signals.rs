//! Signals: SIGINT and SIGTERM end the daemon, SIGHUP reloads the policy.

use std::time::Duration;

use anyhow::Context as _;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};

/// The handlers of all of them.
pub(in crate::daemon) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// What a signal requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum SignalRequest {
    /// To end; the name of the signal.
    Stop(&'static str),
    /// To reload the policy.
    Reload,
}

impl Signals {
    pub(in crate::daemon) fn install() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("cannot handle SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("cannot handle SIGTERM")?,
            hangup: signal(SignalKind::hangup()).context("cannot handle SIGHUP")?,
        })
    }

    /// The signal to end that has arrived, if there is one. A request to reload remains for [`Self::next`].
    pub(in crate::daemon) async fn arrived_stop(&mut self) -> Option<&'static str> {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => Some("SIGINT"),
            _ = self.terminate.recv() => Some("SIGTERM"),
            // Signals that have arrived are passed on when the event loop waits.
            () = sleep(Duration::from_millis(1)) => None,
        }
    }

    /// Waits for one that ends the daemon; its name. A request to reload remains for [`Self::next`].
    pub(in crate::daemon) async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }

    /// Waits for the next one.
    pub(in crate::daemon) async fn next(&mut self) -> SignalRequest {
        tokio::select! {
            _ = self.interrupt.recv() => SignalRequest::Stop("SIGINT"),
            _ = self.terminate.recv() => SignalRequest::Stop("SIGTERM"),
            _ = self.hangup.recv() => SignalRequest::Reload,
        }
    }
}
