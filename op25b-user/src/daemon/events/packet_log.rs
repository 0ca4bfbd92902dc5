//! Logging what the program reports about single packets.

use std::io;

use anyhow::Context as _;
use aya_log::EbpfLogger;
use tokio::io::{Interest, unix::AsyncFd};

use crate::datapath::{Filter, LogLevel};

/// The reader of one filter's packet log; of none, if it is off.
pub(in crate::daemon) struct PacketLog(Option<AsyncFd<EbpfLogger<&'static dyn log::Log>>>);

impl PacketLog {
    /// A reader of nothing.
    pub(in crate::daemon) fn off() -> Self {
        Self(None)
    }

    pub(in crate::daemon) fn of(filter: &mut Filter, level: LogLevel) -> anyhow::Result<Self> {
        if level == LogLevel::Off {
            return Ok(Self::off());
        }
        let reader = filter.take_diagnostics().context("cannot read the packet log")?;
        // SAFETY: the reader owns its ring buffer, whose descriptor stays open and unchanged during its lifetime.
        let reader = unsafe { AsyncFd::register_with_interest(reader, Interest::READABLE) };
        Ok(Self(Some(reader.context("cannot wait for the packet log")?)))
    }

    /// Waits for entries and logs them; waits for ever if the packet log is off.
    pub(in crate::daemon) async fn log_entries(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Some(reader) => {
                let mut guard = reader.readable_mut().await?;
                // In this order: an entry that arrives during the flush makes the reader ready again.
                guard.clear_ready();
                guard.get_inner_mut().flush();
                Ok(())
            }
            None => std::future::pending().await,
        }
    }
}
