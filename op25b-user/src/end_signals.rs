//! SIGINT and SIGTERM: the signals that end what goes on until then.

use std::io;

use nix::sys::signal::Signal;
use tokio::signal::unix::{Signal as Arrivals, SignalKind, signal};

/// Both of them. From when this exists, neither ends the process.
pub(crate) struct EndSignals {
    interrupt: Arrivals,
    terminate: Arrivals,
}

impl EndSignals {
    /// Receives them from now on.
    pub(crate) fn receive() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::SIGINT,
            _ = self.terminate.recv() => Signal::SIGTERM,
        }
    }
}
