//! Signals: SIGINT and SIGTERM end the daemon, SIGHUP reloads the policy.

use std::time::Duration;

use anyhow::Context as _;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};

use crate::end_signals::EndSignals;

/// The handlers of all of them.
pub(in crate::daemon) struct Signals {
    ends: EndSignals,
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
            ends: EndSignals::receive().context("cannot handle SIGINT and SIGTERM")?,
            hangup: signal(SignalKind::hangup()).context("cannot handle SIGHUP")?,
        })
    }

    /// The signal to end that has arrived, if there is one. A request to reload remains for [`Self::next`].
    pub(in crate::daemon) async fn arrived_stop(&mut self) -> Option<&'static str> {
        // Signals that have arrived are passed on when the event loop waits.
        timeout(Duration::from_millis(1), self.stop()).await.ok()
    }

    /// Waits for one that ends the daemon; its name. A request to reload remains for [`Self::next`].
    pub(in crate::daemon) async fn stop(&mut self) -> &'static str {
        self.ends.next().await.as_str()
    }

    /// Waits for the next one.
    pub(in crate::daemon) async fn next(&mut self) -> SignalRequest {
        tokio::select! {
            end = self.ends.next() => SignalRequest::Stop(end.as_str()),
            _ = self.hangup.recv() => SignalRequest::Reload,
        }
    }
}
