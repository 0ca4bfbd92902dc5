//! Passing on what the program says about single packets.

use std::io;

use anyhow::Context as _;
use aya_log::EbpfLogger;
use tokio::io::{Interest, unix::AsyncFd};

use crate::datapath::{Filter, LogLevel};

/// The reader of one filter's diagnostics; of none, if they are off.
pub(in crate::daemon) struct PacketLog(Option<AsyncFd<EbpfLogger<&'static dyn log::Log>>>);

impl PacketLog {
    /// Of nothing.
    pub(in crate::daemon) fn off() -> Self {
        Self(None)
    }

    pub(in crate::daemon) fn of(filter: &mut Filter, level: LogLevel) -> anyhow::Result<Self> {
        if level == LogLevel::Off {
            return Ok(Self::off());
        }
        let reader = filter
            .take_diagnostics()
            .context("cannot read the program's diagnostics")?;
        // SAFETY: the reader owns its ring buffer, whose descriptor stays open and the same while it lives.
        let reader = unsafe { AsyncFd::register_with_interest(reader, Interest::READABLE) };
        Ok(Self(Some(reader.context("cannot wait for diagnostics")?)))
    }

    /// Passes on what has come; waits for ever if there is nothing to come.
    pub(in crate::daemon) async fn pass_on(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Some(reader) => {
                let mut guard = reader.readable_mut().await?;
                // In this order: what comes while the others are read makes it ready again.
                guard.clear_ready();
                guard.get_inner_mut().flush();
                Ok(())
            }
            None => std::future::pending().await,
        }
    }
}
